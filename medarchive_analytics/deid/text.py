"""De-identify free text: find with every layer, settle conflicts, rewrite, then audit what came out."""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re
from collections.abc import Sequence

from . import dates
from .conflicts import resolve
from .keys import SurrogateKey
from .known import KnownPerson, SiteKnowledge, is_han
from .lexicon import word_set
from .matcher import find_forms, find_loose, person_forms, site_forms
from .normalise import Normalised, condense, normalise
from .policy import DeidPolicy
from .recognition import roster
from .residual import scan_text
from .results import DeidentifiedText, Finding, Span
from .surrogates import SurrogateMaker

_HAS_DIGIT = re.compile("[0-9]")
_TOKEN = re.compile(r"[A-Za-z'\-]+[0-9]*")


def find_patterns(text: str) -> list[Span]:
    """Return the spans of every recogniser.

    Parameters
    ----------
    text : str
        Normalised text.

    Returns
    -------
    list of Span
        Unresolved, offsets in the normalised text.
    """
    has_digit = _HAS_DIGIT.search(text) is not None
    spans: list[Span] = []
    for recognizer in roster().values():
        if recognizer.needs == "digit":
            if not has_digit:
                continue
        elif recognizer.needs and not any(c in text for c in recognizer.needs):
            continue
        spans.extend(recognizer.find(text))
    return spans


def _propagate(spans: list[Span], text: str) -> list[Span]:
    wanted: set[str] = set()
    for span in spans:
        if span.type != "PERSON" or span.layer != "label" or span.score < 0.8:
            continue
        name = text[span.start : span.end]
        if is_han(name):
            plain = name.replace(" ", "")
            if len(plain) >= 3 or (len(plain) == 2 and plain[0] in word_set("plain_surnames")):
                wanted.add(plain)
        else:
            tokens = [t for t in _TOKEN.findall(name) if len(t) >= 4]
            common = word_set("common_english") | {e.lower() for e in word_set("eponyms_en")}
            wanted |= {t for t in tokens if t.lower() not in common}
    out = []
    for name in wanted:
        at = text.find(name)
        while at >= 0:
            end = at + len(name)
            edge = name.isascii() and (
                (at and text[at - 1].isalnum() and text[at - 1].isascii())
                or (text[end : end + 1].isascii() and text[end : end + 1].isalnum())
            )
            if not edge:
                out.append(Span(at, end, "PERSON", 0.8, "propagated", "name_seen_before"))
            at = text.find(name, end)
    return out


class TextDeidentifier:
    """Find and replace identifiers in Chinese, English and mixed text.

    Parameters
    ----------
    policy : DeidPolicy
        What happens to dates, ages and places.
    key : SurrogateKey
        Secret behind surrogates and shifts.
    site : SiteKnowledge, optional
        The hospital's staff and institutions.
    """

    def __init__(self, policy: DeidPolicy, key: SurrogateKey, site: SiteKnowledge | None = None) -> None:
        self.policy, self._key, self._site = policy, key, site or SiteKnowledge()
        self._site_forms = site_forms(self._site)
        self._makers: dict[KnownPerson, SurrogateMaker] = {}

    def __repr__(self) -> str:
        return f"TextDeidentifier(policy={self.policy.name!r})"

    def _maker(self, person: KnownPerson | None, scope: str) -> SurrogateMaker:
        if person is None:
            return SurrogateMaker(self.policy, self._key, None, self._site, scope)
        if person not in self._makers:
            if len(self._makers) > 512:
                self._makers.clear()
            self._makers[person] = SurrogateMaker(self.policy, self._key, person, self._site)
        return self._makers[person]

    def _find(self, normal: Normalised, person: KnownPerson | None) -> list[Span]:
        text = normal.text
        spans = find_patterns(text)
        condensed = condense(text)
        spans += find_forms(self._site_forms, text, condensed, "site")
        if person is not None:
            forms = person_forms(person)
            spans += find_forms(forms, text, condensed, "known")
            spans += find_loose(forms, text)
        spans += _propagate(spans, text)
        found = resolve(spans, text)
        birth = person.birth_date if person is not None else None
        return [self._settle(span, text, birth) for span in found if not self._stays(span)]

    def _stays(self, span: Span) -> bool:
        return span.type == "DATE" and self.policy.date_mode == "keep"

    def _settle(self, span: Span, text: str, birth) -> Span:
        if span.type != "DATE":
            return span
        read = dates.find_shape(text[span.start : span.end])
        is_birth = birth is not None and read is not None and read[2] == (birth.year, birth.month, birth.day)
        before = text[max(0, span.start - 16) : span.start]
        if is_birth or re.search(
            r"(?:出生(?:日期|年月日?|于)?|(?<![一-鿿])生于|生日|(?i:dob|d\.o\.b\.?|birth(?:date)?|born(?: on)?|date of birth))\s*(?:\(.{0,6})?[:为]?\s*$",
            before,
        ):
            return Span(span.start, span.end, "BIRTH_DATE", 0.95, span.layer, "birth_context")
        return span

    def detect(self, text: str, person: KnownPerson | None = None) -> list[Span]:
        """Return the identifiers of a text.

        Parameters
        ----------
        text : str
            As written.
        person : KnownPerson or None
            Whose text it is.

        Returns
        -------
        list of Span
            Disjoint, in order, offsets in characters of the input.
        """
        normal = normalise(text)
        return [self._to_source(normal, span) for span in self._find(normal, person)]

    @staticmethod
    def _to_source(normal: Normalised, span: Span) -> Span:
        start, end = normal.to_source(span.start, span.end)
        return Span(start, end, span.type, span.score, span.layer, span.rule)

    def deidentify(
        self, text: str, person: KnownPerson | None = None, language: str = "auto", scope: str = ""
    ) -> DeidentifiedText:
        """Replace every identifier found, then audit the output.

        Parameters
        ----------
        text : str
            As written.
        person : KnownPerson or None
            Whose text it is; without it, only patterns, labels and site knowledge are used.
        language : {"auto", "zh", "en"}
            Language of placeholders; ``auto`` looks at the neighbourhood of each span.
        scope : str
            Stands for the person where there is none, e.g. the text's id: it keys surrogates and the shift.

        Returns
        -------
        DeidentifiedText
            Quarantined when the audit still sees something.
        """
        normal = normalise(text)
        found = self._find(normal, person)
        maker = self._maker(person, scope)
        pieces, places, spans = [], [], []
        at = length = 0
        for span in found:
            start, end = normal.to_source(span.start, span.end)
            around = text[max(0, start - 6) : end + 6]
            chinese = language == "zh" or (language == "auto" and is_han(around))
            new = maker.replace(span, normal.text[span.start : span.end], chinese)
            pieces += [text[at:start], new]
            length += start - at
            places.append((length, length + len(new)))
            length += len(new)
            at = end
            spans.append(Span(start, end, span.type, span.score, span.layer, span.rule))
        pieces.append(text[at:])
        out = "".join(pieces)
        residual = tuple(scan_text(out, person, places, dates_stay=self.policy.date_mode == "keep"))
        return DeidentifiedText(out, tuple(spans), tuple(places), residual, bool(residual), _reason(residual))


def _reason(residual: Sequence[Finding]) -> str | None:
    if not residual:
        return None
    return "residual audit: " + ", ".join(sorted({f"{f.type}/{f.rule}" for f in residual}))
