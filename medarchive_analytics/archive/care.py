"""Who treats whom: the relationship that opens a patient's record to a doctor. No content is read here."""

from __future__ import annotations

from sqlalchemy import select

from ..core.clock import now_utc
from ..core.errors import AccessDeniedError
from ..security import audit
from ..security.accounts import Account
from ..security.database import writing
from ..security.permissions import Action, check_may
from .vault import AUDIT, CARE, Vault


def grant_care(vault: Vault, username: str, mrn: str, actor: Account) -> None:
    """Record that a doctor treats a patient.

    Parameters
    ----------
    vault : Vault
        The vault.
    username : str
        Account of the doctor.
    mrn : str
        Record number of the patient.
    actor : Account
        Administrator.
    """
    check_may(actor.role, Action.MANAGE_ACCOUNTS)
    handle = vault.handle("patient", mrn)
    with writing(vault.engine) as connection:
        connection.execute(CARE.delete().where(CARE.c.username == username, CARE.c.patient_handle == handle))
        connection.execute(CARE.insert().values(username=username, patient_handle=handle, since=now_utc(), until=None))
        event = audit.AuditEvent(actor.username, actor.role.value, "grant_care", handle, "care", {"doctor": username})
        audit.append(connection, AUDIT, event)


def check_in_care(vault: Vault, account: Account, mrn: str) -> None:
    """Raise unless the account is a doctor who treats this patient now.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        Who asks.
    mrn : str
        Record number of the patient.

    Raises
    ------
    AccessDeniedError
        If the role may not read, or there is no current treatment relationship.
    """
    check_may(account.role, Action.READ_OWN_PATIENT)
    handle = vault.handle("patient", mrn)
    with vault.engine.connect() as connection:
        row = connection.execute(
            select(CARE.c.since).where(
                CARE.c.username == account.username, CARE.c.patient_handle == handle, CARE.c.until.is_(None)
            )
        ).first()
    if row is None:
        raise AccessDeniedError(
            "this patient is not in your care; the administrator records treatment relationships, and the head of the department "
            "asks for one"
        )


def can_read(vault: Vault, account: Account, mrn: str) -> bool:
    """Answer whether an account may read a patient, by the rule of :func:`check_in_care`.

    Parameters
    ----------
    vault : Vault
        The vault.
    account : Account
        Who asks.
    mrn : str
        Record number of the patient.

    Returns
    -------
    bool
        True only for a doctor with a current treatment relationship.
    """
    try:
        check_in_care(vault, account, mrn)
    except AccessDeniedError:
        return False
    return True
