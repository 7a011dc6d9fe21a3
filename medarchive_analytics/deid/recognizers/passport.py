"""Passports, travel permits, officer cards, driving and professional licences.

Standard: GA/T 704 and ICAO 9303 (passports, E/G + 8), permits for Hong Kong, Macao and Taiwan residents (H/M + 8-10).
Layout: letter and digits; officer cards 军字第…号. Check: none in the visible number.
Example (invented): 护照号：E00000000. Measured: see docs/explanation/deidentification.md.
"""

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

RECOGNIZER = Recognizer(
    "PASSPORT",
    (
        Rule("passport_cn", re.compile(r"(?<![0-9A-Za-z])(?:E[A-HJ-NP-Z]|[EG])[0-9]{7,8}(?![0-9A-Za-z])"), 0.7),
        Rule("permit_hk", re.compile(r"(?<![0-9A-Za-z])[HM][0-9]{8,10}(?![0-9A-Za-z])"), 0.7),
        Rule("officer_card", re.compile(r"[军士文警武]字第?\s?[0-9]{4,10}\s?号?"), 0.9),
        Rule(
            "travel_label",
            re.compile(
                r"(?:护照(?:号码?)?|通行证(?:号码?)?|军官证(?:号码?)?|驾驶证(?:号码?)?|驾照(?:号)?|执业证书?(?:编?号)?|医师资格证(?:编?号)?|(?<![A-Za-z])(?i:passport|driver'?s?\s+licen[sc]e|licen[sc]e|dl|dea|npi|certificate)\s*(?i:no\.?|number|#)?)"
                r"\s*[:#为是]?\s*(?P<value>(?=[A-Za-z\-]{0,4}[0-9])[0-9A-Za-z][0-9A-Za-z\-]{4,20})(?![0-9A-Za-z])"
            ),
            0.95,
            layer="label",
        ),
    ),
    None,
    "digit",
)  # fmt: skip
