"""Who may do what: one table of role and action. Policies (what our rule allows in this state) live with the things they govern."""

from __future__ import annotations

from enum import StrEnum

from ..core.errors import AccessDeniedError, UserError, unknown_choice


class Role(StrEnum):
    """Roles of REQUIREMENTS.md, and the one service that may read in bulk in order to de-identify."""

    RESEARCHER = "researcher"
    DOCTOR = "doctor"
    STEWARD = "steward"
    ARCHIVIST = "archivist"
    AUDITOR = "auditor"
    ADMIN = "admin"
    DEIDENTIFIER = "deidentifier"

    @classmethod
    def parse(cls, text: str) -> Role:
        """Return the role of that name.

        Parameters
        ----------
        text : str
            Role name as typed.

        Returns
        -------
        Role
            The role.

        Raises
        ------
        UserError
            If there is no such role.
        """
        try:
            return cls(text)
        except ValueError:
            raise UserError(unknown_choice("role", text, [r.value for r in cls])) from None


class Action(StrEnum):
    """Everything the library lets a person do."""

    READ_OWN_PATIENT = "read the record of a patient in one's care"
    AMEND_OWN_PATIENT = "amend the record of a patient in one's care"
    READ_FOR_DEIDENTIFICATION = "read records in bulk to de-identify them"
    VIEW_CATALOGUE = "view the metadata of records"
    INGEST = "file records from a source"
    REQUEST_EXTRACT = "request an extract"
    BUILD_EXTRACT = "build a requested extract"
    VIEW_EVIDENCE = "view the evidence of an extract"
    APPROVE_EXTRACT = "approve an extract"
    RETURN_EXTRACT = "return or reject an extract"
    PUBLISH_EXTRACT = "publish an approved extract"
    REVOKE_EXTRACT = "revoke a published extract"
    LOAD_STORE = "load a release into the store"
    QUERY_STORE = "query the curated store"
    VIEW_AUDIT = "view and verify the audit log"
    MANAGE_ACCOUNTS = "manage accounts and treatment relationships"
    MANAGE_KEYS = "rotate and destroy keys"


_ALLOWED: dict[Action, frozenset[Role]] = {
    Action.READ_OWN_PATIENT: frozenset({Role.DOCTOR}),
    Action.AMEND_OWN_PATIENT: frozenset({Role.DOCTOR}),
    Action.READ_FOR_DEIDENTIFICATION: frozenset({Role.DEIDENTIFIER}),
    Action.VIEW_CATALOGUE: frozenset({Role.ARCHIVIST, Role.AUDITOR}),
    Action.INGEST: frozenset({Role.ARCHIVIST}),
    Action.REQUEST_EXTRACT: frozenset({Role.RESEARCHER, Role.DOCTOR}),
    Action.BUILD_EXTRACT: frozenset({Role.DEIDENTIFIER}),
    Action.VIEW_EVIDENCE: frozenset({Role.STEWARD, Role.AUDITOR}),
    Action.APPROVE_EXTRACT: frozenset({Role.STEWARD}),
    Action.RETURN_EXTRACT: frozenset({Role.STEWARD}),
    Action.PUBLISH_EXTRACT: frozenset({Role.STEWARD}),
    Action.REVOKE_EXTRACT: frozenset({Role.STEWARD}),
    Action.LOAD_STORE: frozenset({Role.STEWARD, Role.ADMIN}),
    Action.QUERY_STORE: frozenset({Role.RESEARCHER, Role.DOCTOR, Role.STEWARD}),
    Action.VIEW_AUDIT: frozenset({Role.AUDITOR}),
    Action.MANAGE_ACCOUNTS: frozenset({Role.ADMIN}),
    Action.MANAGE_KEYS: frozenset({Role.ADMIN}),
}


def check_may(role: Role, action: Action) -> None:
    """Raise unless a role may take an action.

    Parameters
    ----------
    role : Role
        Role of the account.
    action : Action
        What is to be done.

    Raises
    ------
    AccessDeniedError
        If the table does not list the role for the action; an action that is not in the table is allowed to no one.
    """
    allowed = _ALLOWED.get(action, frozenset())
    if role not in allowed:
        who = ", ".join(sorted(allowed)) or "no role"
        raise AccessDeniedError(
            f"role {role.value} may not {action.value}; {who} may. Ask an administrator if your work has changed."
        )


def can(role: Role, action: Action) -> bool:
    """Answer whether a role may take an action, by the same rule as :func:`check_may`.

    Parameters
    ----------
    role : Role
        Role of the account.
    action : Action
        What is to be done.

    Returns
    -------
    bool
        True only when the table lists the role.
    """
    try:
        check_may(role, action)
    except AccessDeniedError:
        return False
    return True
