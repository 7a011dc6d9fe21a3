"""What tables does the curated store hold, and what do they look like to each engine?

One declaration (``omop_tables.csv``: OMOP CDM 5.4, field names, types, keys and required marks as published by OHDSI) is
printed as Polars, Arrow, DuckDB and SQLAlchemy schemas. A column cannot differ between engines, because nobody writes it
twice. Every key and every concept id is a 64-bit integer on all engines.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import polars as pl
import pyarrow as pa
import sqlalchemy as sa

from ..core.errors import ReleaseRefusedError, UserError, unknown_choice

CDM_VERSION = "5.4"
"""Version of the OMOP common data model the declaration follows."""

_VARCHAR = re.compile(r"varchar\((\d+)\)")
_POLARS: dict[str, pl.DataType] = {
    "bigint": pl.Int64(),
    "integer": pl.Int32(),
    "float": pl.Float64(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
    "text": pl.String(),
}
_ARROW: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "float": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "text": pa.large_string(),
}
_DUCKDB = {
    "bigint": "BIGINT",
    "integer": "INTEGER",
    "float": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "text": "VARCHAR",
}


@dataclass(frozen=True)
class OmopColumn:
    """One declared column of an OMOP table.

    Parameters
    ----------
    name : str
        Column name as published.
    type : str
        ``bigint``, ``integer``, ``float``, ``date``, ``datetime``, ``text`` or ``varchar(n)``.
    is_required : bool
        Whether a null is refused.
    is_primary_key : bool
        Whether the column identifies the row.
    foreign_key : str
        ``table.column`` it points to, or empty.
    meaning : str
        What the column says in this store.
    """

    name: str
    type: str
    is_required: bool
    is_primary_key: bool
    foreign_key: str
    meaning: str

    @property
    def max_length(self) -> int | None:
        """Longest text allowed, in characters; None where there is no limit."""
        match = _VARCHAR.fullmatch(self.type)
        return int(match[1]) if match else None

    @property
    def base_type(self) -> str:
        """Type with lengths taken off: every ``varchar(n)`` is ``text``."""
        return "text" if self.max_length else self.type


@dataclass(frozen=True)
class OmopTable:
    """One declared OMOP table.

    Parameters
    ----------
    name : str
        Table name as published.
    group : str
        ``cdm``, ``vocab`` or ``results``.
    columns : dict of str to OmopColumn
        Columns in published order.
    """

    name: str
    group: str
    columns: dict[str, OmopColumn]

    @property
    def primary_key(self) -> list[str]:
        """Columns that identify a row; empty for link tables."""
        return [c.name for c in self.columns.values() if c.is_primary_key]

    @property
    def sort_key(self) -> list[str]:
        """Columns that give the rows a total order: the key, or all columns of a table without one."""
        return self.primary_key or list(self.columns)

    @property
    def polars_schema(self) -> dict[str, pl.DataType]:
        """Column types for Polars, in declared order."""
        return {c.name: _POLARS[c.base_type] for c in self.columns.values()}

    @property
    def arrow_schema(self) -> pa.Schema:
        """Column types for Arrow, with required columns marked not nullable."""
        return pa.schema([pa.field(c.name, _ARROW[c.base_type], not c.is_required) for c in self.columns.values()])


@cache
def omop_tables() -> Mapping[str, OmopTable]:
    """Which tables does OMOP CDM 5.4 have?

    Returns
    -------
    mapping of str to OmopTable
        All 39 tables (27 clinical and administrative, 10 vocabulary, 2 results) in published order.
    """
    text = resources.files(__package__).joinpath("omop_tables.csv").read_text(encoding="utf-8")
    columns: dict[str, dict[str, OmopColumn]] = {}
    groups: dict[str, str] = {}
    for row in csv.DictReader(text.splitlines()):
        column = OmopColumn(
            row["column"],
            row["type"],
            row["required"] == "yes",
            row["primary_key"] == "yes",
            row["foreign_key"],
            row["meaning"],
        )
        columns.setdefault(row["table"], {})[column.name] = column
        groups[row["table"]] = row["group"]
    return {name: OmopTable(name, groups[name], body) for name, body in columns.items()}


def omop_table(name: str) -> OmopTable:
    """What does one OMOP table look like?

    Parameters
    ----------
    name : str
        Table name, e.g. ``"person"``.

    Returns
    -------
    OmopTable
        Its declaration.

    Raises
    ------
    UserError
        If OMOP CDM 5.4 has no such table.
    """
    tables = omop_tables()
    if name not in tables:
        raise UserError(unknown_choice("OMOP table", name, tables))
    return tables[name]


def empty_omop_frame(table: str) -> pl.DataFrame:
    """What is a table without rows?

    Parameters
    ----------
    table : str
        OMOP table name.

    Returns
    -------
    polars.DataFrame
        Zero rows, declared columns and types.
    """
    return pl.DataFrame(schema=omop_table(table).polars_schema)


def duckdb_ddl(table: str) -> str:
    """Which statement creates a table in DuckDB?

    Parameters
    ----------
    table : str
        OMOP table name.

    Returns
    -------
    str
        One ``CREATE TABLE`` statement, without foreign keys (they are checked as data quality, not at load).
    """
    declared = omop_table(table)
    lines = [
        f'  "{c.name}" {_DUCKDB[c.base_type]}{" NOT NULL" if c.is_required else ""}' for c in declared.columns.values()
    ]
    if declared.primary_key:
        lines.append("  PRIMARY KEY ({})".format(", ".join(f'"{name}"' for name in declared.primary_key)))
    return f'CREATE TABLE "{table}" (\n' + ",\n".join(lines) + "\n)"


def _sqlalchemy_type(column: OmopColumn) -> sa.types.TypeEngine:
    if column.max_length:
        return sa.String(column.max_length)
    types: dict[str, sa.types.TypeEngine] = {
        "bigint": sa.BigInteger(),
        "integer": sa.Integer(),
        "float": sa.Double(),
        "date": sa.Date(),
        "datetime": sa.DateTime(),
        "text": sa.Text(),
    }
    return types[column.type]


def sqlalchemy_metadata() -> sa.MetaData:
    """How does SQLAlchemy (PostgreSQL, SQLite) see the store?

    Returns
    -------
    sqlalchemy.MetaData
        All tables with keys, foreign keys and comments. Foreign keys are declared but deferred to the data checks:
        ``concept_id`` 0 is a legal value without a row behind it.
    """
    metadata = sa.MetaData()
    for table in omop_tables().values():
        columns = [
            sa.Column(
                c.name,
                _sqlalchemy_type(c),
                primary_key=c.is_primary_key,
                nullable=not c.is_required and not c.is_primary_key,
                autoincrement=False,
                comment=c.meaning,
                info={"foreign_key": c.foreign_key},
            )
            for c in table.columns.values()
        ]
        sa.Table(table.name, metadata, *columns)
    return metadata


def conform(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """Does a frame fit the declaration of its OMOP table?

    Columns that are absent become null, types are cast strictly, text (codes and ids apart) is cut at the declared length, as
    PostgreSQL would refuse more, rows are sorted by the key. Nothing is invented for a required column.

    Parameters
    ----------
    frame : polars.DataFrame
        Some or all columns of the table, in any order.
    table : str
        OMOP table name.

    Returns
    -------
    polars.DataFrame
        Declared columns in declared order, sorted by ``OmopTable.sort_key``.

    Raises
    ------
    ReleaseRefusedError
        If a column is unknown, a required value is missing, or the key repeats.
    """
    declared = omop_table(table)
    for name in frame.columns:
        if name not in declared.columns:
            raise ReleaseRefusedError(unknown_choice(f"column of {table}", name, declared.columns))
    expressions = []
    for column in declared.columns.values():
        dtype = _POLARS[column.base_type]
        expression = pl.col(column.name).cast(dtype) if column.name in frame.columns else pl.lit(None, dtype=dtype)
        if column.max_length and not column.name.endswith(("_id", "_code")):
            expression = expression.str.slice(0, column.max_length)
        expressions.append(expression.alias(column.name))
    result = frame.select(expressions).sort(declared.sort_key, nulls_last=True)
    for column in declared.columns.values():
        missing = result[column.name].null_count() if column.is_required else 0
        if missing:
            raise ReleaseRefusedError(
                f"{table}.{column.name} is required but empty in {missing} of {result.height} rows"
            )
    key = declared.primary_key
    if key and result.select(key).n_unique() != result.height:
        raise ReleaseRefusedError(f"{table}: the key {', '.join(key)} repeats; each row needs its own")
    return result
