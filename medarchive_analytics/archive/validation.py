"""Does a received row fit the filing standard? Vectorised rules; the first one that fails names the reason.

Reasons: ``missing_value``, ``wrong_type``, ``value_not_in_list``, ``implausible_date``, ``end_before_start``, ``duplicate_row``,
``conflicting_key``, ``unknown_patient``, ``unknown_encounter``.
"""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from ..core.filing import Column, Privacy, Table

_ORDERED = (
    ("admit_time", "discharge_time"),
    ("start_time", "stop_time"),
    ("start_time", "end_time"),
    ("time", "end_time"),
)
_EARLIEST, _LATEST = date(1850, 1, 1), date(2150, 1, 1)


def typed(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Cast text columns to the declared types; what does not cast becomes null.

    Parameters
    ----------
    frame : polars.DataFrame
        Declared columns as text; others are dropped.
    table : Table
        Its declaration.

    Returns
    -------
    polars.DataFrame
        Declared columns and types. White space around values is cut, an empty or ``-`` value is null.
    """
    return frame.select(_cast(column).alias(column.name) for column in table.columns.values())


def _clean(name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    return pl.when(text.is_in(["", "-"])).then(None).otherwise(text)


def _cast(column: Column) -> pl.Expr:
    text = _clean(column.name)
    match column.type:
        case "text":
            # The text of a note keeps its own white space: spans point into it.
            return text if column.name != "text" else pl.when(text.is_null()).then(None).otherwise(pl.col("text"))
        case "integer":
            return text.cast(pl.Int64, strict=False)
        case "number":
            number = text.cast(pl.Float64, strict=False)
            return pl.when(number.is_finite()).then(number).otherwise(None)
        case "date":
            return text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
        case "datetime":
            padded = text.str.replace("T", " ", literal=True).str.slice(0, 19)
            padded = pl.when(padded.str.len_chars() == 10).then(padded + " 00:00:00").otherwise(padded)
            padded = pl.when(padded.str.len_chars() == 16).then(padded + ":00").otherwise(padded)
            return padded.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
        case "boolean":
            return text.str.to_lowercase().replace_strict(
                {"true": True, "1": True, "false": False, "0": False}, default=None, return_dtype=pl.Boolean
            )
        case _:
            raise ValueError(f"the filing standard declares an unknown type for column {column.name}")


def judge(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Judge every row by itself.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows as text, as a source adapter delivers them.
    table : Table
        Their filing table.

    Returns
    -------
    polars.DataFrame
        ``_reason`` and ``_column``, null for rows that fit; same length and order.
    """
    cast = typed(frame, table).rename(lambda c: f"t_{c}")
    both = pl.concat([frame, cast], how="horizontal")
    rules: list[tuple[pl.Expr, str, str]] = []
    for column in table.columns.values():
        cleaned, value = _clean(column.name), pl.col(f"t_{column.name}")
        if column.required:
            rules.append((cleaned.is_null(), "missing_value", column.name))
        if column.type != "text":
            rules.append((cleaned.is_not_null() & value.is_null(), "wrong_type", column.name))
        if column.values:
            rules.append((value.is_not_null() & ~value.is_in(list(column.values)), "value_not_in_list", column.name))
        if column.type == "date":
            rules.append((~value.is_between(_EARLIEST, _LATEST), "implausible_date", column.name))
        if column.type == "datetime":
            low, high = datetime(1850, 1, 1), datetime(2150, 1, 1)
            rules.append((~value.is_between(low, high), "implausible_date", column.name))
        if column.privacy is Privacy.AGE:
            rules.append((~value.is_between(0, 130), "implausible_value", column.name))
    for start, end in _ORDERED:
        if start in table.columns and end in table.columns:
            rules.append((pl.col(f"t_{end}") < pl.col(f"t_{start}"), "end_before_start", end))
    reason, where = pl.lit(None, pl.String), pl.lit(None, pl.String)
    for condition, name, column_name in reversed(rules):
        failed = condition.fill_null(False)
        reason = pl.when(failed).then(pl.lit(name)).otherwise(reason)
        where = pl.when(failed).then(pl.lit(column_name)).otherwise(where)
    return both.select(reason.alias("_reason"), where.alias("_column"))


def judge_keys(frame: pl.DataFrame, table: Table) -> pl.Series:
    """Judge whether the key of a row was used before in the same delivery.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows that fit by themselves.
    table : Table
        Their filing table.

    Returns
    -------
    polars.Series
        Null for the first row with a key, ``duplicate_row`` for an equal one, ``conflicting_key`` for a different one.
    """
    content = pl.struct(list(table.columns)).hash(seed=0)
    is_later = ~pl.col(table.key).is_first_distinct()
    same = content == content.first().over(table.key)
    return frame.select(
        pl.when(is_later & same)
        .then(pl.lit("duplicate_row"))
        .when(is_later)
        .then(pl.lit("conflicting_key"))
        .otherwise(None)
        .alias("_reason")
    ).to_series()
