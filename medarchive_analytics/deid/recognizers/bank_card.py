"""Bank card numbers.

Standard: ISO/IEC 7812-1. Layout: 6-8 issuer, account, 1 check; 13 to 19 digits, often in groups of four.
Check (Luhn): from the right double every second digit, subtract 9 from what exceeds 9, add all; the sum is divisible by 10.
Example (invented, wrong check): 6299 9900 0000 0001. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule


def is_valid(value: str) -> bool:
    """Tell whether the digits of a value pass the Luhn check.

    Parameters
    ----------
    value : str
        As written.

    Returns
    -------
    bool
        True for 13 to 19 digits with the right check digit.
    """
    digits = [int(c) for c in value if "0" <= c <= "9"]
    if not 13 <= len(digits) <= 19:
        return False
    total = sum(d if i % 2 == 0 else (2 * d - 9 if d > 4 else 2 * d) for i, d in enumerate(reversed(digits)))
    return total % 10 == 0


RECOGNIZER = Recognizer(
    "BANK_CARD",
    (
        Rule("card_luhn", re.compile(r"(?<![0-9.])[3-9](?:[ \-]?[0-9]){12,18}(?![0-9])"), 0.85, lambda m: is_valid(m.group())),
        Rule(
            "card_label",
            re.compile(
                r"(?:银行卡|银行帐号|银行账号|卡号|账号|帐号|开户行.{0,12}|(?<![A-Za-z])(?i:card|account|acct)\.?\s*(?i:no\.?|number|#)?)\s*[:#为是]\s*(?P<value>[0-9](?:[ \-*]?[0-9*]){5,22})(?![0-9])"
            ),
            0.9,
            layer="label",
        ),
    ),
    is_valid,
    "digit",
)  # fmt: skip
