"""Bad raw rows for the EMR export, and the ledger that says what intake should do with each.

Every defect is an extra row beside the clean ones: what is left after quarantine is exactly the clean hospital.
"""

from __future__ import annotations

from random import Random

import polars as pl

from .config import HospitalConfig

# kind: (table, should intake quarantine the row, what is wrong with it)
KINDS: dict[str, tuple[str, bool, str]] = {
    "bad_sex_code": ("patient", True, "sex holds a code outside the closed list"),
    "missing_required": ("diagnosis", True, "a required column is empty"),
    "impossible_date": ("measurement", True, "a time names a day no calendar has"),
    "duplicate_row": ("drug_order", True, "the same key is delivered twice"),
    "orphan_encounter": ("procedure", True, "the encounter was never delivered"),
    "discharge_before_admission": ("encounter", True, "the visit ends before it starts"),
}
LEDGER = {
    "table": pl.String,
    "key": pl.String,
    "mrn": pl.String,
    "kind": pl.String,
    "should_quarantine": pl.Boolean,
    "description": pl.String,
}


def plant_defects(
    config: HospitalConfig, tables: dict[str, pl.DataFrame], mrns: tuple[str, ...]
) -> tuple[pl.DataFrame, dict[str, list[dict[str, str]]]]:
    """Make bad raw rows out of copies of clean ones.

    Parameters
    ----------
    config : HospitalConfig
        ``defect_rate`` and ``seed``.
    tables : dict of str to polars.DataFrame
        Clean tables.
    mrns : tuple of str
        Persons of the EMR export.

    Returns
    -------
    tuple of (polars.DataFrame, dict of str to list of dict)
        The ledger, and by table the raw rows (text values) in ledger order.
    """
    if config.defect_rate == 0 or not mrns:
        return pl.DataFrame(schema=LEDGER), {}
    rng, count = Random(config.seed + 2), max(1, round(config.defect_rate * len(mrns)))
    ledger, bad = [], {}
    for number, (kind, (table, quarantine, words)) in enumerate(KINDS.items()):
        emr = tables[table].filter(pl.col("mrn").is_in(mrns))
        if table == "encounter":
            emr = emr.filter(pl.col("visit_type") == "outpatient")
        if table == "drug_order":
            emr = emr.unique("mrn", keep="first", maintain_order=True)
        if emr.is_empty():
            continue
        picks = sorted(rng.sample(range(emr.height), min(count, emr.height)))
        raw = raw_text(emr[picks])
        for i, row in enumerate(raw.iter_rows(named=True)):
            row = _spoil(dict(row), kind, f"{number}{i:06d}")
            bad.setdefault(table, []).append(row)
            key = row[next(iter(row))]
            ledger.append((table, key, row["mrn"], kind, quarantine, words))
    return pl.DataFrame(ledger, schema=LEDGER, orient="row"), bad


def _spoil(row: dict[str, str], kind: str, serial: str) -> dict[str, str]:
    key = next(iter(row))
    if kind != "duplicate_row":
        row[key] = f"X{serial}"
    match kind:
        case "bad_sex_code":
            row["sex"] = "9"
        case "missing_required":
            row["name"] = None
        case "impossible_date":
            row["time"] = row["time"][:5] + "02-30" + row["time"][10:]
        case "orphan_encounter":
            row["encounter_id"] = f"ZY0000{serial}"
        case "discharge_before_admission":
            row["admit_time"], row["discharge_time"] = row["discharge_time"], row["admit_time"]
        case "duplicate_row":
            pass
        case _:
            raise ValueError("unknown kind of defect")
    return row


def raw_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a frame as the text an export would carry: ISO dates, ``T`` between date and time, nulls kept.

    Parameters
    ----------
    frame : polars.DataFrame
        A filing table.

    Returns
    -------
    polars.DataFrame
        Same columns, all text.
    """
    return frame.select(
        pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S") if dtype == pl.Datetime else pl.col(name).cast(pl.String)
        for name, dtype in frame.schema.items()
    )
