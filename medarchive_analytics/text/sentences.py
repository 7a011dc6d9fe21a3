"""Sections and sentences of a note, each with its place in the text. Rules only: nothing is learnt, nothing is logged."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_SENTENCE_END = re.compile(r"[。！？；\n]+|(?<=[.!?;])\s+(?=[A-Z一-鿿(\[\"0-9-])|;\s*")
_HAN = re.compile(r"[一-鿿]")
_LATIN = re.compile(r"[A-Za-z]")


@dataclass(frozen=True)
class Sentence:
    """One sentence: its place in the note and the section it stands in."""

    start: int
    end: int
    section: str


@dataclass(frozen=True)
class SectionRules:
    """Titles, and which sections give their mentions a reading."""

    pattern: re.Pattern[str]
    section_of: dict[str, str]
    historical: frozenset[str]
    family: frozenset[str]
    hypothetical: frozenset[str]


@cache
def section_rules() -> SectionRules:
    """Return the section rules of ``sections.toml``.

    Returns
    -------
    SectionRules
        Compiled once.
    """
    raw = tomllib.loads(Path(__file__).with_name("sections.toml").read_text(encoding="utf-8"))
    section_of = {title.lower(): name for name, titles in raw["titles"].items() for title in titles}
    ordered = sorted(section_of, key=len, reverse=True)
    titles = "|".join(re.escape(t) for t in ordered)
    # At the start of a line a heading mark or a number may stand before the title; inside a line a colon must follow it.
    pattern = re.compile(
        rf"(?:^[ \t#*【\[（(]*(?:[0-9一二三四五六七八九十]+[.、．)）]\s*)?(?P<line>{titles})[ \t】\]）)*]*(?:[:：]|[ \t]*$))"
        rf"|(?:(?<=[。；\n.;])\s*(?P<inline>{titles})\s*[:：])",
        re.IGNORECASE | re.MULTILINE,
    )
    return SectionRules(
        pattern, section_of, frozenset(raw["historical"]), frozenset(raw["family"]), frozenset(raw["hypothetical"])
    )


def detect_language(text: str) -> str:
    """Tell Chinese from English by the share of Han characters.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        ``"zh"`` when at least a tenth of the letters are Han, else ``"en"``.

    Examples
    --------
    >>> detect_language("患者 BP 120/80 mmHg，无胸痛")
    'zh'
    """
    han, latin = len(_HAN.findall(text)), len(_LATIN.findall(text))
    return "zh" if han and han * 9 >= latin else "en"


def sentences_of(text: str) -> list[Sentence]:
    """Split a note into sentences with their sections.

    Parameters
    ----------
    text : str
        The note.

    Returns
    -------
    list of Sentence
        In order; white space at the ends is left out, an empty sentence is dropped. Titles are no part of sentences.
    """
    rules = section_rules()
    marks = []
    for match in rules.pattern.finditer(text):
        title = match.group("line") or match.group("inline")
        marks.append((match.start(), match.end(), rules.section_of[title.lower()]))
    spans = []
    position, section = 0, "unknown"
    for start, end, name in marks:
        spans.append((position, start, section))
        position, section = end, name
    spans.append((position, len(text), section))
    found: list[Sentence] = []
    for start, end, name in spans:
        found += _split(text, start, end, name)
    return found


def _split(text: str, start: int, end: int, section: str) -> list[Sentence]:
    out = []
    position = start
    for match in [*_SENTENCE_END.finditer(text, start, end), None]:
        stop = match.start() if match else end
        piece = text[position:stop]
        stripped = piece.strip()
        if stripped:
            first = position + len(piece) - len(piece.lstrip())
            out.append(Sentence(first, first + len(stripped), section))
        position = match.end() if match else end
    return out
