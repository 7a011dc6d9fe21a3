"""Is a mention affirmed, denied, uncertain, past, of the family, or hypothetical? medspaCy's ConText with our own cues.

medspaCy's components are used without their default rules and without PyRuSH, which writes the words of notes to standard error.
"""

from __future__ import annotations

import re
import tomllib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .vocabulary import Mention

FLAGS = ("is_negated", "is_uncertain", "is_historical", "is_family", "is_hypothetical")
_FLAG_OF = {
    "NEGATED": "is_negated",
    "UNCERTAIN": "is_uncertain",
    "HISTORICAL": "is_historical",
    "FAMILY": "is_family",
    "HYPOTHETICAL": "is_hypothetical",
    "ALLERGY": "is_allergy",
}


@dataclass(frozen=True)
class Assertion:
    """What the sentence says about one mention; all flags are kept, the label is a view on them."""

    is_negated: bool = False
    is_uncertain: bool = False
    is_historical: bool = False
    is_family: bool = False
    is_hypothetical: bool = False
    is_allergy: bool = False

    @property
    def label(self) -> str:
        """One word: hypothetical > family > uncertain > negated > historical > affirmed; a denied family history is negated."""
        if self.is_family and self.is_negated and not self.is_hypothetical:
            return "negated"
        for flag in ("is_hypothetical", "is_family", "is_uncertain", "is_negated", "is_historical"):
            if getattr(self, flag):
                return flag.removeprefix("is_")
        return "affirmed"


class Asserter:
    """ConText over one language.

    Parameters
    ----------
    language : str
        ``"zh"`` or ``"en"``.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._nlp, self._context, raw = _build(language)
        self._list_cues = re.compile(
            "|".join(re.escape(c) for c in sorted(raw["list_rule"]["cues"], key=len, reverse=True))
        )
        fillers = sorted(raw["list_rule"]["fillers"], key=len, reverse=True)
        self._fillers = re.compile("|".join(re.escape(f) for f in fillers))
        self._seen: dict[tuple[str, tuple[tuple[int, int], ...]], tuple[Assertion, ...]] = {}

    def assert_mentions(self, sentence: str, mentions: Sequence[Mention]) -> tuple[Assertion, ...]:
        """Judge the mentions of one sentence.

        Parameters
        ----------
        sentence : str
            The sentence.
        mentions : sequence of Mention
            Places within the sentence, in order, not overlapping.

        Returns
        -------
        tuple of Assertion
            One per mention. Sentences of hospital notes repeat, so results are remembered for the life of this object, in memory
            only.
        """
        key = (sentence, tuple((m.start, m.end) for m in mentions))
        if key not in self._seen:
            if len(self._seen) > 200_000:
                self._seen.clear()
            self._seen[key] = self._judge(sentence, mentions)
        return self._seen[key]

    def _judge(self, sentence: str, mentions: Sequence[Mention]) -> tuple[Assertion, ...]:
        doc = self._nlp.make_doc(sentence)
        for token in doc:
            token.is_sent_start = token.i == 0
        spans = [doc.char_span(m.start, m.end, label="TERM", alignment_mode="expand") for m in mentions]
        kept, last = [], -1
        for span in spans:
            if span is not None and span.start >= last:
                kept.append(span)
                last = span.end
        doc.ents = kept
        doc = self._context(doc)
        flags: list[set[str]] = [set() for _ in mentions]
        for target, modifier in doc._.context_graph.edges:
            flag = _FLAG_OF.get(modifier.category)
            if flag is None:
                continue
            for index, span in enumerate(spans):
                if span is not None and span.start == target.start and span.end == target.end:
                    flags[index].add(flag)
        self._apply_list_rule(sentence, mentions, flags)
        return tuple(_assertion(f) for f in flags)

    def _apply_list_rule(self, sentence: str, mentions: Sequence[Mention], flags: list[set[str]]) -> None:
        for cue in self._list_cues.finditer(sentence):
            if self.language == "en" and not _is_whole_word(sentence, cue.start(), cue.end()):
                continue
            position = cue.end()
            for part in re.split(r"(?<=[，,])", sentence[position:]):
                inside = [i for i, m in enumerate(mentions) if position <= m.start and m.end <= position + len(part)]
                rest = list(part.strip("，,。.；; "))
                for i in inside:
                    for k in range(mentions[i].start - position, mentions[i].end - position):
                        if k < len(rest):
                            rest[k] = " "
                left = self._fillers.sub("", "".join(rest)).strip()
                if not inside or len(left) > 2:
                    break
                for i in inside:
                    if any(f in flags[i] for f in ("is_uncertain", "is_hypothetical")):
                        continue
                    flags[i].add("is_negated")
                    flags[i].discard("is_historical")
                position += len(part)


def _assertion(flags: set[str]) -> Assertion:
    if "is_allergy" in flags and "is_negated" not in flags:
        flags = flags - {"is_historical"}
    return Assertion(**dict.fromkeys(flags, True))


def _is_whole_word(text: str, start: int, end: int) -> bool:
    return not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())


@cache
def asserter(language: str) -> Asserter:
    """Return the asserter of a language, built once per process.

    Parameters
    ----------
    language : str
        ``"zh"`` or ``"en"``.

    Returns
    -------
    Asserter
        Ready to use.
    """
    return Asserter(language)


def _build(language: str) -> tuple[Any, Any, dict[str, Any]]:
    # PyRuSH writes whole notes to standard error through loguru: silenced before medspaCy is imported, whoever configured loguru.
    from loguru import logger as loguru_logger

    loguru_logger.disable("PyRuSH")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import spacy
        from medspacy.context import ConText, ConTextRule

    raw = tomllib.loads(Path(__file__).with_name(f"cues_{language}.toml").read_text(encoding="utf-8"))
    nlp = spacy.blank(language)
    context = ConText(nlp, rules=None, span_attrs=None)
    terminating = {category: list(types) for category, types in raw["terminating"].items()}
    context.terminating_types = terminating
    rules, literals = [], set()
    for group in raw["rule"]:
        for literal in group["cues"]:
            # Two rules with one literal would be pruned to one, silently: the first in the file counts.
            if literal.lower() in literals:
                continue
            literals.add(literal.lower())
            rules.append(
                ConTextRule(
                    literal,
                    group["category"],
                    direction=group["direction"],
                    # medspaCy 1.3.1 does not see that a scope lies inside a wider one, so that a terminator with the default
                    # (whole sentence) scope ends nothing that stands before it; a narrow scope makes the overlap visible.
                    max_scope=1 if group["direction"] == "TERMINATE" else group.get("scope"),
                    terminated_by=set(terminating.get(group["category"], ())),
                )
            )
    # A pattern that never matches keeps spaCy from warning, once per sentence, that the pattern matcher is empty.
    rules.append(ConTextRule("never", "NEVER", pattern=[{"ORTH": "\x00never"}], direction="PSEUDO"))
    context.add(rules)
    return nlp, context, raw
