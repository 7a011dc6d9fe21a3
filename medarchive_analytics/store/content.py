"""Which content does a table have, whatever the bytes of its file?"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from .schema import conform


def table_hash(frame: pl.DataFrame, table: str) -> str:
    """Do two frames hold the same rows of one OMOP table?

    The answer does not depend on row order, compression, file format or library version.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows of the table.
    table : str
        OMOP table name.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Notes
    -----
    Rows are sorted by key (by all columns where there is no key). Each column then contributes its name, type, null mask
    and its values as little-endian integers, IEEE doubles (one zero, one NaN) or length-prefixed UTF-8.
    """
    digest = hashlib.sha256()
    ordered = conform(frame, table)
    digest.update(f"{table}:{ordered.height}".encode())
    for series in ordered.iter_columns():
        digest.update(f"|{series.name}:{series.dtype}|".encode())
        digest.update(np.packbits(series.is_null().to_numpy()).tobytes())
        for block in _bytes(series):
            digest.update(block)
    return digest.hexdigest()


def _bytes(series: pl.Series) -> list[bytes]:
    if series.dtype == pl.String:
        values = [v.encode("utf-8") for v in series.fill_null("").to_list()]
        lengths = np.fromiter((len(v) for v in values), dtype="<i8", count=len(values))
        return [lengths.tobytes(), b"".join(values)]
    if series.dtype == pl.Float64:
        numbers = series.fill_null(0.0).to_numpy().astype("<f8") + 0.0
        numbers[np.isnan(numbers)] = np.nan
        return [numbers.tobytes()]
    return [series.to_physical().cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes()]
