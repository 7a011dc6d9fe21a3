"""Find what is known of a patient and of the site in a text, however it was spaced, folded, shortened or mistyped."""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise, permutations

import ahocorasick

from .known import KnownPerson, SiteKnowledge, is_han, split_han_name
from .lexicon import word_set
from .normalise import Condensed, condense, lower, normalise
from .results import Span

_GAP = re.compile(r"[ \t\r\n\-./()_·*:,'#]{0,4}\Z")
_NAME_GAP = re.compile(r"[ \t\r\n\-._·*',]{0,3}\Z")
_RUN = re.compile(r"[0-9A-Za-z](?:[ \t\-./()_]{0,2}[0-9A-Za-z])*")
_DIVISION = re.compile(r"[^省市区县州盟旗镇乡]{1,8}?(?:特别行政区|自治区|自治州|自治县|省|市|区|县|州|盟|旗)")
_LATIN_TOKEN = re.compile(r"[a-z]+[0-9]*|[0-9]+[a-z]+")
_TITLES = {
    "mr",
    "mrs",
    "ms",
    "dr",
    "miss",
    "prof",
    "md",
    "phd",
    "rn",
    "np",
    "pa",
    "jr",
    "sr",
    "ii",
    "iii",
    "dds",
    "jd",
    "do",
}


@dataclass(frozen=True)
class Form:
    """One way a known identifier may be written, condensed."""

    text: str
    type: str
    kind: str  # han | latin | number | loose
    rule: str
    score: float = 1.0


@dataclass(repr=False)
class Forms:
    """All forms of one person or site, ready to match."""

    automaton: object | None = None
    fuzzy: list[tuple[str, str]] = field(default_factory=list)
    solo: dict[str, bool] = field(default_factory=dict)
    first: frozenset[str] = frozenset()


def _latin_tokens(name: str) -> list[str]:
    return [t for t in _LATIN_TOKEN.findall(lower(normalise(name).text)) if t not in _TITLES]


def latin_forms(name: str, type_: str) -> tuple[list[Form], dict[str, bool]]:
    """Return condensed forms of a name in Latin letters, and tokens that count alone.

    Parameters
    ----------
    name : str
        Full name, any order.
    type_ : str
        Entity type of the name.

    Returns
    -------
    tuple of (list of Form, dict of str to bool)
        Forms; token to whether it must be capitalised when it stands alone.
    """
    tokens = _latin_tokens(name)
    forms, solo = [], {}
    if not tokens:
        return forms, solo
    orders = set(permutations(tokens)) if len(tokens) <= 3 else {tuple(tokens), tuple(tokens[::-1])}
    orders |= {(a, b) for a in tokens for b in tokens if a != b}
    forms += [Form("".join(o), type_, "latin", "known_name") for o in orders if len(o) > 1 and len("".join(o)) >= 4]
    # "Zhang W" and "W Zhang": an initial beside the family name (the first or the last token).
    for family in {tokens[0], tokens[-1]}:
        for other in tokens:
            if other != family and len(family) >= 2:
                forms += [Form(family + other[0], type_, "initial", "known_initial")]
                forms += [Form(other[0] + family, type_, "initial", "known_initial")]
    for token in tokens:
        has_digit = any(c.isdigit() for c in token)
        if has_digit and len(token) >= 3:
            solo[token] = False
            stem = token.rstrip("0123456789")
            if len(stem) >= 3:
                solo.setdefault(stem, True)
        elif len(token) >= 3:
            solo[token] = token in word_set("common_english") or len(token) <= 4
    return forms, solo


def _han_forms(name: str, type_: str) -> list[Form]:
    clean = "".join(c for c in normalise(name).text if c.isalnum() or c == "·")
    joined = clean.replace("·", "")
    forms = [Form(lower(joined), type_, "han", "known_name")] if len(joined) >= 2 else []
    family, given = split_han_name(clean)
    given = given.replace("·", "")
    if len(given) >= 2 and given not in word_set("word_given_names"):
        forms.append(Form(lower(given), type_, "han", "known_given_name", 0.9))
    if "·" in clean and len(family) >= 2:
        forms.append(Form(lower(family), type_, "han", "known_name_part", 0.9))
    forms += [
        Form(family + t, type_, "titled", "known_surname_title", 0.9)
        for t in ("先生", "女士", "某某", "某", "氏", "xx", "x")
    ]
    if given:
        forms += [
            Form(p + family, type_, "han", "known_familiar", 0.85)
            for p in ("老", "小")
            if family not in "年时便腿肠腹脑"
        ]
    return forms


def name_forms(name: str, type_: str = "PERSON") -> tuple[list[Form], dict[str, bool]]:
    """Return the forms of one name in either script.

    Parameters
    ----------
    name : str
        A name as written.
    type_ : str
        Entity type.

    Returns
    -------
    tuple of (list of Form, dict of str to bool)
        See `latin_forms`.
    """
    if is_han(name):
        return _han_forms(name, type_), {}
    return latin_forms(name, type_)


def _id_type(value: str) -> str:
    text = value.strip()
    if re.fullmatch(r"[0-9]{17}[0-9Xx]", text):
        return "RESIDENT_ID"
    return "US_SSN" if re.fullmatch(r"[0-9]{3}-[0-9]{2}-[0-9]{4}", text) else "ID_NUMBER"


def _number_forms(value: str, type_: str) -> tuple[list[Form], str]:
    text = condense(normalise(value).text).text
    forms = []
    if len(text) >= 4:
        forms.append(Form(text, type_, "number", "known_number"))
        stripped = text.lstrip("0")
        if 4 <= len(stripped) < len(text):
            forms.append(Form(stripped, type_, "number", "known_number"))
    if len(text) >= 10:
        # Kept parts of a masked or folded number. Eight are enough to find the person; four are, behind a mask.
        forms += [Form(text[:size], type_, "number", "known_prefix", 0.9) for size in (8,)]
        forms += [Form(text[-size:], type_, "number", "known_suffix", 0.9) for size in (8, 6)]
    return forms, text


def _birth_forms(day: dt.date) -> list[Form]:
    return [Form(f"{day:%Y%m%d}", "BIRTH_DATE", "number", "known_birth"), Form(f"{day:%d%m%Y}", "BIRTH_DATE", "number", "known_birth"),
            Form(f"{day:%m%d%Y}", "BIRTH_DATE", "number", "known_birth")]  # fmt: skip


def _address_forms(address: str) -> list[Form]:
    text = normalise(address).text
    whole = condense(text).text
    if whole.isdigit():
        return [Form(whole, "ADDRESS", "number", "known_postcode")] if len(whole) >= 5 else []
    forms = [Form(whole, "ADDRESS", "loose", "known_address")] if len(whole) >= 4 else []
    if is_han(text):
        rest = text
        while (match := _DIVISION.match(rest)) and match.end() < len(rest):
            rest = rest[match.end() :]
            tail = condense(rest).text
            if len(tail) >= 4:
                forms.append(Form(tail, "ADDRESS", "loose", "known_address_part"))
        street = condense(re.split(r"[0-9一二三四五六七八九十]", rest)[0]).text
        if len(street) >= 3:
            forms.append(Form(street, "ADDRESS", "loose", "known_street", 0.9))
    else:
        line = condense(text.split(",")[0].split("\n")[0]).text
        if len(line) >= 6:
            forms.append(Form(line, "ADDRESS", "loose", "known_street"))
    return forms


def _build(forms: list[Form], solo: dict[str, bool], fuzzy: list[tuple[str, str]]) -> Forms:
    automaton = ahocorasick.Automaton()
    by_text: dict[str, list[Form]] = {}
    for form in forms:
        if form.text:
            by_text.setdefault(form.text, []).append(form)
    for text, same in by_text.items():
        automaton.add_word(text, tuple(same))
    if by_text:
        automaton.make_automaton()
    return Forms(automaton if by_text else None, fuzzy, solo, frozenset(t[0] for t in solo))


@lru_cache(maxsize=512)
def person_forms(person: KnownPerson) -> Forms:
    """Compile everything known of a person into one automaton.

    Parameters
    ----------
    person : KnownPerson
        The dictionary.

    Returns
    -------
    Forms
        Kept in memory only, for the last few hundred persons.
    """
    forms: list[Form] = []
    solo: dict[str, bool] = {}
    fuzzy: list[tuple[str, str]] = []
    for name in (*person.names, *person.latin_names):
        more, alone = name_forms(name, "PERSON")
        forms += more
        solo |= alone
    for name in person.contact_names:
        more, alone = name_forms(name, "PERSON")
        forms += more
        solo |= alone
    for values, type_ in ((person.ids, "ID_NUMBER"), (person.phones, "PHONE")):
        for value in values:
            more, text = _number_forms(value, _id_type(value) if type_ == "ID_NUMBER" else type_)
            forms += more
            if len(text) >= 6:
                fuzzy.append((text, more[0].type))
    if person.birth_date:
        forms += _birth_forms(person.birth_date)
    for value in person.emails:
        forms.append(Form(condense(normalise(value).text).text, "EMAIL", "loose", "known_email"))
    for value in person.addresses:
        forms += _address_forms(value)
    for value in person.cities:
        text = condense(normalise(value).text).text
        if is_han(text):
            forms.append(Form(text, "ADDRESS", "loose", "known_city"))
        elif len(text) >= 4:
            forms.append(Form(text, "ADDRESS", "latin", "known_city"))
    for value in person.organizations:
        text = condense(normalise(value).text).text
        if len(text) >= 4:
            forms.append(Form(text, "ORGANIZATION", "loose", "known_employer"))
    for value in person.beds:
        text = condense(normalise(value).text).text.removesuffix("床").removesuffix("号")
        if text:
            forms += [Form(text + s, "BED", "bed", "known_bed") for s in ("床", "号床")] + [
                Form("bed" + text, "BED", "bed", "known_bed")
            ]
    return _build(forms, solo, fuzzy)


@lru_cache(maxsize=8)
def site_forms(site: SiteKnowledge) -> Forms:
    """Compile staff and institutions into one automaton.

    Parameters
    ----------
    site : SiteKnowledge
        The dictionary.

    Returns
    -------
    Forms
        For `find_forms`.
    """
    forms: list[Form] = []
    for name in (*site.staff_names, *site.staff_latin):
        if is_han(name):
            text = condense(normalise(name).text).text
            if len(text) >= 2:
                forms.append(Form(text, "STAFF", "han", "known_staff"))
        else:
            more, _ = latin_forms(name, "STAFF")
            forms += [f for f in more if f.kind == "latin"]
            forms += [
                Form(t, "STAFF", "latin", "known_staff") for t in _latin_tokens(name) if len(t) >= 4 and t[-1].isdigit()
            ]
    for value in site.organizations:
        text = condense(normalise(value).text).text
        if len(text) >= 4:
            forms.append(Form(text, "ORGANIZATION", "loose", "known_organization"))
    for value in site.phones:
        forms += _number_forms(value, "PHONE")[0][:1]
    for value in site.addresses:
        forms += _address_forms(value)[:1]
    for value in site.staff_ids:
        text = condense(value).text
        if len(text) >= 5 and any(c.isdigit() for c in text):
            forms.append(Form(text, "STAFF_ID", "number", "known_staff_id"))
    return _build(forms, {}, [])


def _is_latin(char: str) -> bool:
    return char.isalnum() and not "\u2e80" <= char <= "\u9fff"


def _accept(form: Form, text: str, start: int, end: int, gaps: list[str]) -> tuple[int, int] | None:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    match form.kind:
        case "han" | "titled":
            return (start, end) if all(_NAME_GAP.match(g) and g.count("\n") < 2 for g in gaps) else None
        case "latin" | "initial":
            if _is_latin(before) or (_is_latin(after) and not (after.isdigit() and not form.text[-1].isdigit())):
                return None
            if form.kind == "initial" and (len(gaps) != 1 or not (text[start].isupper() and text[end - 1].isalpha())):
                return None
            if form.kind == "initial":
                at = start + (
                    0 if len(text[start:end].split(gaps[0])[0]) == 1 else text[start:end].index(gaps[0]) + len(gaps[0])
                )
                if not text[at].isupper():
                    return None
            if not all(_NAME_GAP.match(g) for g in gaps):
                return None
            return start, end
        case "number":
            if not all(_GAP.match(g) for g in gaps):
                return None
            inside = before.isdigit() or after.isdigit()
            if inside and len(form.text) < 6:
                return None
            while start and _is_latin(text[start - 1]):
                start -= 1
            while end < len(text) and _is_latin(text[end]):
                end += 1
            return start, end
        case "bed":
            return None if before.isdigit() or (after.isdigit()) or any(len(g) > 2 for g in gaps) else (start, end)
        case _:
            return (start, end) if all(len(g) <= 4 for g in gaps) else None


def find_forms(forms: Forms, text: str, condensed: Condensed, layer: str) -> list[Span]:
    """Return spans of known forms in a normalised text.

    Parameters
    ----------
    forms : Forms
        Compiled dictionary.
    text : str
        Normalised text.
    condensed : Condensed
        The same text condensed.
    layer : str
        Name of the layer in the spans.

    Returns
    -------
    list of Span
        Offsets in the normalised text.
    """
    spans: list[Span] = []
    positions = condensed.positions
    if forms.automaton is not None and positions:
        for last, same in forms.automaton.iter(condensed.text):
            for form in same:
                first = last - len(form.text) + 1
                start, end = positions[first], positions[last] + 1
                gaps = []
                if end - start > len(form.text):
                    at = positions[first : last + 1]
                    gaps = [text[a + 1 : b] for a, b in pairwise(at) if b > a + 1]
                hit = _accept(form, text, start, end, gaps)
                if hit:
                    spans.append(Span(*hit, form.type, form.score, layer, form.rule))
    return spans


_WORDS = re.compile(r"(?<![0-9A-Za-z])[A-Za-z]+[0-9]*(?![0-9A-Za-z])")


def _one_edit(a: str, b: str) -> bool:
    if abs(len(a) - len(b)) > 1:
        return False
    i = 0
    while i < min(len(a), len(b)) and a[i] == b[i]:
        i += 1
    if a[i:] == b[i:] or a[i + 1 :] == b[i + 1 :] or a[i:] == b[i + 1 :] or a[i + 1 :] == b[i:]:
        return True
    return a[:i] == b[:i] and a[i : i + 2] == b[i : i + 2][::-1] and a[i + 2 :] == b[i + 2 :]


def find_loose(forms: Forms, text: str) -> list[Span]:
    """Return single name tokens and numbers with one mistyped character.

    Parameters
    ----------
    forms : Forms
        Compiled person.
    text : str
        Normalised text.

    Returns
    -------
    list of Span
        Offsets in the normalised text.
    """
    spans: list[Span] = []
    long_names = [t for t in forms.solo if len(t) >= 6]
    if forms.solo:
        for match in _WORDS.finditer(text):
            word = match.group()
            low = word.lower()
            if low[0] not in forms.first:
                continue
            need_capital = forms.solo.get(low)
            if need_capital is False or (need_capital and word[0].isupper()):
                spans.append(Span(*match.span(), "PERSON", 0.95, "known", "known_name_token"))
            elif (
                need_capital is None
                and word[0].isupper()
                and len(low) >= 6
                and any(low[0] == n[0] and _one_edit(low, n) for n in long_names)
            ):
                spans.append(Span(*match.span(), "PERSON", 0.8, "known", "known_name_typo"))
    if forms.fuzzy:
        lengths = [len(t) for t, _ in forms.fuzzy]
        shortest, longest = min(lengths) - 1, max(lengths)
        for match in _RUN.finditer(text):
            if match.end() - match.start() < shortest:
                continue
            spans += _fuzzy_run(forms, text, match.start(), match.end(), longest)
    return spans


_PIECE = re.compile(r"[0-9A-Za-z]+")


def _fuzzy_run(forms: Forms, text: str, start: int, end: int, longest: int) -> list[Span]:
    pieces = [
        (m.group().lower(), start + m.start(), start + m.end(), sum(map(m.group().count, "0123456789")))
        for m in _PIECE.finditer(text[start:end])
    ]
    found = []
    for i, first in enumerate(pieces):
        if not first[3] and len(first[0]) > 4:
            continue
        joined, digits = "", 0
        for piece in pieces[i : i + 24]:
            joined += piece[0]
            digits += piece[3]
            if len(joined) > longest + 1:
                break
            if not piece[3] or digits < 4 or len(joined) < 5:
                continue
            hit = next((type_ for known, type_ in forms.fuzzy if _one_edit(joined, known)), None)
            if hit:
                found.append(Span(first[1], piece[2], hit, 0.9, "known", "known_number_typo"))
    return found
