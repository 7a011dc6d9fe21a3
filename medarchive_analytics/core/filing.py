"""The filing standard: one declaration of every table a source may deliver.

Intake validates against it, de-identification reads what to do with each column from it, the extract and the store read the
released names from it, and the reference page is printed from it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import polars as pl

from .errors import UserError, unknown_choice


class Privacy(StrEnum):
    """What de-identification does with a column; see the head of ``filing_standard.toml``."""

    PERSON_KEY = "person_key"
    VISIT_KEY = "visit_key"
    RECORD_KEY = "record_key"
    STAFF = "staff"
    DIRECT = "direct"
    BIRTH = "birth"
    AGE = "age"
    DATE = "date"
    REGION = "region"
    TEXT = "text"
    KEEP = "keep"


_DTYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
    "boolean": pl.Boolean(),
}
_KEYED = {Privacy.PERSON_KEY, Privacy.VISIT_KEY, Privacy.RECORD_KEY, Privacy.STAFF}
_NEVER_RELEASED = {Privacy.DIRECT, Privacy.BIRTH}


@dataclass(frozen=True)
class Column:
    """One column of a filing table."""

    name: str
    type: str
    privacy: Privacy
    en: str
    zh: str
    required: bool = False
    values: tuple[str, ...] = ()
    released_as: str = ""

    @property
    def dtype(self) -> pl.DataType:
        """Polars type of the column on the identified side."""
        return _DTYPES[self.type]

    @property
    def is_released(self) -> bool:
        """Whether the column may appear in an extract at all."""
        return self.privacy not in _NEVER_RELEASED

    @property
    def released_name(self) -> str:
        """Name in an extract, e.g. ``mrn`` is released as ``person_id``."""
        return self.released_as or self.name

    @property
    def released_dtype(self) -> pl.DataType:
        """Polars type in an extract: pseudonyms are 64-bit integers."""
        return pl.Int64() if self.privacy in _KEYED else self.dtype


@dataclass(frozen=True)
class Table:
    """One filing table: its key, its columns, and whether it may ever be released."""

    name: str
    meaning: str
    meaning_zh: str
    key: str
    columns: dict[str, Column]
    is_released: bool = True

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Column types on the identified side, in declared order."""
        return {c.name: c.dtype for c in self.columns.values()}

    @property
    def released_schema(self) -> dict[str, pl.DataType]:
        """Column types of the table in an extract, in declared order; empty when it is never released."""
        if not self.is_released:
            return {}
        return {c.released_name: c.released_dtype for c in self.columns.values() if c.is_released}


@dataclass(frozen=True)
class FilingStandard:
    """All filing tables of one version."""

    version: int
    tables: dict[str, Table]

    def table(self, name: str) -> Table:
        """Return one table by name.

        Parameters
        ----------
        name : str
            Table name, e.g. ``"encounter"``.

        Returns
        -------
        Table
            Its declaration.

        Raises
        ------
        UserError
            If the standard has no such table.
        """
        if name not in self.tables:
            raise UserError(unknown_choice("filing table", name, self.tables))
        return self.tables[name]

    @property
    def released_tables(self) -> dict[str, Table]:
        """The tables that may be part of an extract."""
        return {n: t for n, t in self.tables.items() if t.is_released}


@cache
def filing_standard() -> FilingStandard:
    """Return the filing standard this version of the project speaks.

    Returns
    -------
    FilingStandard
        Parsed from ``core/filing_standard.toml``.
    """
    raw = tomllib.loads((Path(__file__).with_name("filing_standard.toml")).read_text(encoding="utf-8"))
    version = raw.pop("version")
    tables = {}
    for name, body in raw.items():
        columns = {
            column: Column(
                name=column,
                type=spec["type"],
                privacy=Privacy(spec["privacy"]),
                en=spec["en"],
                zh=spec["zh"],
                required=spec.get("required", False),
                values=tuple(spec.get("values", ())),
                released_as=spec.get("released_as", ""),
            )
            for column, spec in body["columns"].items()
        }
        tables[name] = Table(
            name, body["meaning"], body["meaning_zh"], body["key"], columns, body.get("released", True)
        )
    return FilingStandard(version, tables)


def empty_frame(table: str) -> pl.DataFrame:
    """Return an identified frame of a filing table with no rows.

    Parameters
    ----------
    table : str
        Name of a filing table.

    Returns
    -------
    polars.DataFrame
        Zero rows, declared columns and types.
    """
    return pl.DataFrame(schema=filing_standard().table(table).schema)
