"""What do the notes say: documents, facts read from them, and facts that are also events (note, note_nlp)?"""

from __future__ import annotations

import polars as pl

from .concepts import ConceptBook, surrogate_key

FACT_SCHEMA: dict[str, pl.DataType] = {
    "note_id": pl.Int64(),
    "person_id": pl.Int64(),
    "visit_id": pl.Int64(),
    "fact_id": pl.String(),
    "start": pl.Int64(),
    "end": pl.Int64(),
    "lexical_variant": pl.String(),
    "code": pl.String(),
    "code_system": pl.String(),
    "domain": pl.String(),
    "section": pl.String(),
    "label": pl.String(),
    "is_negated": pl.Boolean(),
    "is_uncertain": pl.Boolean(),
    "is_historical": pl.Boolean(),
    "is_family": pl.Boolean(),
    "is_hypothetical": pl.Boolean(),
    "value_number": pl.Float64(),
    "value_text": pl.String(),
    "unit": pl.String(),
    "nlp_system": pl.String(),
    "written_time": pl.Datetime("us"),
}
"""Columns of a frame of facts read from de-identified notes."""

_FLAGS = ("is_negated", "is_uncertain", "is_historical", "is_family", "is_hypothetical")


def map_note(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """Which documents are there?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``note``; ``note_source_value`` is the filing class.
    """
    notes = tables["note"].with_columns(
        pl.lit("RECORDCLASS").alias("_classes"), pl.lit("LOCALLANGUAGE").alias("_languages")
    )
    notes = book.attach(book.attach(notes, "class", "record_class", "_classes"), "language", "language", "_languages")
    return notes.select(
        "note_id",
        "person_id",
        pl.col("written_time").dt.date().alias("note_date"),
        pl.col("written_time").alias("note_datetime"),
        pl.lit(book.local_id("LOCALTYPE", "ehr_note")).alias("note_type_concept_id"),
        pl.col("class_source_concept_id").alias("note_class_concept_id"),
        pl.col("title").alias("note_title"),
        pl.col("text").alias("note_text"),
        pl.lit(book.local_id("LOCALENCODING", "utf8")).alias("encoding_concept_id"),
        "language_concept_id",
        "provider_id",
        pl.col("visit_id").alias("visit_occurrence_id"),
        pl.col("record_class").alias("note_source_value"),
    )


def _is_affirmed() -> pl.Expr:
    flagged = pl.any_horizontal([pl.col(f).fill_null(False) for f in _FLAGS])
    return (pl.col("label") == "affirmed") & ~flagged


def map_note_nlp(facts: pl.DataFrame, book: ConceptBook) -> pl.DataFrame:
    """Which facts were read from the documents?

    Parameters
    ----------
    facts : polars.DataFrame
        Columns of ``FACT_SCHEMA``.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``note_nlp``. ``term_exists`` is Y only for what is affirmed of this patient now; the flags, the section, the
        value and the end offset are in ``term_modifiers``, so that each fact points back to its words.
    """
    rows = facts.with_columns(pl.lit("SECTION").alias("_sections"))
    rows = book.attach(book.attach(rows, "fact"), "section", "section", "_sections")
    pairs = [
        pl.format("{}={}", pl.lit(f.removeprefix("is_")), pl.col(f).fill_null(False).cast(pl.Int8)) for f in _FLAGS
    ]
    pairs += [
        pl.when(pl.col(c).is_not_null()).then(pl.format("{}={}", pl.lit(c), pl.col(c)))
        for c in ("label", "section", "end", "value_number", "unit", "value_text")
    ]
    return rows.select(
        _fact_key("note_nlp").alias("note_nlp_id"),
        "note_id",
        pl.col("section_source_concept_id").alias("section_concept_id"),
        pl.col("lexical_variant").alias("snippet"),
        pl.col("start").cast(pl.String).alias("offset"),
        "lexical_variant",
        pl.col("fact_concept_id").alias("note_nlp_concept_id"),
        pl.col("fact_source_concept_id").alias("note_nlp_source_concept_id"),
        "nlp_system",
        pl.col("written_time").dt.date().alias("nlp_date"),
        pl.col("written_time").alias("nlp_datetime"),
        pl.when(_is_affirmed()).then(pl.lit("Y")).otherwise(pl.lit("N")).alias("term_exists"),
        pl.when(pl.col("is_historical").fill_null(False))
        .then(pl.lit("past"))
        .otherwise(pl.lit("present"))
        .alias("term_temporal"),
        pl.concat_str(pairs, separator=";", ignore_nulls=True).alias("term_modifiers"),
    )


def _fact_key(label: str) -> pl.Expr:
    parts = [pl.col(c) for c in ("note_id", "fact_id", "start", "end", "code_system", "code")]
    return surrogate_key(label, *parts)


def _event(facts: pl.DataFrame, book: ConceptBook, domain: str, names: dict[str, str]) -> pl.DataFrame:
    """Rows that every event table shares, under that table's column names."""
    rows = book.attach(facts.filter(pl.col("domain") == domain), "event")
    return rows.with_columns(
        _fact_key(f"text_{domain}").alias(names["key"]),
        pl.col("event_concept_id").alias(names["concept"]),
        pl.col("event_source_concept_id").alias(names["source_concept"]),
        pl.coalesce("code", "lexical_variant").alias(names["source"]),
        pl.col("written_time").dt.date().alias(names["date"]),
        pl.col("written_time").alias(names["datetime"]),
        pl.lit(book.local_id("LOCALTYPE", "note_text")).alias(names["type"]),
        pl.col("visit_id").alias("visit_occurrence_id"),
    )


def events_from_text(facts: pl.DataFrame, book: ConceptBook) -> dict[str, pl.DataFrame]:
    """Which facts are also rows of the event tables, marked by their type concept as read from text?

    Conditions, drugs and procedures when affirmed of the patient now; numbers as measurements; observations (smoking) when
    affirmed (value 1) or negated (value 0). Anything uncertain, past, hypothetical or about a relative stays in ``note_nlp``.

    Parameters
    ----------
    facts : polars.DataFrame
        Columns of ``FACT_SCHEMA``.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    dict of str to polars.DataFrame
        Rows to add to condition_occurrence, drug_exposure, procedure_occurrence, measurement and observation.
    """
    affirmed = facts.filter(_is_affirmed())
    result = {}
    for domain, table, key, date in (
        ("condition", "condition_occurrence", "condition_occurrence_id", "condition_start_date"),
        ("drug", "drug_exposure", "drug_exposure_id", "drug_exposure_start_date"),
        ("procedure", "procedure_occurrence", "procedure_occurrence_id", "procedure_date"),
        ("measurement", "measurement", "measurement_id", "measurement_date"),
        ("observation", "observation", "observation_id", "observation_date"),
    ):
        names = {
            "key": key,
            "concept": f"{domain}_concept_id",
            "source_concept": f"{domain}_source_concept_id",
            "source": f"{domain}_source_value",
            "date": date,
            "datetime": date + "time",
            "type": f"{domain}_type_concept_id",
        }
        keep = [*names.values(), "person_id", "visit_occurrence_id"]
        chosen = affirmed
        if domain == "measurement":
            chosen = affirmed.filter(pl.col("value_number").is_not_null())
        if domain == "observation":
            others = [pl.col(f).fill_null(False) for f in _FLAGS if f != "is_negated"]
            chosen = facts.filter(pl.col("label").is_in(["affirmed", "negated"]), ~pl.any_horizontal(others))
        rows = _event(chosen, book, domain, names)
        if domain == "drug":
            rows = rows.with_columns(pl.col(names["date"]).alias("drug_exposure_end_date"))
            keep.append("drug_exposure_end_date")
        if domain == "measurement":
            rows = rows.with_columns(
                pl.col("value_number").alias("value_as_number"), pl.col("unit").alias("unit_source_value")
            )
            keep += ["value_as_number", "unit_source_value"]
        if domain == "observation":
            rows = rows.with_columns(
                (pl.col("label") == "affirmed").cast(pl.Float64).alias("value_as_number"),
                pl.coalesce("value_text", "label").alias("value_as_string"),
            )
            keep += ["value_as_number", "value_as_string"]
        result[table] = rows.select(keep)
    return result
