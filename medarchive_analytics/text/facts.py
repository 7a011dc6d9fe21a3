"""From free text to facts: what is said, with which assertion, in which section, and at which characters of the note."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from ..core.workers import process_pool
from .assertion import FLAGS, Assertion, asserter
from .sentences import Sentence, detect_language, section_rules, sentences_of
from .vocabulary import Mention, find_terms

NLP_SYSTEM = "medarchive-rules/1 (medspaCy ConText)"
FACT_COLUMNS: dict[str, pl.DataType] = {
    "note_id": pl.Int64(), "person_id": pl.Int64(), "visit_id": pl.Int64(), "fact_id": pl.Int64(), "start": pl.Int64(),
    "end": pl.Int64(), "lexical_variant": pl.String(), "code": pl.String(), "code_system": pl.String(), "domain": pl.String(),
    "section": pl.String(), "label": pl.String(), "is_negated": pl.Boolean(), "is_uncertain": pl.Boolean(),
    "is_historical": pl.Boolean(), "is_family": pl.Boolean(), "is_hypothetical": pl.Boolean(), "value_number": pl.Float64(),
    "value_text": pl.String(), "unit": pl.String(), "nlp_system": pl.String(), "written_time": pl.Datetime("us"),
}  # fmt: skip
_DOSE = re.compile(r"[\s:：,，为]{0,3}([0-9]+(?:\.[0-9]+)?)\s?(mg|g|ug|μg|mcg|IU|iu|U|ml|mL|万单位|片|粒)(?![A-Za-z/])")
_VALUE = re.compile(
    r"[\s:：,，为是]{0,4}(?:was |of |is )?([0-9]+(?:\.[0-9]+)?)(?!\s*[-/年月日:：][0-9])\s?"
    r"([×x]?\s?10\^?\d+/L|[A-Za-zμ%/]+[A-Za-z/]*)?"
)
_CHUNK = 400


@dataclass(frozen=True)
class Fact:
    """One fact with its pointer into the note; ``start`` and ``end`` count characters of the note."""

    start: int
    end: int
    code: str
    code_system: str
    domain: str
    section: str
    assertion: Assertion
    value_number: float | None = None
    unit: str | None = None

    def __repr__(self) -> str:
        """Show place and code, not the words."""
        return f"Fact({self.start}-{self.end}, {self.code_system}:{self.code}, {self.assertion.label})"


@cache
def _observations() -> list[tuple[str, str, re.Pattern[str], list[tuple[str, re.Pattern[str]]]]]:
    raw = tomllib.loads(Path(__file__).with_name("observations.toml").read_text(encoding="utf-8"))
    return [
        (
            o["code"],
            o["code_system"],
            re.compile(o["trigger"], re.IGNORECASE),
            [(p["label"], re.compile(p["pattern"], re.IGNORECASE)) for p in o["patterns"]],
        )
        for o in raw["observation"]
    ]


def facts_of(text: str, language: str | None = None) -> list[Fact]:
    """Extract the facts of one note.

    Parameters
    ----------
    text : str
        The note; in practice de-identified.
    language : str, optional
        ``"zh"`` or ``"en"``; told from each sentence when None or ``"mixed"``.

    Returns
    -------
    list of Fact
        In order of place.
    """
    found: list[Fact] = []
    fixed = language if language in ("zh", "en") else None
    for sentence in sentences_of(text):
        words = text[sentence.start : sentence.end]
        mentions = find_terms(words)
        if mentions:
            spoken = fixed or detect_language(words)
            assertions = asserter(spoken).assert_mentions(words, mentions)
            found += [_fact(words, sentence, m, a) for m, a in zip(mentions, assertions, strict=True)]
        found += _written_observations(words, sentence)
    return sorted(found, key=lambda f: (f.start, f.end))


def _fact(words: str, sentence: Sentence, mention: Mention, assertion: Assertion) -> Fact:
    number, unit = None, None
    if mention.term.domain in ("drug", "measurement"):
        match = (_DOSE if mention.term.domain == "drug" else _VALUE).match(words, mention.end)
        if match:
            number, unit = float(match.group(1)), match.group(2)
    return Fact(
        sentence.start + mention.start,
        sentence.start + mention.end,
        mention.term.code,
        mention.term.code_system,
        mention.term.domain,
        sentence.section,
        _in_section(assertion, sentence.section, mention.term.domain),
        number,
        unit,
    )


def _in_section(assertion: Assertion, section: str, domain: str) -> Assertion:
    rules = section_rules()
    values = {flag: getattr(assertion, flag) for flag in (*FLAGS, "is_allergy")}
    if section in rules.family:
        values["is_family"] = True
    if section in rules.historical and domain in ("condition", "procedure"):
        values["is_historical"] = True
    if section in rules.hypothetical and domain == "condition":
        values["is_hypothetical"] = True
    return Assertion(**values)


def _written_observations(words: str, sentence: Sentence) -> list[Fact]:
    found = []
    for code, system, trigger, patterns in _observations():
        if not trigger.search(words):
            continue
        for label, pattern in patterns:
            match = pattern.search(words)
            if match:
                flag = {} if label == "affirmed" else {f"is_{label}": True}
                start, end = sentence.start + match.start(), sentence.start + match.end()
                found.append(Fact(start, end, code, system, "observation", sentence.section, Assertion(**flag)))
                break
    return found


def extract_facts(notes: pl.DataFrame, workers: int = 1) -> pl.DataFrame:
    """Extract the facts of all notes.

    Parameters
    ----------
    notes : polars.DataFrame
        Released notes: ``note_id, person_id, visit_id, language, written_time, text``.
    workers : int
        Processes; 1 runs here.

    Returns
    -------
    polars.DataFrame
        Columns of ``FACT_COLUMNS``, sorted by note and place; ``fact_id`` follows from note and place alone, so the same note
        gives the same ids whatever else is loaded.
    """
    columns = ["note_id", "person_id", "visit_id", "language", "written_time", "text"]
    usable = notes.select(pl.col(c) if c in notes.columns else pl.lit(None).alias(c) for c in columns)
    usable = usable.filter(pl.col("text").is_not_null()).sort("note_id")
    parts = [usable.slice(i, _CHUNK) for i in range(0, usable.height, _CHUNK)]
    if workers > 1 and len(parts) > 1:
        with process_pool(workers) as pool:
            frames = list(pool.map(_facts_frame, parts))
    else:
        frames = [_facts_frame(part) for part in parts]
    empty = pl.DataFrame(schema=FACT_COLUMNS)
    return pl.concat([empty, *frames]).sort("note_id", "start", "end", "code")


def _facts_frame(notes: pl.DataFrame) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for note in notes.iter_rows(named=True):
        for index, fact in enumerate(facts_of(note["text"], note["language"])):
            rows.append(
                {
                    "note_id": note["note_id"],
                    "person_id": note["person_id"],
                    "visit_id": note["visit_id"],
                    "fact_id": _fact_id(note["note_id"], index),
                    "start": fact.start,
                    "end": fact.end,
                    "lexical_variant": note["text"][fact.start : fact.end],
                    "code": fact.code,
                    "code_system": fact.code_system,
                    "domain": fact.domain,
                    "section": fact.section,
                    "label": fact.assertion.label,
                    **{flag: getattr(fact.assertion, flag) for flag in FLAGS},
                    "value_number": fact.value_number,
                    "value_text": "allergy" if fact.assertion.is_allergy else None,
                    "unit": fact.unit,
                    "nlp_system": NLP_SYSTEM,
                    "written_time": note["written_time"],
                }
            )
    return pl.DataFrame(rows, schema=FACT_COLUMNS)


def _fact_id(note_id: int, index: int) -> int:
    # 52 bits of the note and the running number, mixed into 53 bits; the note id is itself a keyed pseudonym.
    return ((note_id * 6364136223846793005 + index * 1442695040888963407 + 1) & (2**64 - 1)) >> 11
