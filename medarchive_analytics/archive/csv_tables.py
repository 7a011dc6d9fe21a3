"""Reading CSV tables of a delivery by a profile: which file is which filing table, and which column is which.

A profile is a TOML file. Per file: ``table``; then per filing column one of ``from`` (a source column), ``join`` (several, with
blanks between) or ``value`` (a constant), with ``map`` to translate closed lists, or ``row_key = true`` where the source has no
key and one is made from the content of the row. Source columns the profile does not name are kept, sealed, beside the row.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import SourceFormatError, unknown_choice
from ..core.filing import filing_standard
from .delivery import Reject, SourceBatch, decode

csv.field_size_limit(2**27)


@dataclass(frozen=True)
class _File:
    name: str
    table: str
    columns: dict[str, dict[str, Any]]
    is_required: bool


def load_profile(path: Path) -> dict[str, Any]:
    """Read a profile and check that it names tables and columns of the filing standard.

    Parameters
    ----------
    path : pathlib.Path
        TOML file.

    Returns
    -------
    dict
        ``source`` and ``files``.

    Raises
    ------
    SourceFormatError
        If the profile names a table or column that the standard does not have.
    """
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    for name, body in raw["files"].items():
        table = filing_standard().table(body["table"])
        for column in body["columns"]:
            if column not in table.columns:
                raise SourceFormatError(
                    f"profile for {name}: " + unknown_choice("filing column", column, table.columns)
                )
    return raw


def read_csv_delivery(folder: Path, profile: dict[str, Any], encoding: str) -> SourceBatch:
    """Read all CSV files of a folder by a profile.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the delivery, or one of its files.
    profile : dict
        From :func:`load_profile`, or made from the filing standard itself.
    encoding : str
        Encoding of the files.

    Returns
    -------
    SourceBatch
        Rows as text.

    Raises
    ------
    SourceFormatError
        If no file of the profile is there, a file has no name in the profile, or a required column is missing.
    """
    paths = sorted(folder.glob("*.csv")) if folder.is_dir() else [folder]
    batch = SourceBatch(profile["source"])
    digest = hashlib.sha256()
    files = {
        name.lower(): _File(name, body["table"], body["columns"], bool(body.get("required", False)))
        for name, body in profile["files"].items()
    }
    if not paths or not any(p.name.lower() in files for p in paths):
        raise SourceFormatError(f"no table of source {profile['source']} found; expected: {', '.join(sorted(files))}")
    for path in paths:
        if path.name.lower() not in files:
            raise SourceFormatError(unknown_choice("file", path.name, [f.name for f in files.values()]))
        content = path.read_bytes()
        digest.update(path.name.encode() + hashlib.sha256(content).digest())
        frame = _read_rows(decode(content, encoding, path.name), path.name, files[path.name.lower()], batch)
        table = files[path.name.lower()].table
        known = batch.frames.get(table)
        batch.frames[table] = frame if known is None else pl.concat([known, frame])
    batch.digest = digest.hexdigest()
    return batch


def _read_rows(text: str, name: str, file: _File, batch: SourceBatch) -> pl.DataFrame:
    frame = _parse(text, name, file.table, batch)
    _check_columns(frame, name, file)
    first = batch.received - frame.height
    used = {c for spec in file.columns.values() for c in _sources_of(spec)}
    table = filing_standard().table(file.table)
    selected = [_column(column, file.columns.get(column), frame).alias(column) for column in table.columns]
    rest = [c for c in frame.columns if c not in used and not c.startswith("_")]
    extra = pl.struct(rest).struct.json_encode() if rest else pl.lit(None, pl.String)
    out = frame.select(
        *selected,
        pl.col("_entry"),
        pl.lit(name).alias("_file"),
        pl.col("_row"),
        extra.alias("_extra"),
    )
    key = file.columns.get(table.key, {})
    if key.get("row_key"):
        out = _with_row_keys(out, frame, table.key, name)
    assert_consecutive = out.height + first  # rows keep their place in the count of received entries
    if assert_consecutive != batch.received:
        raise SourceFormatError(f"{name}: rows were lost while reading; report this file")
    return out


def _parse(text: str, name: str, table: str, batch: SourceBatch) -> pl.DataFrame:
    # Python's reader gives row numbers and lets one ragged row be quarantined without refusing the file.
    if "\x00" in text:
        raise SourceFormatError(f"{name} holds NUL characters: it is no CSV text file, or its encoding is UTF-16")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
        if not header:
            raise SourceFormatError(f"{name} is empty; a table without rows still has its header line")
        if len(set(header)) != len(header):
            raise SourceFormatError(f"{name} has a column name twice in its header")
        columns: list[list[str]] = [[] for _ in header]
        numbers: list[int] = []
        entries: list[int] = []
        width = len(header)
        ragged: list[tuple[int, list[str]]] = []
        row_number = 1
        for row in reader:
            row_number += 1
            if not row:
                continue
            if len(row) != width:
                ragged.append((row_number, row))
                continue
            numbers.append(row_number)
            for values, value in zip(columns, row, strict=True):
                values.append(value)
    except csv.Error as error:
        raise SourceFormatError(f"{name} near line {reader.line_num}: {error}; the file may be cut short") from None
    for number, row in ragged:
        batch.rejects.append(
            Reject(
                batch.received, name, number, table, "wrong_number_of_columns", "", json.dumps(row, ensure_ascii=False)
            )
        )
        batch.received += 1
    entries = list(range(batch.received, batch.received + len(numbers)))
    batch.received += len(numbers)
    data = dict(zip(header, columns, strict=True))
    frame = pl.DataFrame(
        {**data, "_entry": entries, "_row": numbers}, schema_overrides=dict.fromkeys(header, pl.String)
    )
    return frame.with_columns(pl.col("_entry").cast(pl.Int64), pl.col("_row").cast(pl.Int64))


def _sources_of(spec: dict[str, Any]) -> list[str]:
    if "from" in spec:
        return [spec["from"]]
    return list(spec.get("join", ()))


def _check_columns(frame: pl.DataFrame, name: str, file: _File) -> None:
    table = filing_standard().table(file.table)
    present = set(frame.columns)
    missing = []
    for column, spec in file.columns.items():
        needed = table.columns[column].required or spec.get("needed", False)
        if needed and any(s not in present for s in _sources_of(spec)):
            missing += [s for s in _sources_of(spec) if s not in present]
    if missing:
        have = ", ".join(c for c in frame.columns if not c.startswith("_"))
        raise SourceFormatError(
            f"{name} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(sorted(set(missing)))}; it has: {have}. "
            "Export the table again, or correct the profile. Nothing of the delivery was filed."
        )


def _column(column: str, spec: dict[str, Any] | None, frame: pl.DataFrame) -> pl.Expr:
    if spec is None or spec.get("row_key"):
        return pl.lit(None, pl.String)
    if "value" in spec:
        return pl.lit(spec["value"], pl.String)
    present = [s for s in _sources_of(spec) if s in frame.columns]
    if not present:
        return pl.lit(None, pl.String)
    parts = [pl.when(pl.col(s).str.strip_chars() == "").then(None).otherwise(pl.col(s)) for s in present]
    expression = (
        pl.concat_str(parts, separator=spec.get("separator", " "), ignore_nulls=True) if len(parts) > 1 else parts[0]
    )
    if "map" in spec:
        # A value the map does not know stays as it is, so that intake can quarantine it with its reason.
        expression = expression.replace(spec["map"])
    return expression


def _with_row_keys(out: pl.DataFrame, frame: pl.DataFrame, key: str, name: str) -> pl.DataFrame:
    seen: dict[str, int] = {}
    keys = []
    for row in frame.drop("_entry", "_row").iter_rows():
        digest = hashlib.sha256("\x1f".join([name, *("" if v is None else v for v in row)]).encode()).hexdigest()[:24]
        seen[digest] = seen.get(digest, 0) + 1
        keys.append(f"{digest}-{seen[digest]}")
    return out.with_columns(pl.Series(key, keys, dtype=pl.String))
