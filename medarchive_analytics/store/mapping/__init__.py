"""How do released filing tables become OMOP CDM 5.4? One file per group of tables; this one calls them in order."""

from __future__ import annotations

import datetime as dt

import polars as pl

from ...core.errors import ReleaseRefusedError, unknown_choice
from ...core.filing import filing_standard
from ..schema import conform, empty_omop_frame, omop_tables
from .concepts import CONCEPT_SCHEMA, FIRST_UNMAPPED_ID, ConceptBook, concept_book
from .events import (
    map_condition_occurrence,
    map_drug_exposure,
    map_measurement,
    map_observation,
    map_procedure_occurrence,
)
from .meta import map_meta_tables, map_vocabulary_tables
from .person import OBSERVATION_PERIOD_RULE, map_death, map_location, map_observation_period, map_person
from .text_facts import FACT_SCHEMA, events_from_text, map_note, map_note_nlp
from .visits import map_care_site, map_provider, map_visit_occurrence

__all__ = ["CONCEPT_SCHEMA", "FACT_SCHEMA", "FIRST_UNMAPPED_ID", "OBSERVATION_PERIOD_RULE", "build_cdm"]

_CODED = (
    ("diagnosis", "code", "code_system", "Condition"),
    ("drug_order", "code", "code_system", "Drug"),
    ("procedure", "code", "code_system", "Procedure"),
    ("measurement", "item_code", "code_system", "Measurement"),
    ("observation", "code", "code_system", "Observation"),
)


def build_cdm(
    tables: dict[str, pl.DataFrame],
    facts: pl.DataFrame | None = None,
    *,
    load_id: str,
    earlier_concepts: pl.DataFrame | None = None,
) -> dict[str, pl.DataFrame]:
    """What does a released extract look like in OMOP CDM 5.4?

    A pure function: the same rows in any order give the same frames. Persons without any released age cannot have the year
    of birth the model demands; they and rows about persons not in ``patient`` are left out and counted in ``metadata``.

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Filing tables by name under their released schema (``core.filing``). A table or column that the extract leaves out
        counts as empty; ``patient`` and ``encounter`` are needed.
    facts : polars.DataFrame, optional
        Facts read from the de-identified notes, columns of ``FACT_SCHEMA``.
    load_id : str
        Name of the load, kept for lineage.
    earlier_concepts : polars.DataFrame, optional
        Ids that earlier releases of the same store gave to unmapped codes (``curated.allocated_concepts``); kept.

    Returns
    -------
    dict of str to polars.DataFrame
        Every OMOP table, empty ones included, rows sorted by key.

    Raises
    ------
    ReleaseRefusedError
        If a table is unknown, ``patient`` or ``encounter`` is missing, or a required value is empty.
    """
    released, left_out = _released(tables)
    known = _frame(facts, FACT_SCHEMA).join(released["patient"].select("person_id"), on="person_id", how="semi")
    known = known.filter(pl.col("written_time").is_not_null(), pl.col("lexical_variant").is_not_null())
    book = _book(released, known, earlier_concepts)

    death = map_death(released, book)
    period = map_observation_period(released, death, book)
    frames: dict[str, pl.DataFrame] = {
        "person": map_person(released, book),
        "location": map_location(released),
        "death": death,
        "observation_period": period,
        "visit_occurrence": map_visit_occurrence(released, book),
        "care_site": map_care_site(released),
        "provider": map_provider(released),
        "condition_occurrence": map_condition_occurrence(released, book),
        "drug_exposure": map_drug_exposure(released, book),
        "procedure_occurrence": map_procedure_occurrence(released, book),
        "measurement": map_measurement(released, book),
        "observation": map_observation(released, book),
        "note": map_note(released, book),
        "note_nlp": map_note_nlp(known, book),
    }
    for name, rows in events_from_text(known, book).items():
        frames[name] = pl.concat([frames[name], rows], how="diagonal_relaxed")
    last = period["observation_period_end_date"].max()
    settings: dict[str, str | int] = {"observation_period_rule": OBSERVATION_PERIOD_RULE, **left_out}
    frames |= map_vocabulary_tables(book)
    frames |= map_meta_tables(book, load_id, last if isinstance(last, dt.date) else dt.date(1970, 1, 1), settings)
    return {name: conform(frames[name], name) if name in frames else empty_omop_frame(name) for name in omop_tables()}


def _frame(frame: pl.DataFrame | None, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Declared columns only, absent ones as null."""
    if frame is None:
        return pl.DataFrame(schema=schema)
    return frame.select(
        (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype=dtype)).alias(name)
        for name, dtype in schema.items()
    )


def _released(tables: dict[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], dict[str, int]]:
    """Every released table in declared shape, rows of known persons only, with the counts of what stayed out."""
    declared = filing_standard().released_tables
    for name in tables:
        if name not in declared:
            raise ReleaseRefusedError(unknown_choice("released table", name, declared))
    for name in ("patient", "encounter"):
        if name not in tables:
            raise ReleaseRefusedError(f"the extract has no table {name}; the store cannot be built without it")
    result = {name: _frame(tables.get(name), table.released_schema) for name, table in declared.items()}
    patients = result["patient"]
    if patients["person_id"].n_unique() != patients.height:
        raise ReleaseRefusedError("patient: person_id repeats; the extract must have one row per person")
    with_age = result["encounter"].filter(pl.col("age_years").is_not_null()).select("person_id").unique()
    result["patient"] = patients.join(with_age, on="person_id", how="semi")
    left_out = {"persons_without_age_left_out": patients.height - result["patient"].height}
    rows = 0
    for name, frame in result.items():
        if name != "patient":
            result[name] = frame.join(result["patient"].select("person_id"), on="person_id", how="semi")
            rows += frame.height - result[name].height
    left_out["rows_without_person_left_out"] = rows
    return result, left_out


def _book(tables: dict[str, pl.DataFrame], facts: pl.DataFrame, earlier: pl.DataFrame | None) -> ConceptBook:
    coded = [
        tables[table].select(
            pl.col(code).alias("code"), pl.col(system).alias("code_system"), pl.lit(domain).alias("domain")
        )
        for table, code, system, domain in _CODED
    ]
    classes = tables["note"].select(
        pl.col("record_class").alias("code"), pl.lit("RECORDCLASS").alias("code_system"), pl.lit("Note").alias("domain")
    )
    sections = facts.select(
        pl.col("section").alias("code"), pl.lit("SECTION").alias("code_system"), pl.lit("Metadata").alias("domain")
    )
    read = facts.select("code", "code_system", pl.col("domain").str.to_titlecase().fill_null("Observation"))
    return concept_book([*coded, classes, sections, read], earlier)
