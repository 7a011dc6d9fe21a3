"""Plain results of de-identification: spans, findings and the rewritten text. None of them shows text in its repr."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """One identifier found in a text.

    Parameters
    ----------
    start, end : int
        Offsets in characters of the input text, end exclusive.
    type : str
        Entity type, e.g. ``PERSON``, ``RESIDENT_ID``, ``DATE``.
    score : float
        Confidence, 0 to 1; no probability, it only ranks.
    layer : str
        Which layer found it: ``known``, ``site``, ``label``, ``pattern`` or ``propagated``.
    rule : str
        Identifier of the rule, for explanations on screen.
    """

    start: int
    end: int
    type: str
    score: float = 1.0
    layer: str = "pattern"
    rule: str = ""


@dataclass(frozen=True)
class Finding:
    """Something the residual audit still sees in an output text.

    Parameters
    ----------
    index : int
        Position of the text in what was scanned.
    start, end : int
        Offsets in the scanned text.
    type : str
        What it looks like.
    rule : str
        The audit rule that saw it.
    where : str
        ``table.column`` for tables, else empty.
    """

    index: int
    start: int
    end: int
    type: str
    rule: str
    where: str = ""


@dataclass(frozen=True, repr=False)
class DeidentifiedText:
    """A rewritten text, with what was found in the input and where surrogates stand in the output.

    Parameters
    ----------
    text : str
        The rewritten text.
    spans : tuple of Span
        Identifiers found, offsets in the input.
    surrogate_spans : tuple of (int, int)
        Where replacements stand in ``text``.
    residual : tuple of Finding
        What the residual audit still saw.
    is_quarantined : bool
        Whether the text must not be released.
    reason : str or None
        Kinds of residue, without content.
    """

    text: str
    spans: tuple[Span, ...]
    surrogate_spans: tuple[tuple[int, int], ...] = ()
    residual: tuple[Finding, ...] = ()
    is_quarantined: bool = False
    reason: str | None = None

    def __repr__(self) -> str:
        state = "quarantined" if self.is_quarantined else "clean"
        return f"DeidentifiedText({len(self.text)} characters, {len(self.spans)} spans, {state})"
