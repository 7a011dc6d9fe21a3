"""CSV export of Synthea, the synthetic patient generator: 18 tables with its own column names."""

from __future__ import annotations

from pathlib import Path

from ..csv_tables import load_profile, read_csv_delivery
from ..delivery import SourceBatch

NAME = "synthea"
TITLE = "CSV export of Synthea"


def read(path: Path, encoding: str = "utf-8") -> SourceBatch:
    """Read a folder of Synthea CSV files.

    Parameters
    ----------
    path : pathlib.Path
        Folder of the export.
    encoding : str
        Encoding of all files.

    Returns
    -------
    SourceBatch
        Rows as text.
    """
    profile = load_profile(Path(__file__).parent / "csv_profiles" / "synthea.toml")
    return read_csv_delivery(path, profile, encoding)
