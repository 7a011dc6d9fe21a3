"""Which visits were there, who led them and where (visit_occurrence, provider, care_site)?"""

from __future__ import annotations

import polars as pl

from .concepts import ConceptBook, surrogate_key


def map_visit_occurrence(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """Which visits were there?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``visit_occurrence``. A visit without an end is given its start as end, as the model demands an end.
    """
    visits = (
        tables["encounter"]
        .sort("person_id", "admit_time", "visit_id")
        .with_columns(
            pl.col("visit_id").shift(1).over("person_id").alias("_before"),
            pl.coalesce("discharge_time", "admit_time").alias("_end"),
            pl.lit("LOCALVISIT").alias("_visits"),
        )
    )
    department = pl.when(pl.col("department").is_not_null()).then(surrogate_key("care_site", pl.col("department")))
    return book.attach(visits, "visit", "visit_type", "_visits").select(
        pl.col("visit_id").alias("visit_occurrence_id"),
        "person_id",
        "visit_concept_id",
        pl.col("admit_time").dt.date().alias("visit_start_date"),
        pl.col("admit_time").alias("visit_start_datetime"),
        pl.col("_end").dt.date().alias("visit_end_date"),
        pl.col("_end").alias("visit_end_datetime"),
        pl.lit(book.local_id("LOCALTYPE", "ehr_visit")).alias("visit_type_concept_id"),
        "provider_id",
        department.alias("care_site_id"),
        pl.col("visit_type").alias("visit_source_value"),
        "visit_source_concept_id",
        pl.lit(0).alias("admitted_from_concept_id"),
        pl.col("admission_route").alias("admitted_from_source_value"),
        pl.lit(0).alias("discharged_to_concept_id"),
        pl.col("disposition").alias("discharged_to_source_value"),
        pl.col("_before").alias("preceding_visit_occurrence_id"),
    )


def map_care_site(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Which departments are named?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.

    Returns
    -------
    polars.DataFrame
        One row per department.
    """
    return (
        tables["encounter"]
        .select(pl.col("department").drop_nulls().unique())
        .select(
            surrogate_key("care_site", pl.col("department")).alias("care_site_id"),
            pl.col("department").alias("care_site_name"),
            pl.col("department").alias("care_site_source_value"),
        )
    )


def map_provider(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Which pseudonymous members of staff are referred to?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.

    Returns
    -------
    polars.DataFrame
        Keys only: nothing about staff is released.
    """
    named = [tables[t].select("provider_id") for t in ("encounter", "drug_order", "procedure", "note")]
    return pl.concat(named).drop_nulls().unique()
