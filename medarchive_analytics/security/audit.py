"""The audit chain: each event carries the hash of the one before it, in the same transaction as what it tells of.

An edit, insertion, deletion or reordering inside the chain is found by :func:`verify_chain`. A cut at the end is found only by
comparing with a checkpoint that was kept elsewhere, which is why :func:`chain_head` exists and the auditor exports it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, func, select

from ..core.clock import now_utc
from ..core.errors import IntegrityError
from ..core.files import canonical_json

_GENESIS = "0" * 64


@dataclass(frozen=True)
class AuditEvent:
    """Who did what to what, and why; a required argument of every read or write of record content.

    Attributes
    ----------
    actor : str
        Account name, or ``service:<name>``.
    role : str
        Role the actor used.
    action : str
        Verb and object, e.g. ``"read_record"``.
    subject : str
        Pseudonymous handle of the thing acted on; never a name or number from a record.
    purpose : str
        Why, as the actor stated it.
    detail : dict
        Counts and identifiers of runs; nothing from a record.
    """

    actor: str
    role: str
    action: str
    subject: str = ""
    purpose: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def audit_table(metadata: MetaData) -> Table:
    """Declare the audit table in a database.

    Parameters
    ----------
    metadata : sqlalchemy.MetaData
        Metadata of the database the chain lives in.

    Returns
    -------
    sqlalchemy.Table
        Table ``audit_event``.
    """
    return Table(
        "audit_event",
        metadata,
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("time", String(40), nullable=False),
        Column("actor", String(120), nullable=False),
        Column("role", String(40), nullable=False),
        Column("action", String(80), nullable=False),
        Column("subject", String(200), nullable=False),
        Column("purpose", Text, nullable=False),
        Column("detail", Text, nullable=False),
        Column("previous", String(64), nullable=False),
        Column("hash", String(64), nullable=False),
    )


def _digest(row: dict[str, Any]) -> str:
    body = {k: row[k] for k in ("seq", "time", "actor", "role", "action", "subject", "purpose", "detail", "previous")}
    return hashlib.sha256(canonical_json(body)).hexdigest()


def append(connection: Connection, table: Table, event: AuditEvent) -> str:
    """Add one event to the chain inside the caller's transaction.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Connection with an open WRITE transaction (``BEGIN IMMEDIATE``), so that no two writers take the same number.
    table : sqlalchemy.Table
        From :func:`audit_table`.
    event : AuditEvent
        What happened.

    Returns
    -------
    str
        Hash of the new event, the head of the chain.
    """
    last = connection.execute(select(table.c.seq, table.c.hash).order_by(table.c.seq.desc()).limit(1)).first()
    row: dict[str, Any] = {
        "seq": (last.seq if last else 0) + 1,
        "time": now_utc(),
        "actor": event.actor,
        "role": event.role,
        "action": event.action,
        "subject": event.subject,
        "purpose": event.purpose,
        "detail": json.dumps(event.detail, sort_keys=True, ensure_ascii=False),
        "previous": last.hash if last else _GENESIS,
    }
    row["hash"] = _digest(row)
    connection.execute(table.insert().values(**row))
    return row["hash"]


def verify_chain(connection: Connection, table: Table, checkpoint: tuple[int, str] | None = None) -> int:
    """Check every link of the chain.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Open connection.
    table : sqlalchemy.Table
        From :func:`audit_table`.
    checkpoint : tuple of (int, str), optional
        Number and hash of an event, kept elsewhere; finds a cut at the end or a chain written anew.

    Returns
    -------
    int
        Number of events, all linked.

    Raises
    ------
    IntegrityError
        If a link does not hold; the message names the event number.
    """
    previous, number = _GENESIS, 0
    checkpoint_seen = checkpoint is None or checkpoint[0] == 0
    for row in connection.execute(select(table).order_by(table.c.seq)).mappings():
        number += 1
        if row["seq"] != number:
            raise IntegrityError(f"audit event {number} is missing: events were removed or reordered")
        if row["previous"] != previous or not hmac.compare_digest(row["hash"], _digest(dict(row))):
            raise IntegrityError(f"audit event {number} was changed after it was written")
        previous = row["hash"]
        if checkpoint and number == checkpoint[0]:
            if previous != checkpoint[1]:
                raise IntegrityError(f"audit event {number} differs from the checkpoint kept elsewhere")
            checkpoint_seen = True
    if not checkpoint_seen:
        raise IntegrityError(f"the audit log ends at event {number}, before the checkpoint kept elsewhere: it was cut")
    return number


def chain_head(connection: Connection, table: Table) -> tuple[int, str]:
    """Return number and hash of the newest event, to be kept elsewhere as a checkpoint.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Open connection.
    table : sqlalchemy.Table
        From :func:`audit_table`.

    Returns
    -------
    tuple of (int, str)
        ``(0, "000…")`` for an empty log.
    """
    count = connection.execute(select(func.max(table.c.seq))).scalar() or 0
    if not count:
        return 0, _GENESIS
    return count, connection.execute(select(table.c.hash).where(table.c.seq == count)).scalar_one()
