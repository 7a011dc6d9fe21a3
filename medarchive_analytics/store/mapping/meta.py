"""Which concepts, vocabularies and settings stand behind the rows (vocabulary tables, cdm_source, metadata)?"""

from __future__ import annotations

import datetime as dt

import polars as pl

from ..schema import CDM_VERSION
from .concepts import FIRST_UNMAPPED_ID, ConceptBook, hashed_key

_FROM, _TO = dt.date(1970, 1, 1), dt.date(2099, 12, 31)


def map_vocabulary_tables(book: ConceptBook) -> dict[str, pl.DataFrame]:
    """Which concepts may rows refer to?

    Parameters
    ----------
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    dict of str to polars.DataFrame
        concept, concept_synonym, vocabulary, domain, concept_class and source_to_concept_map.
    """
    concepts = book.all
    languages = {code: book.local_id("LOCALLANGUAGE", code) for code in ("zh", "en")}
    synonyms = []
    for code, language in languages.items():
        own = concepts.select("concept_id", pl.col(f"name_{code}").alias("name"))
        more = concepts.select("concept_id", pl.col(f"synonyms_{code}").str.split("|").alias("name")).explode("name")
        both = pl.concat([own, more]).filter(pl.col("name").str.len_chars() > 0).unique()
        synonyms.append(
            both.select(
                "concept_id",
                pl.col("name").alias("concept_synonym_name"),
                pl.lit(language).alias("language_concept_id"),
            )
        )
    systems = sorted(set(concepts["code_system"].to_list()))
    domains = sorted(set(concepts["domain"].to_list()))
    mapped = book.fixed.filter(~pl.col("code_system").str.starts_with("LOCAL") | (pl.col("domain") == "Drug"))
    return {
        "concept": concepts.select(
            "concept_id",
            pl.coalesce("name_en", "name_zh", "code").alias("concept_name"),
            pl.col("domain").alias("domain_id"),
            pl.col("code_system").alias("vocabulary_id"),
            pl.when(pl.col("concept_id") >= FIRST_UNMAPPED_ID)
            .then(pl.lit("Unmapped code"))
            .otherwise(pl.lit("Local concept"))
            .alias("concept_class_id"),
            pl.col("code").alias("concept_code"),
            pl.lit(_FROM).alias("valid_start_date"),
            pl.lit(_TO).alias("valid_end_date"),
        ),
        "concept_synonym": pl.concat(synonyms),
        "vocabulary": pl.DataFrame(
            {"vocabulary_id": systems, "vocabulary_name": systems, "vocabulary_concept_id": [0] * len(systems)}
        ),
        "domain": pl.DataFrame({"domain_id": domains, "domain_name": domains, "domain_concept_id": [0] * len(domains)}),
        "concept_class": pl.DataFrame(
            {
                "concept_class_id": ["Local concept", "Unmapped code"],
                "concept_class_name": ["Local concept with a fixed id", "Source code without a mapping"],
                "concept_class_concept_id": [0, 0],
            }
        ),
        "source_to_concept_map": mapped.select(
            pl.col("code").alias("source_code"),
            pl.col("concept_id").alias("source_concept_id"),
            pl.col("code_system").alias("source_vocabulary_id"),
            pl.col("name_en").alias("source_code_description"),
            pl.col("concept_id").alias("target_concept_id"),
            pl.col("code_system").alias("target_vocabulary_id"),
            pl.lit(_FROM).alias("valid_start_date"),
            pl.lit(_TO).alias("valid_end_date"),
        ),
    }


def map_meta_tables(
    book: ConceptBook, load_id: str, last_day: dt.date, settings: dict[str, str | int]
) -> dict[str, pl.DataFrame]:
    """Which load made the rows, under which settings?

    Parameters
    ----------
    book : ConceptBook
        Concepts of the load.
    load_id : str
        Name of the load, kept for lineage.
    last_day : datetime.date
        Last day any row speaks of; stands for the date of the release, so that a re-run gives the same rows.
    settings : dict of str to str or int
        Named settings and counts written to ``metadata``.

    Returns
    -------
    dict of str to polars.DataFrame
        cdm_source and metadata.
    """
    entries = {"load_id": load_id, **settings}
    return {
        "cdm_source": pl.DataFrame(
            {
                "cdm_source_name": ["Curated de-identified store"],
                "cdm_source_abbreviation": ["curated"],
                "cdm_holder": ["the hospital"],
                "source_description": ["De-identified extract approved by a data steward"],
                "cdm_etl_reference": [f"load {load_id}"],
                "source_release_date": [last_day],
                "cdm_release_date": [last_day],
                "cdm_version": [CDM_VERSION],
                "cdm_version_concept_id": [book.local_id("LOCALMETA", "omop_5_4")],
                "vocabulary_version": ["local 1"],
            }
        ),
        "metadata": pl.DataFrame(
            {
                "metadata_id": [hashed_key(f"metadata\x1f{load_id}\x1f{name}") for name in entries],
                "metadata_concept_id": [0] * len(entries),
                "metadata_type_concept_id": [book.local_id("LOCALTYPE", "load_record")] * len(entries),
                "name": list(entries),
                "value_as_string": [str(v) for v in entries.values()],
                "value_as_number": [float(v) if isinstance(v, int) else None for v in entries.values()],
            },
            schema_overrides={"value_as_number": pl.Float64},
        ),
    }
