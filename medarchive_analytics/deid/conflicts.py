"""Settle what happens where layers disagree: union for recall, protected clinical words for precision."""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from .lexicon import lexicon
from .results import Span

_RANK = {"known": 4, "site": 3, "label": 2, "propagated": 1, "pattern": 0}
_EPONYM_ZH = re.compile("|".join(map(re.escape, lexicon()["eponyms_zh"])))
_CLINICAL_AFTER = re.compile(r"(?:'s)?[ -](?:disease|syndrome|score|sign|scale|test|index|criteria|classification|class|grade|palsy|lymphoma|thyroiditis|procedure|fracture|catheter|stage|tumou?r|contracture|esophagus|phenomenon|reflex|position)", re.I)  # fmt: skip


def is_protected(span: Span, text: str) -> bool:
    """Tell whether a span is a clinical eponym and no name.

    Parameters
    ----------
    span : Span
        Candidate, offsets in ``text``.
    text : str
        Normalised text.

    Returns
    -------
    bool
        Only for names found by pattern; labelled and known names beat protection.
    """
    if span.type != "PERSON" or _RANK[span.layer] >= 2:
        return False
    if _CLINICAL_AFTER.match(text, span.end):
        return True
    around = text[max(0, span.start - 4) : span.end + 4]
    low = span.start - max(0, span.start - 4)
    return any(m.start() < low + span.end - span.start and m.end() > low for m in _EPONYM_ZH.finditer(around))


def resolve(spans: list[Span], text: str) -> list[Span]:
    """Return disjoint spans that together cover everything found.

    Parameters
    ----------
    spans : list of Span
        All candidates.
    text : str
        Normalised text.

    Returns
    -------
    list of Span
        In order of appearance. Overlapping spans become one: the longest gives the type, ties go to the surer layer.
    """
    kept = sorted((s for s in spans if not is_protected(s, text)), key=lambda s: (s.start, -s.end))
    out: list[list[Span]] = []
    reach = -1
    for span in kept:
        if span.start < reach:
            out[-1].append(span)
        else:
            out.append([span])
        reach = max(reach if span.start < reach else -1, span.end)
    return [_merge(group) for group in out]


def _merge(group: list[Span]) -> Span:
    best = max(group, key=lambda s: (s.end - s.start, _RANK[s.layer], s.score))
    start, end = group[0].start, max(s.end for s in group)
    return (
        best
        if (best.start, best.end) == (start, end)
        else Span(start, end, best.type, best.score, best.layer, best.rule)
    )
