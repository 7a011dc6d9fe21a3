"""The clinical terms we look for, from the tracked vocabulary lists, as an automaton over both languages."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import ahocorasick

from ..core.paths import data_dir

_FILES = {"conditions": "condition", "drugs": "drug", "procedures": "procedure", "measurements": "measurement"}
_ASCII = re.compile(r"[ -~]+")


@dataclass(frozen=True)
class Term:
    """One way to write one concept."""

    literal: str
    code: str
    code_system: str
    domain: str
    is_case_sensitive: bool


@dataclass(frozen=True)
class Mention:
    """One term found at one place of a text."""

    start: int
    end: int
    term: Term


def _terms() -> Iterator[Term]:
    for name, domain in _FILES.items():
        with (data_dir() / "vocab" / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                literals = [
                    row["name_zh"],
                    row["name_en"],
                    *row["synonyms_zh"].split("|"),
                    *row["synonyms_en"].split("|"),
                ]
                for literal in dict.fromkeys(text.strip() for text in literals):
                    is_short = bool(_ASCII.fullmatch(literal)) and len(literal) <= 4
                    if len(literal) >= 2 and any(c.isalpha() for c in literal):
                        yield Term(literal, row["code"], row["code_system"], domain, is_short)


@cache
def _automaton() -> ahocorasick.Automaton:
    automaton = ahocorasick.Automaton()
    by_literal: dict[str, list[Term]] = {}
    for term in _terms():
        by_literal.setdefault(term.literal.lower(), []).append(term)
    for literal, terms in by_literal.items():
        automaton.add_word(literal, terms)
    automaton.make_automaton()
    return automaton


def find_terms(text: str) -> list[Mention]:
    """Find vocabulary terms in a text; of overlapping ones the longest counts.

    Parameters
    ----------
    text : str
        A sentence or a note.

    Returns
    -------
    list of Mention
        In order of place. A Latin term counts as a whole word only; a short abbreviation only in its own case. A literal that
        several concepts share counts for the first in the order conditions, drugs, procedures, measurements.
    """
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters change length in lower case; places must stay those of the text
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    hits = []
    for last, terms in _automaton().iter(lowered):
        size = len(terms[0].literal)
        start, end = last - size + 1, last + 1
        if _is_cut(text, start, end):
            continue
        fitting = [t for t in terms if not t.is_case_sensitive or text[start:end] == t.literal]
        if fitting:
            hits.append(Mention(start, end, fitting[0]))
    hits.sort(key=lambda m: (m.start - m.end, m.start))
    taken: list[Mention] = []
    for hit in hits:
        if all(hit.end <= other.start or hit.start >= other.end for other in taken):
            taken.append(hit)
    return sorted(taken, key=lambda m: m.start)


def _is_cut(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    first, last = text[start], text[end - 1]
    return (_is_word(before) and _is_word(first)) or (_is_word(last) and _is_word(after))


def _is_word(character: str) -> bool:
    return character.isascii() and character.isalnum()
