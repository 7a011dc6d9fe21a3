"""CSV export in the layout of the filing standard: one file per filing table, columns named as there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.filing import filing_standard
from ..csv_tables import read_csv_delivery
from ..delivery import SourceBatch

NAME = "csv"
TITLE = "CSV tables in the layout of the filing standard"


def _profile() -> dict[str, Any]:
    files = {
        f"{name}.csv": {"table": name, "columns": {c: {"from": c} for c in table.columns}}
        for name, table in filing_standard().tables.items()
    }
    return {"source": "emr", "files": files}


def read(path: Path, encoding: str = "utf-8") -> SourceBatch:
    """Read a folder of CSV files named like the filing tables.

    Parameters
    ----------
    path : pathlib.Path
        Folder, or one file of it.
    encoding : str
        Encoding of all files.

    Returns
    -------
    SourceBatch
        Rows as text.
    """
    return read_csv_delivery(path, _profile(), encoding)
