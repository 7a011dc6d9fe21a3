"""Who is in the store, from when to when, and who died (person, location, death, observation_period)?"""

from __future__ import annotations

import polars as pl

from .concepts import ConceptBook, surrogate_key

OBSERVATION_PERIOD_RULE = "first_to_last_contact.v1"
"""Named, versioned setting: one period per person, from the first to the last recorded contact or vital status."""


def map_person(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """Which persons may enter: those whose year of birth follows from a released age.

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``person``. Year of birth is the year of the first visit with an age, minus that age (so it inherits the
        banding of ages and may be off by the width of a band).
    """
    first = (
        tables["encounter"]
        .filter(pl.col("age_years").is_not_null())
        .sort("admit_time", "visit_id")
        .group_by("person_id", maintain_order=True)
        .first()
        .select(
            "person_id", (pl.col("admit_time").dt.year() - pl.col("age_years")).cast(pl.Int32).alias("year_of_birth")
        )
    )
    person = tables["patient"].join(first, on="person_id", how="inner")
    return book.attach(person.with_columns(pl.lit("LOCALSEX").alias("_sexes")), "gender", "sex", "_sexes").select(
        "person_id",
        "gender_concept_id",
        "year_of_birth",
        pl.lit(0).alias("race_concept_id"),
        pl.lit(0).alias("ethnicity_concept_id"),
        pl.when(pl.col("province").is_not_null())
        .then(surrogate_key("location", pl.col("province")))
        .alias("location_id"),
        pl.col("sex").alias("gender_source_value"),
        "gender_source_concept_id",
    )


def map_location(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Where do persons live, as coarsely as the risk policy left it?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.

    Returns
    -------
    polars.DataFrame
        One row per released province.
    """
    provinces = tables["patient"].select(pl.col("province").drop_nulls().unique())
    return provinces.select(
        surrogate_key("location", pl.col("province")).alias("location_id"),
        pl.col("province").alias("location_source_value"),
    )


def map_death(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """Who died, when, and how do we know?

    Registration comes first, then follow-up, then the way of leaving a visit.

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        At most one row per person.
    """
    source = [
        tables["patient"].select(
            "person_id", pl.col("death_time").alias("time"), pl.lit("death_registration").alias("kind")
        ),
        tables["follow_up"]
        .filter(pl.col("status") == "dead")
        .select("person_id", pl.coalesce("status_time", "time").alias("time"), pl.lit("death_follow_up").alias("kind")),
        tables["encounter"]
        .filter((pl.col("disposition") == "death") | (pl.col("outcome") == "died"))
        .select("person_id", pl.col("discharge_time").alias("time"), pl.lit("death_disposition").alias("kind")),
    ]
    ranked = [f.with_columns(pl.lit(rank).alias("rank")) for rank, f in enumerate(source)]
    kinds = {k: book.local_id("LOCALTYPE", k) for k in ("death_registration", "death_follow_up", "death_disposition")}
    return (
        pl.concat(ranked)
        .filter(pl.col("time").is_not_null())
        .sort("person_id", "rank", "time")
        .group_by("person_id", maintain_order=True)
        .first()
        .select(
            "person_id",
            pl.col("time").dt.date().alias("death_date"),
            pl.col("time").alias("death_datetime"),
            pl.col("kind").replace_strict(kinds, return_dtype=pl.Int64).alias("death_type_concept_id"),
        )
    )


def map_observation_period(tables: dict[str, pl.DataFrame], death: pl.DataFrame, book: ConceptBook) -> pl.DataFrame:
    """Between which days would the hospital have known of an event?

    The rule is ``OBSERVATION_PERIOD_RULE``: a hospital has no enrolment, so the period runs from the first to the last
    contact: any visit, diagnosis, order, procedure, result, observation or note, and the last known vital status. A contact
    attempt that found nobody (``lost`` without a status time) is no contact.

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    death : polars.DataFrame
        Rows of ``death``; nobody is observed after it.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        One row per person with any contact.
    """
    spans = [
        ("encounter", "admit_time"),
        ("encounter", "discharge_time"),
        ("diagnosis", "start_time"),
        ("drug_order", "start_time"),
        ("procedure", "start_time"),
        ("measurement", "time"),
        ("observation", "time"),
        ("note", "written_time"),
    ]
    contacts = [tables[t].select("person_id", pl.col(c).dt.date().alias("day")) for t, c in spans]
    reached = (
        pl.when(pl.col("status") == "lost").then(pl.col("status_time")).otherwise(pl.coalesce("status_time", "time"))
    )
    contacts.append(tables["follow_up"].select("person_id", reached.dt.date().alias("day")))
    contacts.append(death.select("person_id", pl.col("death_date").alias("day")))
    return (
        pl.concat(contacts)
        .drop_nulls()
        .group_by("person_id")
        .agg(pl.col("day").min().alias("start"), pl.col("day").max().alias("end"))
        .join(death.select("person_id", "death_date"), on="person_id", how="left")
        .with_columns(pl.min_horizontal("end", "death_date").alias("end"))
        .select(
            surrogate_key("observation_period", pl.col("person_id")).alias("observation_period_id"),
            "person_id",
            pl.min_horizontal("start", "end").alias("observation_period_start_date"),
            pl.col("end").alias("observation_period_end_date"),
            pl.lit(book.local_id("LOCALTYPE", "observation_period_rule")).alias("period_type_concept_id"),
        )
    )
