"""Arrow 1: deliveries of hospital systems become sealed records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medarchive_analytics.archive.intake import ingest
from medarchive_analytics.security.accounts import Account

from .context import IdentifiedZone


@dataclass(frozen=True)
class Delivery:
    """One delivery: which kind of system it comes from, where it lies, how it is encoded."""

    source: str
    path: Path
    encoding: str = "utf-8"


def intake_reports(zone: IdentifiedZone, deliveries: tuple, archivist: Account) -> tuple:
    """File deliveries one after the other; each is filed whole or not at all.

    Parameters
    ----------
    zone : IdentifiedZone
        Where to file.
    deliveries : tuple of Delivery
        What to file.
    archivist : Account
        Who files.

    Returns
    -------
    tuple of IntakeReport
        One per delivery; each balances: received = filed + quarantined.
    """
    return tuple(ingest(zone.vault, d.source, d.path, archivist, d.encoding) for d in deliveries)
