"""Unified social credit code of an organisation (统一社会信用代码).

Standard: GB 32100-2015. Layout: 1 registering department, 1 kind, 6 area, 9 organisation code, 1 check; characters are
0-9 and A-Z without I, O, S, V, Z.
Check: weight of position i (0..16) is 3^i mod 31; check = (31 - sum mod 31) mod 31.
Example (invented, wrong check): 91990000MA00000000. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def is_valid(value: str) -> bool:
    """Tell whether a code has the right check character.

    Parameters
    ----------
    value : str
        Eighteen characters.

    Returns
    -------
    bool
        True when the check character fits.
    """
    text = value.strip().upper()
    if len(text) != 18 or any(c not in _ALPHABET for c in text):
        return False
    total = sum(_ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(text[:17]))
    return _ALPHABET[(31 - total % 31) % 31] == text[17]


RECOGNIZER = Recognizer(
    "SOCIAL_CREDIT_CODE",
    (
        Rule("credit_code", re.compile(r"(?<![0-9A-Za-z])[159ANY][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}(?![0-9A-Za-z])"), 0.85, lambda m: is_valid(m.group())),
        Rule("credit_code_label", re.compile(r"(?:统一社会信用代码|信用代码|组织机构代码)\s*[:为]?\s*(?P<value>[0-9A-Z][0-9A-Z\-]{8,19})"), 0.95, layer="label"),
    ),
    is_valid,
    "digit",
    ("zh",),
)  # fmt: skip
