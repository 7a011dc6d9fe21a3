"""Every error a user can meet, and its exit code.

::

    MedArchiveError
    └── UserError                     2   usage: a command, option or configuration value is wrong
        ├── UnknownSourceError       10   no adapter reads this kind of source
        ├── SourceFormatError        11   a source file is broken, or lacks what its format promises
        ├── SourceEncodingError      12   a text file is not in the encoding it should be in
        ├── UnsafeInputError         13   a file is built to do harm (archive bombs, path traversal)
        ├── AccessDeniedError        20   this role may not do this
        ├── AuthenticationError      21   unknown account or wrong password
        ├── IntegrityError           30   stored bytes differ from what was sealed or signed
        ├── KeyUnavailableError      31   a key is missing, destroyed or wrong
        ├── GateRefusedError         40   the steward's workflow does not allow this step now
        ├── EvidenceFailedError      41   an evidence check did not pass
        ├── ReleaseRefusedError      42   the store loader was given something that is no valid release
        ├── ProtocolError            50   a trial protocol is incomplete or contradicts itself
        ├── NotEstimableError        51   the data cannot answer the question asked
        └── HomeError                60   the home folder is missing, unfinished or of another version

Exit codes are part of the public surface: a cause is known where logs may not be read. A message says what was given,
what is accepted and what to do; it names tables, columns, row numbers and rules, never a value from a record.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class MedArchiveError(Exception):
    """Base of all errors raised on purpose by this project."""

    exit_code: int = 1


class UserError(MedArchiveError):
    """Something a user can put right; shown without a traceback."""

    exit_code = 2


class UnknownSourceError(UserError):
    """No adapter reads this kind of source."""

    exit_code = 10


class SourceFormatError(UserError):
    """A source file is broken, or lacks what its format promises."""

    exit_code = 11


class SourceEncodingError(UserError):
    """A text file is not in the encoding it should be in."""

    exit_code = 12


class UnsafeInputError(UserError):
    """A file is built to do harm, or is larger than the declared limits."""

    exit_code = 13


class AccessDeniedError(UserError):
    """This role may not do this; the message says who may, and how to ask."""

    exit_code = 20


class AuthenticationError(UserError):
    """Unknown account or wrong password (never says which)."""

    exit_code = 21


class IntegrityError(UserError):
    """Stored bytes differ from what was sealed, chained or signed."""

    exit_code = 30


class KeyUnavailableError(UserError):
    """A key is missing, destroyed or wrong."""

    exit_code = 31


class GateRefusedError(UserError):
    """The steward's workflow does not allow this step in this state."""

    exit_code = 40


class EvidenceFailedError(UserError):
    """An evidence check did not pass, so the extract cannot be approved."""

    exit_code = 41


class ReleaseRefusedError(UserError):
    """The store loader was given something that is no valid release."""

    exit_code = 42


class ProtocolError(UserError):
    """A trial protocol is incomplete or contradicts itself."""

    exit_code = 50


class NotEstimableError(UserError):
    """The data cannot answer the question asked (an arm is empty, no overlap, no event)."""

    exit_code = 51


class HomeError(UserError):
    """The home folder is missing, unfinished or was written by another version."""

    exit_code = 60


def unknown_choice(kind: str, given: str, accepted: Iterable[str]) -> str:
    """Say which choice was unknown, what is accepted, and the nearest name.

    Parameters
    ----------
    kind : str
        What is being chosen, e.g. ``"source"`` or ``"column"``.
    given : str
        The unknown name, as the user typed it. Must come from the user's command or configuration, never from a record.
    accepted : iterable of str
        The names that would have been understood.

    Returns
    -------
    str
        One sentence fit for an error message.

    Examples
    --------
    >>> unknown_choice("source", "fhri", ["csv", "fhir"])
    "unknown source 'fhri'; accepted: csv, fhir. Did you mean 'fhir'?"
    """
    names = sorted(accepted)
    near = get_close_matches(given, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {given!r}; accepted: {', '.join(names)}.{hint}"
