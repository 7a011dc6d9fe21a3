"""The curated store: OMOP CDM 5.4 over released Parquet, read-only to those who ask it (R17)."""

from __future__ import annotations

from .curated import (
    CuratedStore,
    allocated_concepts,
    content_hash,
    loaded_releases,
    open_store,
    read_manifest,
    remove_release,
    write_cdm,
)
from .mapping import FACT_SCHEMA, OBSERVATION_PERIOD_RULE, build_cdm
from .schema import CDM_VERSION, omop_table, omop_tables

__all__ = [
    "CDM_VERSION",
    "FACT_SCHEMA",
    "OBSERVATION_PERIOD_RULE",
    "CuratedStore",
    "allocated_concepts",
    "build_cdm",
    "content_hash",
    "loaded_releases",
    "omop_table",
    "omop_tables",
    "open_store",
    "read_manifest",
    "remove_release",
    "write_cdm",
]
