"""The Chinese campus as an EMR export: one CSV file per filing table, bad rows included."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from .config import SyntheticHospital
from .defects import raw_text


def write_emr_csv(
    hospital: SyntheticHospital, folder: Path | str, mrns: Iterable[str] | None = None
) -> dict[str, Path]:
    """Write the EMR export, with the planted defects as raw bad rows at the end of each file.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    folder : pathlib.Path or str
        Where to write; made if missing.
    mrns : iterable of str, optional
        Persons to write; default: everybody of the EMR campus.

    Returns
    -------
    dict of str to pathlib.Path
        File by filing table. UTF-8, comma separated, header of filing-standard column names, times ``YYYY-MM-DDTHH:MM:SS``.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keep = pl.Series("mrn", list(hospital.emr_mrns if mrns is None else mrns), pl.String)
    wanted, paths = set(keep), {}
    for name, frame in hospital.tables.items():
        rows = frame.filter(pl.col("mrn").is_in(keep.implode())) if "mrn" in frame.columns else frame
        bad = [r for r in hospital.bad_rows.get(name, []) if name == "patient" or r["mrn"] in wanted]
        paths[name] = folder / f"{name}.csv"
        rows.write_csv(paths[name], datetime_format="%Y-%m-%dT%H:%M:%S", date_format="%Y-%m-%d")
        if bad:
            tail = pl.DataFrame(bad, schema=dict.fromkeys(raw_text(rows.head(0)).columns, pl.String))
            with paths[name].open("ab") as handle:
                tail.write_csv(handle, include_header=False)
    return paths
