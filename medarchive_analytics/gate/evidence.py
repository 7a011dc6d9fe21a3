"""Evidence: what a steward sees before deciding, computed on the exact bytes that would be released.

Checks are the modules of :mod:`medarchive_analytics.gate.checks`; each has ``NAME``, ``TITLE`` (zh, en), ``REMEDY`` (zh, en) and
``run(context) -> CheckResult``. A check that raises, or has no answer, counts as unknown, and unknown never passes.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import pkgutil
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl

from ..core.files import canonical_json
from . import checks as _checks
from .requests import ExtractRequest

logger = logging.getLogger(__name__)
THRESHOLDS = Path(__file__).with_name("thresholds.toml")


class Outcome(StrEnum):
    """Outcome of one check; only ``PASS`` lets an extract go on."""

    PASS = "pass"  # noqa: S105 - an outcome, no password
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check with the figures it rests on."""

    name: str
    outcome: Outcome
    figures: dict[str, Any] = field(default_factory=dict)
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class EvidenceContext:
    """What a check may look at: the request, the exact tables, what de-identification attested, and the thresholds."""

    request: ExtractRequest
    tables: dict[str, pl.DataFrame]
    attestation: dict[str, Any]
    thresholds: dict[str, Any]


def read_thresholds(path: Path = THRESHOLDS) -> tuple[dict[str, Any], str]:
    """Read the stewards' thresholds and the hash of the file.

    Parameters
    ----------
    path : pathlib.Path
        TOML file.

    Returns
    -------
    tuple of (dict, str)
        Thresholds by check, SHA-256 of the bytes.
    """
    content = path.read_bytes()
    return tomllib.loads(content.decode()), hashlib.sha256(content).hexdigest()


def available_checks() -> dict[str, ModuleType]:
    """Return the evidence checks by name.

    Returns
    -------
    dict of str to module
        Every module of ``gate.checks``.
    """
    found = {}
    for info in pkgutil.iter_modules(_checks.__path__):
        module = importlib.import_module(f"{_checks.__name__}.{info.name}")
        found[module.NAME] = module
    return dict(sorted(found.items()))


def gather(context: EvidenceContext) -> list[CheckResult]:
    """Run every check.

    Parameters
    ----------
    context : EvidenceContext
        What they look at.

    Returns
    -------
    list of CheckResult
        One per check, by name.
    """
    results = []
    for name, module in available_checks().items():
        try:
            results.append(module.run(context))
        except Exception as error:  # a check that cannot answer must not look like one that passed
            logger.warning("evidence check %s gave no answer (%s)", name, type(error).__name__)
            results.append(CheckResult(name, Outcome.UNKNOWN, {"error": type(error).__name__}))
    return results


def evidence_document(results: list[CheckResult]) -> dict[str, Any]:
    """Return the evidence as plain objects, the same for the same bytes.

    Parameters
    ----------
    results : list of CheckResult
        From :func:`gather`.

    Returns
    -------
    dict
        ``is_passed`` and the checks.
    """
    return {
        "is_passed": bool(results) and all(r.outcome is Outcome.PASS for r in results),
        "checks": [
            {"name": r.name, "outcome": r.outcome.value, "figures": r.figures, "rows": list(r.rows)} for r in results
        ],
    }


def document_hash(document: dict[str, Any]) -> str:
    """Return the SHA-256 of a document in canonical form.

    Parameters
    ----------
    document : dict
        Plain objects.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(canonical_json(document)).hexdigest()
