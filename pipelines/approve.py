"""The decision of the stewards as a step. Outside a demonstration people take it, on the steward page or by command."""

from __future__ import annotations

from dataclasses import dataclass, field

from medarchive_analytics.core.errors import EvidenceFailedError
from medarchive_analytics.gate.desk import Desk
from medarchive_analytics.gate.ledger import Extract
from medarchive_analytics.gate.states import State
from medarchive_analytics.security.accounts import Account

_REASON = "evidence reviewed: residual identifiers, k-anonymity, columns"


@dataclass(frozen=True)
class StewardSession:
    """A steward who is signed in; the password opens the signing key and is never shown."""

    account: Account
    password: str = field(repr=False)


def approved_extract(desk: Desk, evidenced_extract: Extract, stewards: tuple) -> Extract:
    """Let two stewards approve, one after the other.

    Parameters
    ----------
    desk : Desk
        The gate.
    evidenced_extract : Extract
        In review.
    stewards : tuple of StewardSession
        Stewards who are signed in.

    Returns
    -------
    Extract
        Approved.

    Raises
    ------
    EvidenceFailedError
        If the evidence did not pass; nobody is asked to approve then.
    """
    extract = evidenced_extract
    if extract.state is State.EVIDENCE_FAILED:
        failed = [c["name"] for c in desk.subject(extract)["evidence"]["checks"] if c["outcome"] != "pass"]
        raise EvidenceFailedError(
            f"evidence did not pass: {', '.join(failed)}; see `medarchive extract evidence {extract.request_id}`"
        )
    for session in stewards:
        if desk.can_approve(extract, session.account):
            extract = desk.approve(extract.request_id, session.account, session.password, _REASON)
    return extract
