"""Arrow 3: de-identified partitions become an extract with evidence; stewards decide; approved bytes become a release."""

from __future__ import annotations

from pathlib import Path

from medarchive_analytics.deid import DeidPolicy, apply_risk_rule
from medarchive_analytics.gate.desk import Desk
from medarchive_analytics.gate.ledger import Extract
from medarchive_analytics.gate.states import State
from medarchive_analytics.security.accounts import Account

from .context import SERVICE
from .deidentify import DeidentifiedRun


def built_extract(desk: Desk, request_id: str, deidentified_run: DeidentifiedRun, policy: DeidPolicy) -> Extract:
    """Apply the risk rule and write the bytes the stewards will judge.

    Parameters
    ----------
    desk : Desk
        The gate.
    request_id : str
        The extract asked for.
    deidentified_run : DeidentifiedRun
        Partitions.
    policy : DeidPolicy
        Holds the smallest class allowed.

    Returns
    -------
    Extract
        Built; or as it stands when it was built before and not returned.
    """
    extract = desk.ledger.get(request_id)
    if extract.state not in (State.SUBMITTED, State.RETURNED, State.EVIDENCE_FAILED):
        return extract
    tables, risk = apply_risk_rule(deidentified_run.tables(), policy.min_class_size)
    attestation = {**deidentified_run.attestation, "risk": risk.as_dict()}
    return desk.build(request_id, tables, attestation, SERVICE)


def evidenced_extract(desk: Desk, built_extract: Extract) -> Extract:
    """Gather the evidence on the exact bytes.

    Parameters
    ----------
    desk : Desk
        The gate.
    built_extract : Extract
        The extract as built.

    Returns
    -------
    Extract
        In review, or with failed evidence.
    """
    if built_extract.state is not State.BUILT:
        return built_extract
    return desk.gather_evidence(built_extract.request_id, SERVICE)


def published_release(desk: Desk, approved_extract: Extract, publisher: Account) -> Path:
    """Publish an approved extract.

    Parameters
    ----------
    desk : Desk
        The gate.
    approved_extract : Extract
        Approved by two stewards.
    publisher : Account
        Steward.

    Returns
    -------
    pathlib.Path
        Release folder.
    """
    return desk.publish(approved_extract.request_id, publisher)
