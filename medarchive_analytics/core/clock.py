"""The only place that asks what time it is."""

from __future__ import annotations

from datetime import UTC, datetime


def now_utc() -> str:
    """Return the current time as ISO 8601 text in UTC with microseconds.

    Returns
    -------
    str
        E.g. ``2026-01-31T08:15:00.000000Z``.
    """
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
