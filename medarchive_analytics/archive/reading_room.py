"""The reading room: the only way to the content of records. Every visit is checked, and written to the audit log first.

A doctor reads and amends the patients in their own care; the de-identification service reads in bulk; an archivist reads nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from ..core.errors import UserError
from ..core.filing import filing_standard
from ..security import audit
from ..security.accounts import Account
from ..security.database import writing
from ..security.permissions import Action, check_may
from .care import can_read, check_in_care
from .intake import read_payload
from .validation import judge, typed
from .vault import AUDIT, StoredRecord, Vault


def read_patient(vault: Vault, account: Account, mrn: str, purpose: str) -> list[StoredRecord]:
    """Read all records of one patient in one's care.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        A doctor.
    mrn : str
        Record number of the patient.
    purpose : str
        Why; kept in the audit log.

    Returns
    -------
    list of StoredRecord
        Latest versions.

    Raises
    ------
    AccessDeniedError
        If the patient is not in the doctor's care; the attempt is on the audit log.
    UserError
        If no purpose is given.
    """
    if not purpose.strip():
        raise UserError("say for what purpose the record is read, e.g. 'ward round'")
    handle = vault.handle("patient", mrn)
    allowed = can_read(vault, account, mrn)
    action = "read_patient" if allowed else "read_patient_denied"
    with writing(vault.engine) as connection:
        audit.append(connection, AUDIT, audit.AuditEvent(account.username, account.role.value, action, handle, purpose))
    check_in_care(vault, account, mrn)
    with vault.engine.connect() as connection:
        return list(vault.read_latest(connection, [handle]))


def amend(
    vault: Vault, account: Account, record: StoredRecord, mrn: str, rows: list[dict[str, str | None]], reason: str
) -> int:
    """File an amended version of a record; the older versions stay.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        A doctor with the patient in their care.
    record : StoredRecord
        The version that is amended, from :func:`read_patient`.
    mrn : str
        Record number of the patient.
    rows : list of dict
        All rows of the amended record.
    reason : str
        Why; kept in the audit log.

    Returns
    -------
    int
        Number of the new version.

    Raises
    ------
    AccessDeniedError
        If the patient is not in the doctor's care.
    UserError
        If the rows do not fit the filing standard, or the record is of another patient or was amended meanwhile.
    """
    check_may(account.role, Action.AMEND_OWN_PATIENT)
    check_in_care(vault, account, mrn)
    if record.patient_handle != vault.handle("patient", mrn):
        raise UserError("this record belongs to another patient")
    if not reason.strip():
        raise UserError("an amendment needs a reason")
    table = filing_standard().table(record.filing_table)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(table.columns, pl.String))
    judged = judge(frame, table).filter(pl.col("_reason").is_not_null())
    if judged.height:
        raise UserError(
            f"the amended {table.name} does not fit the filing standard: {judged['_reason'][0]} in {judged['_column'][0]}"
        )
    content = json.dumps(rows, ensure_ascii=False).encode()
    before = {r["mrn"] for r in read_payload(record.content)}
    if {r.get("mrn") for r in rows} != before:
        raise UserError("an amendment cannot move a record to another patient")
    with writing(vault.engine) as connection:
        version = vault.add_version(connection, record, content, account.username)
        event = audit.AuditEvent(
            account.username, account.role.value, "amend_record", record.record_id, reason, {"version": version}
        )
        audit.append(connection, AUDIT, event)
    return version


def read_for_deidentification(
    vault: Vault, account: Account, purpose: str, chunk: int = 1000
) -> Iterator[tuple[list[str], dict[str, pl.DataFrame]]]:
    """Read all patients, a chunk at a time, as typed frames of the filing tables.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        The de-identification service.
    purpose : str
        The extract request it is for.
    chunk : int
        Patients per chunk.

    Yields
    ------
    tuple of (list of str, dict of str to polars.DataFrame)
        Patient handles of the chunk, and the identified frames of the released filing tables.
    """
    check_may(account.role, Action.READ_FOR_DEIDENTIFICATION)
    handles = vault.patient_handles()
    released = list(filing_standard().released_tables)
    for start in range(0, len(handles), chunk):
        part = handles[start : start + chunk]
        with writing(vault.engine) as connection:
            event = audit.AuditEvent(
                account.username,
                account.role.value,
                "read_in_bulk",
                f"{len(part)} patients",
                purpose,
                {"chunk": start // chunk},
            )
            audit.append(connection, AUDIT, event)
        with vault.engine.connect() as connection:
            yield part, frames_of(vault.read_latest(connection, part, released))


def read_registers(vault: Vault, account: Account, purpose: str) -> dict[str, pl.DataFrame]:
    """Read the staff and institution registers, which de-identification has to know.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        The de-identification service.
    purpose : str
        The extract request it is for.

    Returns
    -------
    dict of str to polars.DataFrame
        ``staff`` and ``organization``.
    """
    check_may(account.role, Action.READ_FOR_DEIDENTIFICATION)
    with writing(vault.engine) as connection:
        audit.append(
            connection, AUDIT, audit.AuditEvent(account.username, account.role.value, "read_registers", "", purpose)
        )
    with vault.engine.connect() as connection:
        return frames_of(vault.read_latest(connection, None, ["staff", "organization"]), ["staff", "organization"])


def frames_of(records: Iterator[StoredRecord], tables: list[str] | None = None) -> dict[str, pl.DataFrame]:
    """Turn opened records into typed frames, one per filing table.

    Parameters
    ----------
    records : iterator of StoredRecord
        Opened records.
    tables : list of str, optional
        Tables to return; all released ones when None.

    Returns
    -------
    dict of str to polars.DataFrame
        Declared columns and types, sorted by key; a table without records has no rows.
    """
    standard = filing_standard()
    pieces: dict[str, list[bytes]] = {name: [] for name in (tables or standard.released_tables)}
    for record in records:
        pieces[record.filing_table].append(record.content[1:-1])
    frames = {}
    for name, contents in pieces.items():
        table = standard.table(name)
        schema = dict.fromkeys(table.columns, pl.String)
        if contents:
            rows = pl.Series([b"[" + b",".join(contents) + b"]"]).cast(pl.String)
            text = rows.str.json_decode(pl.List(pl.Struct(schema))).explode().struct.unnest()
        else:
            text = pl.DataFrame(schema=schema)
        frames[name] = (
            typed(text, table).unique(maintain_order=True).sort(table.key, nulls_last=True, maintain_order=True)
        )
    return frames
