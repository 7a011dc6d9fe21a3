"""Assemble a text from pieces and remember, to the character, where every identifier, fact and section lies."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import NamedTuple

import polars as pl

from .vocabulary import Term

_TOKEN = re.compile(
    r"\{(?P<slot>[a-z_0-9]+)(?:!(?P<how>[a-z]+))?\}|\[\[(?P<words>[^|\]]+)\|(?P<code>[^!\]]+)!(?P<said>[a-z]+)\]\]"
)


class Identifier(NamedTuple):
    """A string that points at a person or institution: kind, surface form, and whose it is."""

    kind: str
    value: str
    owner: str = "patient"


class Fixed(NamedTuple):
    """Words of a template that are themselves a clinical fact."""

    words: str
    code: str
    assertion: str


@cache
def compile_template(text: str) -> tuple:
    """Return a template as a tuple of literals, ``(slot, assertion)`` pairs and ``Fixed`` facts.

    Parameters
    ----------
    text : str
        Template in the notation of ``phrases_zh.toml``.

    Returns
    -------
    tuple
        Pieces in order.
    """
    pieces, at = [], 0
    for match in _TOKEN.finditer(text):
        if match.start() > at:
            pieces.append(text[at : match.start()])
        if match["slot"]:
            pieces.append((match["slot"], match["how"] or ""))
        else:
            pieces.append(Fixed(match["words"], match["code"], match["said"]))
        at = match.end()
    if at < len(text):
        pieces.append(text[at:])
    return tuple(pieces)


@dataclass
class Columns:
    """Spans, facts and sections of many notes, as columns."""

    span_note: array = field(default_factory=lambda: array("q"))
    span_start: array = field(default_factory=lambda: array("q"))
    span_end: array = field(default_factory=lambda: array("q"))
    span_kind: list[str] = field(default_factory=list)
    span_value: list[str] = field(default_factory=list)
    span_owner: list[str] = field(default_factory=list)
    fact_note: array = field(default_factory=lambda: array("q"))
    fact_start: array = field(default_factory=lambda: array("q"))
    fact_end: array = field(default_factory=lambda: array("q"))
    fact_code: list[str] = field(default_factory=list)
    fact_system: list[str] = field(default_factory=list)
    fact_assertion: list[str] = field(default_factory=list)
    fact_section: list[str] = field(default_factory=list)
    section_note: array = field(default_factory=lambda: array("q"))
    section_name: list[str] = field(default_factory=list)
    section_start: array = field(default_factory=lambda: array("q"))
    section_end: array = field(default_factory=lambda: array("q"))

    def frames(self, note_ids: Sequence[str]) -> dict[str, pl.DataFrame]:
        """Return ``spans``, ``facts`` and ``sections`` with note numbers in place of positions."""
        ids = pl.Series("note_id", note_ids, pl.String)
        numbers = lambda a: pl.Series(a, dtype=pl.Int64)  # noqa: E731
        return {
            "spans": pl.DataFrame(
                {
                    "note_id": ids.gather(numbers(self.span_note)),
                    "start": numbers(self.span_start),
                    "end": numbers(self.span_end),
                    "kind": pl.Series(self.span_kind, dtype=pl.String),
                    "value": pl.Series(self.span_value, dtype=pl.String),
                    "owner": pl.Series(self.span_owner, dtype=pl.String),
                }
            ),
            "facts": pl.DataFrame(
                {
                    "note_id": ids.gather(numbers(self.fact_note)),
                    "start": numbers(self.fact_start),
                    "end": numbers(self.fact_end),
                    "code": pl.Series(self.fact_code, dtype=pl.String),
                    "code_system": pl.Series(self.fact_system, dtype=pl.String),
                    "assertion": pl.Series(self.fact_assertion, dtype=pl.String),
                    "section": pl.Series(self.fact_section, dtype=pl.String),
                }
            ),
            "sections": pl.DataFrame(
                {
                    "note_id": ids.gather(numbers(self.section_note)),
                    "section": pl.Series(self.section_name, dtype=pl.String),
                    "start": numbers(self.section_start),
                    "end": numbers(self.section_end),
                }
            ),
        }


class NoteBuilder:
    """Builds one note; character offsets go into shared columns.

    Parameters
    ----------
    columns : Columns
        Where offsets are collected.
    note : int
        Position of the note among all notes.
    rng : random.Random
        Chooses among the surface forms of a concept.
    english : bool
        Language of the surface forms.
    mixed_share : float
        Chance that a concept is written in English inside a Chinese note.
    separator : str
        Between the items of a list of concepts.
    """

    def __init__(
        self, columns: Columns, note: int, rng: Random, english: bool, mixed_share: float, separator: str
    ) -> None:
        self.columns, self.note, self.rng = columns, note, rng
        self.english, self.mixed_share, self.separator = english, mixed_share, separator
        self.parts: list[str] = []
        self.position = 0
        self.section = ""

    def add(self, template: str, slots: dict) -> None:
        """Append one filled template.

        Parameters
        ----------
        template : str
            Template text.
        slots : dict
            Slot name to ``str`` (plain), ``Identifier``, ``Term``, tuple of ``Term``, or a nested template as a
            ``list`` of one string.
        """
        for piece in compile_template(template):
            kind = type(piece)
            if kind is str:
                self._literal(piece)
            elif kind is tuple:
                self._value(slots[piece[0]], piece[1], slots)
            else:
                self._fact(piece.words, piece.code, "ICD10", piece.assertion)

    def add_section(self, name: str, template: str, slots: dict) -> None:
        """Append a section on its own lines and record where it lies."""
        if self.position:
            self._literal("\n")
        start, self.section = self.position, name
        self.add(template, slots)
        c = self.columns
        c.section_note.append(self.note)
        c.section_name.append(name)
        c.section_start.append(start)
        c.section_end.append(self.position)

    def text(self) -> str:
        """Return the note so far."""
        return "".join(self.parts)

    def _literal(self, words: str) -> None:
        self.parts.append(words)
        self.position += len(words)

    def _value(self, value: object, assertion: str, slots: dict) -> None:
        kind = type(value)
        if kind is str:
            self._literal(value)
        elif kind is Identifier:
            c, start = self.columns, self.position
            self._literal(value.value)
            c.span_note.append(self.note)
            c.span_start.append(start)
            c.span_end.append(self.position)
            c.span_kind.append(value.kind)
            c.span_value.append(value.value)
            c.span_owner.append(value.owner)
        elif kind is Term:
            english = self.english or (self.mixed_share > 0 and self.rng.random() < self.mixed_share)
            forms = value.forms_en if english else value.forms_zh
            # The preferred name half the time, so that synonyms matter without crowding it out.
            r = self.rng.random()
            words = forms[0] if r < 0.5 else forms[int((r - 0.5) * 2 * len(forms))]
            if self.english and words[1:2].islower() and assertion != "":
                words = (
                    words[0].lower() + words[1:]
                    if words[1:].islower() or (" " in words and words.split()[0][1:].islower())
                    else words
                )
            self._fact(words, value.code, value.code_system, assertion)
        elif kind is tuple:
            for i, item in enumerate(value):
                if i:
                    self._literal(self.separator)
                self._value(item, assertion, slots)
        elif kind is list:
            self.add(value[0], slots)
        else:
            raise TypeError("a slot holds text, an identifier, a concept, concepts or a nested template")

    def _fact(self, words: str, code: str, system: str, assertion: str) -> None:
        c, start = self.columns, self.position
        self._literal(words)
        c.fact_note.append(self.note)
        c.fact_start.append(start)
        c.fact_end.append(self.position)
        c.fact_code.append(code)
        c.fact_system.append(system)
        c.fact_assertion.append(assertion)
        c.fact_section.append(self.section)
