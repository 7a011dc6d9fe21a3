"""Chinese resident identity number (居民身份证号).

Standard: GB 11643-1999; the 15-digit form of before 1999 still stands in old records.
Layout: 6 area (GB/T 2260; 81-83 and a leading 9 for residence permits), 8 birth date, 3 sequence (odd male), 1 check.
Check (ISO 7064 MOD 11-2): multiply the first 17 digits by 7 9 10 5 8 4 2 1 6 3 7 9 10 5 8 4 2, add, take the sum
modulo 11; 0..10 give 1 0 X 9 8 7 6 5 4 3 2.
Traps: lower-case x, spaces and line breaks inside, masked middles, OCR errors: a labelled number is taken even when the
check is wrong; an unlabelled one with a plausible birth date too.
Example (invented): 身份证号：990101195001011239. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def check_character(first17: str) -> str:
    """Return the check character of the first 17 digits.

    Parameters
    ----------
    first17 : str
        Seventeen ASCII digits.

    Returns
    -------
    str
        ``0``-``9`` or ``X``.
    """
    return _CHECKS[sum(int(d) * w for d, w in zip(first17, _WEIGHTS)) % 11]


def is_valid(value: str) -> bool:
    """Tell whether an 18-character number has the right check character.

    Parameters
    ----------
    value : str
        As written; spaces and hyphens are ignored.

    Returns
    -------
    bool
        False for the 15-digit form, which has no check.
    """
    text = re.sub(r"[\s\-]", "", value).upper()
    return bool(re.fullmatch(r"[0-9]{17}[0-9X]", text)) and check_character(text) == text[17]


def _plausible(match: re.Match[str]) -> bool:
    text = re.sub(r"[\s\-]", "", match.group())
    if len(text) == 15:
        return "01" <= text[8:10] <= "12" and "01" <= text[10:12] <= "31" and text[0] in "12345689"
    return is_valid(text) or ("18" <= text[6:8] <= "20" and text[10:12] <= "12" and text[12:14] <= "31")


_SEP = r"[ \-]?\s{0,2}"
RECOGNIZER = Recognizer(
    "RESIDENT_ID",
    (
        Rule("resident_id_18", re.compile(rf"(?<![0-9A-Za-z])[1-9](?:{_SEP}[0-9]){{16}}{_SEP}[0-9Xx](?![0-9A-Za-z])"), 0.95, _plausible),
        Rule("resident_id_15", re.compile(r"(?<![0-9A-Za-z.])[1-9][0-9]{14}(?![0-9A-Za-z.])"), 0.7, _plausible),
        Rule("resident_id_masked", re.compile(r"(?<![0-9])[1-9][0-9]{2,13}[*xX#●]{4,}[0-9]{0,4}[0-9Xx]?(?![0-9A-Za-z])"), 0.8),
        Rule(
            "resident_id_label",
            re.compile(
                r"(?:身\s*份\s*证\s*(?:件)?\s*(?:号\s*码|号)?|证件号码?|公民身份号码|(?i:resident\s+id|national\s+id|citizen\s+id|id\s+card(?:\s+no\.?)?))"
                r"\s*(?:\(.{0,6}\))?[:;是为#]?\s*(?P<value>[0-9Xx*OolI](?:[ \-]?\s?[0-9Xx*OolI]){5,19})(?![0-9A-Za-z])"
            ),
            0.98,
            layer="label",
        ),
        Rule("id_tail", re.compile(r"尾\s*号\s*(?:为|是)?[:]?\s*(?P<value>[0-9]{3,6}[Xx]?)(?![0-9])"), 0.9, layer="label"),
    ),
    is_valid,
    "digit",
    ("zh",),
)  # fmt: skip
