"""What was diagnosed, ordered, done, measured and observed, as the hospital systems recorded it?"""

from __future__ import annotations

import polars as pl

from .concepts import ConceptBook, surrogate_key


def _code_or_name(code: str, name: str) -> pl.Expr:
    return pl.coalesce(code, name)


def map_condition_occurrence(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """What was diagnosed?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``condition_occurrence``; ``condition_status_source_value`` keeps main, other, admission or problem.
    """
    rows = tables["diagnosis"].with_columns(pl.lit("LOCALSTATUS").alias("_statuses"))
    rows = book.attach(book.attach(rows, "condition"), "condition_status", "kind", "_statuses")
    return rows.select(
        pl.col("diagnosis_id").alias("condition_occurrence_id"),
        "person_id",
        "condition_concept_id",
        pl.col("start_time").dt.date().alias("condition_start_date"),
        pl.col("start_time").alias("condition_start_datetime"),
        pl.col("end_time").dt.date().alias("condition_end_date"),
        pl.col("end_time").alias("condition_end_datetime"),
        pl.lit(book.local_id("LOCALTYPE", "ehr_diagnosis")).alias("condition_type_concept_id"),
        "condition_status_concept_id",
        pl.col("visit_id").alias("visit_occurrence_id"),
        _code_or_name("code", "name").alias("condition_source_value"),
        "condition_source_concept_id",
        pl.col("kind").alias("condition_status_source_value"),
    )


def map_drug_exposure(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """What was ordered?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``drug_exposure``; an order without a stop ends on its start day, and ``verbatim_end_date`` stays empty.
    """
    sig = pl.concat_str([pl.col("dose").cast(pl.String), "dose_unit", "frequency"], separator=" ", ignore_nulls=True)
    return book.attach(tables["drug_order"], "drug").select(
        pl.col("order_id").alias("drug_exposure_id"),
        "person_id",
        "drug_concept_id",
        pl.col("start_time").dt.date().alias("drug_exposure_start_date"),
        pl.col("start_time").alias("drug_exposure_start_datetime"),
        pl.coalesce("stop_time", "start_time").dt.date().alias("drug_exposure_end_date"),
        pl.col("stop_time").alias("drug_exposure_end_datetime"),
        pl.col("stop_time").dt.date().alias("verbatim_end_date"),
        pl.lit(book.local_id("LOCALTYPE", "ehr_order")).alias("drug_type_concept_id"),
        pl.col("dose").alias("quantity"),
        sig.alias("sig"),
        pl.lit(0).alias("route_concept_id"),
        "provider_id",
        pl.col("visit_id").alias("visit_occurrence_id"),
        _code_or_name("code", "name").alias("drug_source_value"),
        "drug_source_concept_id",
        pl.col("route").alias("route_source_value"),
        pl.col("dose_unit").alias("dose_unit_source_value"),
    )


def map_procedure_occurrence(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """What was done?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``procedure_occurrence``.
    """
    return book.attach(tables["procedure"], "procedure").select(
        pl.col("procedure_id").alias("procedure_occurrence_id"),
        "person_id",
        "procedure_concept_id",
        pl.col("start_time").dt.date().alias("procedure_date"),
        pl.col("start_time").alias("procedure_datetime"),
        pl.col("end_time").dt.date().alias("procedure_end_date"),
        pl.col("end_time").alias("procedure_end_datetime"),
        pl.lit(book.local_id("LOCALTYPE", "ehr_procedure")).alias("procedure_type_concept_id"),
        "provider_id",
        pl.col("visit_id").alias("visit_occurrence_id"),
        _code_or_name("code", "name").alias("procedure_source_value"),
        "procedure_source_concept_id",
    )


def map_measurement(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """What was measured?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``measurement``; a text result is in ``value_source_value``, units stay as the source wrote them.
    """
    return book.attach(tables["measurement"], "measurement", "item_code").select(
        "measurement_id",
        "person_id",
        "measurement_concept_id",
        pl.col("time").dt.date().alias("measurement_date"),
        pl.col("time").alias("measurement_datetime"),
        pl.lit(book.local_id("LOCALTYPE", "ehr_result")).alias("measurement_type_concept_id"),
        pl.col("value_number").alias("value_as_number"),
        pl.lit(0).alias("unit_concept_id"),
        pl.col("ref_low").alias("range_low"),
        pl.col("ref_high").alias("range_high"),
        pl.col("visit_id").alias("visit_occurrence_id"),
        _code_or_name("item_code", "item_name").alias("measurement_source_value"),
        "measurement_source_concept_id",
        pl.col("unit").alias("unit_source_value"),
        _code_or_name("value_text", "flag").alias("value_source_value"),
    )


_EMPTY_NUMBER = pl.lit(None, dtype=pl.Float64)
_EMPTY_TEXT = pl.lit(None, dtype=pl.String)


def _observation(
    rows: pl.DataFrame, key: pl.Expr, concept: int, kind: int, when: str, number: pl.Expr, text: pl.Expr, source: str
) -> pl.DataFrame:
    return rows.select(
        key.alias("observation_id"),
        "person_id",
        pl.lit(concept).alias("observation_concept_id"),
        pl.col(when).dt.date().alias("observation_date"),
        pl.col(when).alias("observation_datetime"),
        pl.lit(kind).alias("observation_type_concept_id"),
        number.alias("value_as_number"),
        text.alias("value_as_string"),
        pl.col("visit_id").alias("visit_occurrence_id"),
        pl.lit(source).alias("observation_source_value"),
        pl.lit(concept).alias("observation_source_concept_id"),
        text.alias("value_source_value"),
    )


def map_observation(tables: dict[str, pl.DataFrame], book: ConceptBook) -> pl.DataFrame:
    """What else was observed: allergies and the like, age and condition at each visit, vital status at follow-up?

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released filing tables.
    book : ConceptBook
        Concepts of the load.

    Returns
    -------
    polars.DataFrame
        Rows of ``observation``. Age (years, as released) is in ``value_as_number``, the rest in ``value_as_string``.
    """
    recorded = book.attach(tables["observation"], "observation").select(
        "observation_id",
        "person_id",
        "observation_concept_id",
        pl.col("time").dt.date().alias("observation_date"),
        pl.col("time").alias("observation_datetime"),
        pl.lit(book.local_id("LOCALTYPE", "ehr_observation")).alias("observation_type_concept_id"),
        _EMPTY_NUMBER.alias("value_as_number"),
        pl.coalesce("value_text", "name").alias("value_as_string"),
        pl.col("visit_id").alias("visit_occurrence_id"),
        _code_or_name("code", "name").alias("observation_source_value"),
        "observation_source_concept_id",
        pl.col("kind").alias("value_source_value"),
    )
    visits, visit_kind = tables["encounter"], book.local_id("LOCALTYPE", "ehr_visit")
    parts = [recorded]
    for column, code, is_number in (
        ("age_years", "age_at_visit_years", True),
        ("condition", "admission_condition", False),
        ("outcome", "discharge_outcome", False),
    ):
        number = pl.col(column).cast(pl.Float64) if is_number else _EMPTY_NUMBER
        text = _EMPTY_TEXT if is_number else pl.col(column)
        when = "_end" if column == "outcome" else "admit_time"
        rows = visits.filter(pl.col(column).is_not_null()).with_columns(
            pl.coalesce("discharge_time", "admit_time").alias("_end")
        )
        concept = book.local_id("LOCALOBS", code)
        parts.append(
            _observation(rows, surrogate_key(code, pl.col("visit_id")), concept, visit_kind, when, number, text, code)
        )
    contacts = tables["follow_up"].with_columns(pl.coalesce("status_time", "time").alias("_when"))
    parts.append(
        _observation(
            contacts,
            surrogate_key("follow_up", pl.col("follow_up_id")),
            book.local_id("LOCALOBS", "vital_status"),
            book.local_id("LOCALTYPE", "follow_up"),
            "_when",
            _EMPTY_NUMBER,
            pl.col("status"),
            "vital_status",
        )
    )
    return pl.concat(parts, how="vertical_relaxed")
