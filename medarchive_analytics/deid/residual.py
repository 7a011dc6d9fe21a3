"""Look again at what comes out: an independent second pass that quarantines instead of releasing.

It shares no code with the detector's layers but the check-digit arithmetic: plain containment of known identifiers,
checked numbers, unexplained digit runs and name shapes after labels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import polars as pl

from medarchive_analytics.core.filing import Privacy, filing_standard

from .known import KnownPerson, is_han
from .lexicon import word_set
from .normalise import condense, lower, normalise
from .recognizers import bank_card, resident_id, social_credit_code
from .results import Finding
from .surrogates import is_marked_number, is_surrogate_name

_MASK = "ሀ"
_DIGITS = re.compile(r"(?<![0-9A-Za-z.,])[0-9]{6,}(?![0-9]|[.,][0-9])")
_UNIT = re.compile(
    r"\s*(?:[x×*]\s*10|10\^|copies|拷贝|cells?|个|万|/|%|iu|u(?![a-z])|unt|units?|mg|ug|μg|g(?![a-z])|ml|mm|单位|次|元|人|例)",
    re.I,
)
_RESIDENT = re.compile(r"(?<![0-9A-Za-z])[1-9][0-9]{16}[0-9Xx](?![0-9A-Za-z])")
_MOBILE = re.compile(r"(?<![0-9.])1[3-9][0-9][ \-]?[0-9]{4}[ \-]?[0-9]{4}(?![0-9])")
_EMAIL = re.compile(r"[0-9A-Za-z._+\-]+@[0-9A-Za-z\-]+\.[A-Za-z.]{2,}")
_SSN = re.compile(r"(?<![0-9\-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9\-])")
_CARD = re.compile(r"(?<![0-9.])[3-9][0-9]{3}(?:[ \-]?[0-9]{4}){2,3}[ \-]?[0-9]{1,4}(?![0-9])")
_GROUPED = re.compile(r"(?<![0-9A-Za-z.])\+?[0-9]+(?:[ \-()]{1,2}[0-9]+)+[Xx]?(?![0-9A-Za-z])")
_CODE = re.compile(r"(?<![0-9A-Za-z])[159ANY][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Za-z])")
_NAME_ZH = re.compile(r"(?:姓\s*名|患者签[名字]|家属签[名字]|联系人)\s*[:]\s*(?P<v>[一-鿿]{2,4})")
_NAME_EN = re.compile(
    r"(?:Patient Name|Patient name|PATIENT NAME|Name|MRN Name)\s*:\s*(?P<v>[A-Z][a-z'\-]+[0-9]*,? [A-Z][A-Za-z'\-]+[0-9]*)"
)


@lru_cache(maxsize=512)
def _plain_identifiers(person: KnownPerson) -> tuple[tuple[str, str], ...]:
    out: dict[str, str] = {}
    for name in (*person.names, *person.latin_names, *person.contact_names):
        text = condense(normalise(name).text).text
        if len(text) >= (2 if is_han(name) else 5):
            out[text] = "name"
        if not is_han(name):
            for token in re.findall(r"[a-z]+[0-9]+", lower(name)):
                if len(token) >= 4:
                    out[token] = "name"
    for value in (*person.ids, *person.phones, *person.emails):
        text = condense(normalise(value).text).text
        if len(text) >= 5:
            out[text] = "number"
    if person.birth_date:
        out[f"{person.birth_date:%Y%m%d}"] = "birth_date"
    return tuple(out.items())


def _marked_groups(text: str) -> list[tuple[int, int]]:
    """Return where our own replacement numbers stand that are written in groups, with or without a country code."""
    out = []
    for match in _GROUPED.finditer(text):
        digits = re.sub(r"[^0-9]", "", match.group())
        without_country = digits[2:] if match.group().startswith(("+86", "86")) else digits[1:] if match.group()[:2] == "+1" else ""
        if is_marked_number(digits) or (without_country and is_marked_number(without_country)):
            out.append(match.span())
    return out


def _numbers(text: str, dates_stay: bool) -> list[tuple[int, int, str, str]]:
    checked = (
        (_RESIDENT, resident_id.is_valid, "RESIDENT_ID"),
        (_CARD, bank_card.is_valid, "BANK_CARD"),
        (_CODE, social_credit_code.is_valid, "SOCIAL_CREDIT_CODE"),
        (_MOBILE, lambda v: True, "PHONE"),
        (_SSN, lambda v: not v.startswith("000"), "US_SSN"),
    )
    out = []
    for pattern, check, kind in checked:
        for match in pattern.finditer(text):
            if check(match.group()) and not is_marked_number(re.sub(r"[^0-9]", "", match.group())):
                out.append((*match.span(), kind, "checked_number"))
    grouped = _marked_groups(text)
    for match in _DIGITS.finditer(text):
        digits = match.group()
        if is_marked_number(digits) or _UNIT.match(text, match.end()):
            continue
        if any(start <= match.start() and match.end() <= end for start, end in grouped):
            continue
        if dates_stay and re.fullmatch(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]*", digits):
            continue
        out.append((*match.span(), "ID_NUMBER", "digit_run"))
    return out


def _known(text: str, person: KnownPerson) -> list[tuple[int, int, str, str]]:
    out = []
    condensed = condense(text)
    for value, rule in _plain_identifiers(person):
        at = condensed.text.find(value)
        while at >= 0:
            start, end = condensed.positions[at], condensed.positions[at + len(value) - 1] + 1
            at = condensed.text.find(value, at + 1)
            before, after = text[start - 1 : start], text[end : end + 1]
            is_inside = (before.isascii() and before.isalnum()) or (after.isascii() and after.isalnum())
            if value.isascii() and is_inside and (rule == "name" or len(value) < 6):
                continue
            if re.search(r"[^\s\-./()_·*:,'#]", "".join(c for c in text[start:end] if not c.isalnum())):
                continue
            out.append((start, end, "KNOWN", "known_" + rule))
    return out


def scan_text(
    text: str,
    person: KnownPerson | None = None,
    surrogate_spans: Sequence[tuple[int, int]] = (),
    index: int = 0,
    where: str = "",
    dates_stay: bool = False,
) -> list[Finding]:
    """Return what an output text still seems to identify.

    Parameters
    ----------
    text : str
        Text as it would be released.
    person : KnownPerson or None
        Whose text it is.
    surrogate_spans : sequence of (int, int)
        Where our replacements stand; they are not looked at.
    index, where : int, str
        Copied into the findings.
    dates_stay : bool
        Whether the policy keeps dates.

    Returns
    -------
    list of Finding
        Empty when nothing is left.
    """
    pieces, at = [], 0
    for start, end in surrogate_spans:
        pieces += [text[at:start], _MASK * (end - start)]
        at = end
    pieces.append(text[at:])
    normal = normalise("".join(pieces))
    seen = normal.text
    hits: list[tuple[int, int, str, str]] = []
    if any("0" <= c <= "9" for c in seen):
        hits += _numbers(seen, dates_stay)
    if "@" in seen:
        hits += [(*m.span(), "EMAIL", "email_shape") for m in _EMAIL.finditer(seen)]
    for match in _NAME_ZH.finditer(seen):
        name = match.group("v")
        if name[0] in word_set("plain_surnames") and name not in word_set("not_names") and not is_surrogate_name(name):
            hits.append((*match.span("v"), "PERSON", "name_after_label"))
    for match in _NAME_EN.finditer(seen):
        if not is_surrogate_name(match.group("v")):
            hits.append((*match.span("v"), "PERSON", "name_after_label"))
    if person is not None:
        hits += _known(seen, person)
    return [Finding(index, *normal.to_source(s, e), kind, rule, where) for s, e, kind, rule in hits]


def scan_residual(
    material: Sequence[str] | Mapping[str, pl.DataFrame],
    persons: Sequence[KnownPerson | None] | Mapping[int, KnownPerson] | None = None,
    surrogate_spans: Sequence[Sequence[tuple[int, int]]] | None = None,
    dates_stay: bool = False,
) -> tuple[Finding, ...]:
    """Scan output texts, or the text columns of released tables, for anything that still identifies.

    Parameters
    ----------
    material : sequence of str, or mapping of str to polars.DataFrame
        Texts, or released tables.
    persons : sequence, or mapping of int to KnownPerson
        One per text; for tables, ``person_id`` to the person.
    surrogate_spans : sequence, optional
        One list of spans per text. Without them surrogates are recognised by their marks.
    dates_stay : bool
        Whether the policy keeps dates.

    Returns
    -------
    tuple of Finding
        Empty when nothing is left.
    """
    if isinstance(material, Mapping):
        return _scan_tables(material, persons if isinstance(persons, Mapping) else {}, dates_stay)
    if isinstance(material, str):
        material = [material]
    findings: list[Finding] = []
    for i, text in enumerate(material):
        person = persons[i] if persons is not None else None
        spans = surrogate_spans[i] if surrogate_spans is not None else ()
        findings += scan_text(text, person, spans, i, "", dates_stay)
    return tuple(findings)


def _scan_tables(
    tables: Mapping[str, pl.DataFrame], persons: Mapping[int, KnownPerson], dates_stay: bool
) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    standard = filing_standard().tables
    for name, frame in tables.items():
        if name not in standard:
            continue
        columns = [c.released_name for c in standard[name].columns.values() if c.privacy is Privacy.TEXT]
        owners = frame["person_id"].to_list() if "person_id" in frame.columns else [None] * frame.height
        for column in (c for c in columns if c in frame.columns):
            clean: set[tuple[object, str]] = set()
            for i, (owner, text) in enumerate(zip(owners, frame[column].to_list())):
                person = persons.get(owner)
                seen = (owner if person is not None else None, text)
                if text is None or seen in clean:
                    continue
                hits = scan_text(text, person, (), i, f"{name}.{column}", dates_stay)
                findings += hits
                if not hits:
                    clean.add(seen)
    return tuple(findings)
