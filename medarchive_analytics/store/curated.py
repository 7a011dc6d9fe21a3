"""How is the curated store written, opened and asked?

Layout: ``store/<release id>/omop/<table>.parquet`` and ``store/<release id>/store.json``. A release folder appears whole or
not at all. Readers see the union of all loaded releases through read-only SQL (DuckDB), Polars or pandas.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import sqlglot
from sqlglot import exp

from ..core.errors import HomeError, IntegrityError, UserError, unknown_choice
from .releases import (
    STORE_FORMAT,
    allocated_concepts,
    content_hash,
    loaded_releases,
    read_manifest,
    remove_release,
    write_cdm,
)
from .schema import CDM_VERSION, duckdb_ddl, empty_omop_frame, omop_table, omop_tables

__all__ = [
    "STORE_FORMAT",
    "CuratedStore",
    "allocated_concepts",
    "check_query",
    "content_hash",
    "loaded_releases",
    "open_store",
    "read_manifest",
    "remove_release",
    "write_cdm",
]

_WRITES = (
    exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Alter, exp.Command, exp.Copy, exp.Attach, exp.Detach,
    exp.Into, exp.Pragma, exp.Set, exp.Merge, exp.Use, exp.TruncateTable, exp.Transaction, exp.Commit, exp.Rollback,
)  # fmt: skip
_TABLE_FUNCTIONS = {"unnest", "generate_series", "range", "generateseries", "explodinggenerateseries"}


def check_query(query: str, known: Sequence[str]) -> None:
    """Does a statement only read tables of the store?

    Parameters
    ----------
    query : str
        One SQL statement in DuckDB's dialect.
    known : sequence of str
        Tables that may be read.

    Raises
    ------
    UserError
        If the text is no SQL, holds several statements, is anything but SELECT, WITH or EXPLAIN, or names an unknown table
        or table function.
    """
    body = re.sub(r"(?is)^\s*explain\s+(analyze\s+)?", "", query)
    try:
        statements = [s for s in sqlglot.parse(body, read="duckdb") if s is not None]
    except sqlglot.errors.SqlglotError as error:
        raise UserError(
            f"the statement is not understood as SQL in DuckDB's dialect: {str(error).splitlines()[0]}"
        ) from error
    if len(statements) != 1:
        raise UserError(f"given {len(statements)} statements; one is accepted: run them one after the other")
    tree = statements[0]
    if not isinstance(tree, exp.Query) or tree.find(*_WRITES) is not None:
        raise UserError("the curated store is read-only: SELECT, WITH and EXPLAIN are accepted")
    ctes = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            function = (table.this.name or table.this.key).lower()
            if function not in _TABLE_FUNCTIONS and table.this.key not in _TABLE_FUNCTIONS:
                raise UserError(unknown_choice("table function", function, {"unnest", "generate_series", "range"}))
        elif table.db.lower() == "information_schema":
            continue
        elif table.name.lower() not in ctes and table.name.lower() not in known:
            raise UserError(unknown_choice("table", table.name, known))


class CuratedStore:
    """The curated, de-identified OMOP store, read-only.

    Opened with ``open_store``. SQL runs in an in-memory DuckDB that may read the store's own Parquet files and nothing else.

    Parameters
    ----------
    path : pathlib.Path
        Folder of the store.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise HomeError(
                "the curated store does not exist yet; load a published release with 'medarchive store load'"
            )
        manifests = [read_manifest(self.path / name) for name in loaded_releases(self.path)]
        self._manifests = sorted(
            manifests, key=lambda m: (str(m["release"].get("published_time", "")), m["release_id"])
        )
        self._connection = duckdb.connect(":memory:")
        for name in omop_tables():
            self._connection.execute(self._view(name))
        self._check_concepts()
        self._lock()

    def _paths(self, table: str) -> list[str]:
        return [str((self.path / m["release_id"] / "omop" / f"{table}.parquet").resolve()) for m in self._manifests]

    def _view(self, table: str) -> str:
        paths = self._paths(table)
        if not paths:
            return duckdb_ddl(table)
        quoted = ["'" + p.replace("'", "''") + "'" for p in paths]
        if len(paths) == 1:
            return f'CREATE VIEW "{table}" AS SELECT * FROM read_parquet({quoted[0]})'
        key = omop_table(table).primary_key
        if not key:
            return f'CREATE VIEW "{table}" AS SELECT DISTINCT * FROM read_parquet([{", ".join(quoted)}])'
        parts = " UNION ALL ".join(f"SELECT *, {i} AS _r FROM read_parquet({q})" for i, q in enumerate(quoted))
        by = ", ".join(f'"{k}"' for k in key)
        # A row that several releases carry is shown once, as the latest of them has it.
        newest = f"QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY _r DESC) = 1"
        return f'CREATE VIEW "{table}" AS SELECT * EXCLUDE (_r) FROM (SELECT * FROM ({parts}) {newest})'

    def _check_concepts(self) -> None:
        if len(self._manifests) < 2:
            return
        files = ", ".join("'" + p.replace("'", "''") + "'" for p in self._paths("concept"))
        clash = self._connection.execute(
            f"SELECT count(*) FROM (SELECT concept_id FROM read_parquet([{files}]) GROUP BY concept_id "
            "HAVING count(DISTINCT (vocabulary_id, concept_code)) > 1)"
        ).fetchone()
        if clash and clash[0]:
            raise IntegrityError(
                f"{clash[0]} concept ids mean different codes in different releases; load them again with one allocation"
            )

    def _lock(self) -> None:
        allowed = [p for name in omop_tables() for p in self._paths(name)]
        self._connection.execute("SET allowed_paths = " + str(allowed).replace('"', "'") if allowed else "SELECT 1")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def sql(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None, as_: str = "polars"
    ) -> pl.DataFrame | pd.DataFrame | pa.Table:
        """Ask one question of the store in SQL.

        Parameters
        ----------
        query : str
            One SELECT, WITH or EXPLAIN statement in DuckDB's dialect.
        params : sequence or mapping, optional
            Values for ``?`` or ``$name`` placeholders.
        as_ : str
            ``"polars"``, ``"pandas"`` or ``"arrow"``.

        Returns
        -------
        polars.DataFrame or pandas.DataFrame or pyarrow.Table
            The answer. Without ORDER BY the order of rows carries no meaning.

        Raises
        ------
        UserError
            If the statement would write or read anything but the store's tables, or DuckDB cannot run it.
        """
        if as_ not in ("polars", "pandas", "arrow"):
            raise UserError(unknown_choice("kind of frame", as_, ("polars", "pandas", "arrow")))
        check_query(query, self.tables)
        try:
            answer = self._connection.cursor().sql(query, params=params)
            if as_ == "pandas":
                return answer.df()
            table = answer.to_arrow_table()
            return table if as_ == "arrow" else pl.DataFrame(table)
        except duckdb.ConversionException:
            raise UserError("DuckDB cannot run the statement: a value does not fit the type asked for") from None
        except duckdb.Error as error:
            raise UserError(f"DuckDB cannot run the statement: {str(error).splitlines()[0]}") from None

    def frame(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Ask one question in SQL and get a Polars frame.

        Parameters
        ----------
        query : str
            One read-only statement.
        params : sequence or mapping, optional
            Values for placeholders.

        Returns
        -------
        polars.DataFrame
            The answer.
        """
        answer = self.sql(query, params)
        if not isinstance(answer, pl.DataFrame):  # pragma: no cover - as_ is "polars"
            raise TypeError("expected a polars frame")
        return answer

    def table(self, name: str) -> pl.LazyFrame:
        """Read one table lazily with Polars.

        Parameters
        ----------
        name : str
            OMOP table name.

        Returns
        -------
        polars.LazyFrame
            Rows of all loaded releases; a row that several carry appears once.

        Raises
        ------
        UserError
            If there is no such table.
        """
        declared = omop_table(name)
        paths = self._paths(name)
        if not paths:
            return empty_omop_frame(name).lazy()
        frames = [pl.scan_parquet(p) for p in paths]
        if len(frames) == 1:
            return frames[0]
        return pl.concat(frames).unique(declared.primary_key or None, keep="last", maintain_order=True)

    def pandas(self, name: str) -> pd.DataFrame:
        """Read one table with pandas.

        Parameters
        ----------
        name : str
            OMOP table name.

        Returns
        -------
        pandas.DataFrame
            Arrow-backed, so that 64-bit keys with gaps stay integers.
        """
        return self.table(name).collect().to_pandas(use_pyarrow_extension_array=True)

    @property
    def tables(self) -> list[str]:
        """Names of all tables, in published order."""
        return list(omop_tables())

    @property
    def release_ids(self) -> list[str]:
        """Ids of the loaded releases, oldest first."""
        return [m["release_id"] for m in self._manifests]

    @property
    def releases(self) -> pl.DataFrame:
        """One row per loaded release: id, persons, rows, content hash."""
        return pl.DataFrame(
            [
                {
                    "release_id": m["release_id"],
                    "cdm_version": m["cdm_version"],
                    "persons": m["tables"]["person"]["rows"],
                    "rows": sum(t["rows"] for t in m["tables"].values()),
                    "content_sha256": m["content_sha256"],
                }
                for m in self._manifests
            ],
            schema={
                "release_id": pl.String,
                "cdm_version": pl.String,
                "persons": pl.Int64,
                "rows": pl.Int64,
                "content_sha256": pl.String,
            },
        )

    @property
    def info(self) -> dict[str, Any]:
        """What is in the store: model version, releases, and rows per table."""
        return {
            "cdm_version": CDM_VERSION,
            "releases": self.release_ids,
            "release_info": {m["release_id"]: m["release"] for m in self._manifests},
            "content_sha256": {m["release_id"]: m["content_sha256"] for m in self._manifests},
            "rows": {name: self._rows(name) for name in self.tables},
        }

    def _rows(self, table: str) -> int:
        if len(self._manifests) == 1:
            return int(self._manifests[0]["tables"][table]["rows"])
        return int(self.table(table).select(pl.len()).collect().item())

    def close(self) -> None:
        """Close the connection; the files stay."""
        self._connection.close()

    def __enter__(self) -> CuratedStore:
        """Use the store in a ``with`` statement, which closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"CuratedStore(OMOP CDM {CDM_VERSION}, {len(self._manifests)} releases, {self._rows('person')} persons)"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{name}</td><td style='text-align:right'>{count:,}</td></tr>"
            for name, count in self.info["rows"].items()
            if count
        )
        return (
            f"<p><b>{html.escape(repr(self))}</b><br>releases: {html.escape(', '.join(self.release_ids) or '-')}</p>"
            f"<table><tr><th>table 表</th><th>rows 行</th></tr>{rows}</table>"
        )


def open_store(path: str | Path) -> CuratedStore:
    """Open the curated, de-identified store for reading.

    Parameters
    ----------
    path : str or pathlib.Path
        Folder of the store, e.g. ``home/store``.

    Returns
    -------
    CuratedStore
        Read-only.

    Raises
    ------
    HomeError
        If there is no store, or it was written by another version.
    IntegrityError
        If loaded releases contradict each other.
    """
    return CuratedStore(Path(path))
