"""The catalogue: what is filed, without its content. This is all an archivist sees."""

from __future__ import annotations

import polars as pl
from sqlalchemy import func, select

from ..security import audit
from ..security.accounts import Account
from ..security.permissions import Action, check_may
from .vault import AUDIT, BATCH, QUARANTINE, RECORD, Vault


def list_records(vault: Vault, account: Account, limit: int = 1000) -> pl.DataFrame:
    """List the latest record versions by their metadata.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        Archivist or auditor.
    limit : int
        Most rows to return.

    Returns
    -------
    polars.DataFrame
        ``record_id, version, filing_table, record_class, source, patient_handle, filed_at, filed_by``; no content, no names.
    """
    check_may(account.role, Action.VIEW_CATALOGUE)
    columns = [RECORD.c[c] for c in ("record_id", "filing_table", "record_class", "source", "patient_handle")]
    query = (
        select(
            *columns,
            func.max(RECORD.c.version).label("version"),
            func.max(RECORD.c.filed_at).label("filed_at"),
            RECORD.c.filed_by,
        )
        .group_by(RECORD.c.record_id)
        .order_by(RECORD.c.record_id)
        .limit(limit)
    )
    with vault.engine.connect() as connection:
        rows = [dict(r) for r in connection.execute(query).mappings()]
    return pl.DataFrame(rows) if rows else pl.DataFrame(schema={"record_id": pl.String})


def list_deliveries(vault: Vault, account: Account) -> pl.DataFrame:
    """List deliveries with their counts.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        Archivist or auditor.

    Returns
    -------
    polars.DataFrame
        ``batch_id, source, received, filed, quarantined, finished``.
    """
    check_may(account.role, Action.VIEW_CATALOGUE)
    query = select(
        BATCH.c.batch_id, BATCH.c.source, BATCH.c.received, BATCH.c.filed, BATCH.c.quarantined, BATCH.c.finished
    ).order_by(BATCH.c.started)
    with vault.engine.connect() as connection:
        rows = [dict(r) for r in connection.execute(query).mappings()]
    return pl.DataFrame(rows) if rows else pl.DataFrame(schema={"batch_id": pl.String})


def list_quarantine(vault: Vault, account: Account) -> pl.DataFrame:
    """List quarantined entries by place and reason, without their content.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        Archivist or auditor.

    Returns
    -------
    polars.DataFrame
        ``batch_id, file, row, filing_table, reason, column``.
    """
    check_may(account.role, Action.VIEW_CATALOGUE)
    names = ("batch_id", "file", "row", "filing_table", "reason", "column")
    query = select(*(QUARANTINE.c[n] for n in names)).order_by(QUARANTINE.c.batch_id, QUARANTINE.c.number)
    with vault.engine.connect() as connection:
        rows = [tuple(r) for r in connection.execute(query)]
    return pl.DataFrame(rows, schema=list(names), orient="row")


def verify_audit(vault: Vault, account: Account, checkpoint: tuple[int, str] | None = None) -> int:
    """Check the audit chain of the archive.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        Auditor.
    checkpoint : tuple of (int, str), optional
        Head of the chain as it was exported earlier.

    Returns
    -------
    int
        Number of events.
    """
    check_may(account.role, Action.VIEW_AUDIT)
    with vault.engine.connect() as connection:
        return audit.verify_chain(connection, AUDIT, checkpoint)


def audit_head(vault: Vault, account: Account) -> tuple[int, str]:
    """Return number and hash of the newest audit event, to be kept elsewhere.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        Auditor.

    Returns
    -------
    tuple of (int, str)
        The checkpoint.
    """
    check_may(account.role, Action.VIEW_AUDIT)
    with vault.engine.connect() as connection:
        return audit.chain_head(connection, AUDIT)
