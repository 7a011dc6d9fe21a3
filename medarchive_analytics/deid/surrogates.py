"""Replacements that keep the kind and shape of an identifier and can never be a real one.

The same person's same identifier gets the same replacement in every note and run under one key. Numbers are invalid by
design: wrong check digit, impossible prefix, and digits that leave 13 modulo 97, so that the audit can tell them.
"""

from __future__ import annotations

import datetime as dt
import re

from . import dates
from .keys import SurrogateKey
from .known import KnownPerson, SiteKnowledge, is_han, split_han_name
from .lexicon import lexicon, word_set
from .matcher import _one_edit
from .normalise import condense, lower, normalise
from .policy import DeidPolicy
from .recognizers import bank_card, resident_id, social_credit_code
from .results import Span

_HAN_CHAR = re.compile("[\u3400-\u9fff]")
_TITLE_END = re.compile(r"(先生|女士|小姐|某某|某|氏|[Xx*×]{1,2})$")
_TOKEN = re.compile(r"[A-Za-z]+[0-9]*")
_PLACEHOLDER = {
    "ADDRESS": ("[地址]", "[ADDRESS]"),
    "ORGANIZATION": ("某医院", "[HOSPITAL]"),
    "EMAIL": ("[邮箱]", "[EMAIL]"),
    "URL": ("[网址]", "[URL]"),
    "PLATE": ("[车牌]", "[PLATE]"),
    "BIRTH_DATE": ("[出生日期]", "[DATE OF BIRTH]"),
    "DATE": ("[日期]", "[DATE]"),
    "BED": ("某床", "[BED]"),
    "AGE": ("90+", "90+"),
    "PERSON": ("[姓名]", "[NAME]"),
}
_NOT_HOSPITAL = re.compile(
    r"公司|集团|大学|学院|中学|小学|幼儿园|派出所|委会|工厂|厂$|University|College|Inc|LLC|Corp|School", re.I
)
MARK_MODULUS, MARK_REST = 97, 13


def is_marked_number(digits: str) -> bool:
    """Tell whether a digit string carries the mark of our surrogates.

    Parameters
    ----------
    digits : str
        ASCII digits.

    Returns
    -------
    bool
        True for six digits or more that leave 13 modulo 97 (a real number does so once in 97).
    """
    return len(digits) >= 6 and int(digits) % MARK_MODULUS == MARK_REST


def is_surrogate_name(name: str) -> bool:
    """Tell whether a name comes from our closed lists.

    Parameters
    ----------
    name : str
        Chinese or Latin name.

    Returns
    -------
    bool
        True when each of its parts is in the lists.
    """
    clean = re.sub(r"[\s·]", "", name)
    if is_han(clean):
        given = word_set("surrogate_given")
        if clean[:2] in word_set("surrogate_compound"):
            return all(c in given for c in clean[2:])
        return clean[:1] in word_set("surrogate_surnames") and all(c in given for c in clean[1:])
    known = {t.lower() for t in lexicon()["surrogate_latin"]}
    tokens = _TOKEN.findall(name)
    return bool(tokens) and all(t.lower() in known or len(t) == 1 for t in tokens)


class SurrogateMaker:
    """Replacements for one person under one key and policy.

    Parameters
    ----------
    policy : DeidPolicy
        Date mode and what stays of addresses.
    key : SurrogateKey
        The secret.
    person : KnownPerson or None
        Whose text it is; None gives surrogates that are consistent within ``scope``.
    site : SiteKnowledge
        Staff whose names must never come out as a surrogate.
    scope : str
        Stands for the person where there is none.
    """

    def __init__(
        self, policy: DeidPolicy, key: SurrogateKey, person: KnownPerson | None, site: SiteKnowledge, scope: str = ""
    ) -> None:
        self._policy, self._key, self._person = policy, key, person
        self._scope = person.mrn if person is not None and person.mrn else "\0" + scope
        self._staff = {condense(n).text for n in (*site.staff_names, *site.staff_latin)}
        own = () if person is None else (*person.names, *person.contact_names, *person.latin_names)
        self._forbidden = {condense(n).text for n in own}
        self._own_tokens = {t.lower() for n in (*own, *site.staff_latin) for t in _TOKEN.findall(n)}
        numbers = () if person is None else (*person.ids, *person.phones)
        self._numbers = {condense(normalise(n).text).text for n in numbers}
        self._given = {}
        for name in own:
            if is_han(name):
                clean = "".join(_HAN_CHAR.findall(name))
                self._given.setdefault(split_han_name(clean)[1], clean)
        self._memory: dict[tuple[str, str], str] = {}

    def __repr__(self) -> str:
        return "SurrogateMaker(<hidden>)"

    @property
    def shift(self) -> int:
        """Days the person's dates move; a text without a person has its own shift."""
        return self._key.shift_days(self._scope, self._policy.max_shift_weeks)

    def replace(self, span: Span, written: str, is_chinese: bool) -> str:
        """Return the replacement of a span.

        Parameters
        ----------
        span : Span
            What was found.
        written : str
            Normalised text of the span.
        is_chinese : bool
            Language of placeholders.

        Returns
        -------
        str
            Never empty.
        """
        match span.type:
            case "PERSON" | "STAFF":
                return self._name(written, "staff" if span.type == "STAFF" else self._scope, is_chinese)
            case "DATE":
                return self._date(written, is_chinese)
            case "ORGANIZATION" if _NOT_HOSPITAL.search(written):
                return "某单位" if is_chinese else "[ORGANIZATION]"
            case "ADDRESS" if self._policy.address_keeps == "province":
                place = next((p for p in lexicon()["places"] if p in written), "")
                return place + _PLACEHOLDER["ADDRESS"][0 if is_chinese else 1]
            case kind if kind in _PLACEHOLDER:
                return _PLACEHOLDER[kind][0 if is_chinese else 1]
            case _:
                return self._number(span.type, written)

    def _pick(self, domain: str, value: str, choices) -> str:
        return choices[self._key.number(domain, value) % len(choices)]

    def _name(self, written: str, scope: str, is_chinese: bool) -> str:
        memory = (scope, written)
        if memory not in self._memory:
            out = self._han_name(written, scope) if is_han(written) else self._latin_name(written, scope)
            self._memory[memory] = out or _PLACEHOLDER["PERSON"][0 if is_chinese else 1]
        return self._memory[memory]

    def _han_full(self, name: str, scope: str) -> str:
        family, given = split_han_name(name)
        for turn in range(50):
            seed = f"{scope}\0{name}\0{turn}"
            if "·" in name:
                parts = [
                    "".join(
                        self._pick("given", f"{seed}\0{i}\0{j}", lexicon()["surrogate_given"]) for j in range(len(p))
                    )
                    for i, p in enumerate(name.split("·"))
                ]
                out = "·".join(parts)
            else:
                families = lexicon()["surrogate_compound" if len(family) == 2 else "surrogate_surnames"]
                out = self._pick("family", f"{scope}\0{family}\0{turn}", families)
                out += "".join(
                    self._pick("given", f"{seed}\0{i}", lexicon()["surrogate_given"]) for i in range(len(given))
                )
            if not any(f and f in out for f in self._forbidden) and out not in self._staff:
                return out
        return "[姓名]"

    def _han_name(self, written: str, scope: str) -> str:
        han = "".join(c for c in written if _HAN_CHAR.match(c) or c == "·")
        title = _TITLE_END.search(re.sub(r"\s", "", written))
        if title and len(han) - len(title.group(1)) <= 2:
            family = han.removesuffix(title.group(1)).removesuffix("某")
            return (self._han_full(family + "某", scope)[: len(family)] if family else "") + title.group(1)
        if (
            len(han) == 2
            and han[0] in "老小"
            and scope == self._scope
            and any(f[:1] == han[1] for f in self._forbidden)
        ):
            return han[0] + self._han_full(han[1] + "某", scope)[0]
        if han in self._given and han not in self._forbidden:
            full = self._han_full(self._given[han], scope)
            return full[-len(han) :]
        return self._han_full(han, scope)

    def _latin_name(self, written: str, scope: str) -> str:
        def token(match: re.Match[str]) -> str:
            word = match.group()
            if len(word) == 1:
                return self._pick("initial", f"{scope}\0{word.lower()}", "KQVWXYZ")
            for turn in range(20):
                out = self._pick("latin", f"{scope}\0{lower(word)}\0{turn}", lexicon()["surrogate_latin"])
                if out.lower() not in self._own_tokens:
                    break
            return out.upper() if word.isupper() and len(word) > 2 else out.lower() if word.islower() else out

        return _TOKEN.sub(token, written)

    def _date(self, written: str, is_chinese: bool) -> str:
        redacted = ("[日期]" if re.search("[0-9]{4}", written) else "某月某日") if is_chinese else "[DATE]"
        found = dates.find_shape(written)
        if found is None or found[2] is None:
            return redacted
        shape, match, (year, month, day) = found
        if self._policy.date_mode == "year":
            return redacted if year is None else (f"{year}年" if "年" in written else str(year))
        if year is None and self._person is not None:
            year = dates.guess_year(month, day or 1, self._person.encounter_dates)
        if year is None:
            return redacted
        try:
            moved = dt.date(year, month, day or 15) + dt.timedelta(days=self.shift)
        except (ValueError, OverflowError):
            return redacted
        return dates.write(shape, match, moved)

    def _number(self, kind: str, written: str) -> str:
        canonical = condense(written).text
        memory = (kind, written)
        if memory in self._memory:
            return self._memory[memory]
        for turn in range(200):
            out = self._draw(kind, canonical, written, turn)
            plain = condense(out).text
            if plain == canonical or any(plain == n or (len(n) >= 6 and _one_edit(plain, n)) for n in self._numbers):
                continue
            if resident_id.is_valid(out) or bank_card.is_valid(out) or social_credit_code.is_valid(out):
                continue
            break
        else:
            out = re.sub(r"[0-9A-Za-z]", "*", written)
        self._memory[memory] = out
        return out

    def _draw(self, kind: str, canonical: str, written: str, turn: int) -> str:
        number = self._key.number("number", self._scope, canonical, str(turn))
        chars = []
        for char in written:
            if "0" <= char <= "9":
                number, value = divmod(number, 10)
                chars.append(str(value))
            elif char in "xX*" and kind in ("RESIDENT_ID", "PHONE", "US_SSN"):
                chars.append(char)
            elif char.isascii() and char.isalpha():
                number, value = divmod(number, 24)
                letter = "ABCDEFGHJKLMNPQRTUVWXYZK"[value]
                chars.append(letter if char.isupper() else letter.lower())
            else:
                chars.append("0" if char.isalnum() else char)
        where = [i for i, char in enumerate(chars) if "0" <= char <= "9"]
        for i, char in zip(where, _impossible_prefix(kind, "".join(c for c in written if "0" <= c <= "9"))):
            chars[i] = char
        if len(where) >= 6:
            value = int("".join(chars[i] for i in where))
            low = value - value % 100
            for tail in range(100):
                if (low + tail) % MARK_MODULUS == MARK_REST:
                    chars[where[-2]], chars[where[-1]] = f"{tail:02d}"
                    break
        return "".join(chars)


def _impossible_prefix(kind: str, digits: str) -> str:
    if kind == "RESIDENT_ID":
        return "99" if len(digits) >= 15 else ""
    if kind == "US_SSN":
        return "000"
    if kind == "PHONE":
        if len(digits) == 11 and digits[0] == "1":
            return "12"
        if len(digits) == 13 and digits[:2] == "86":
            return "8612"
        return "000" if len(digits) >= 10 else "0"
    return ""
