"""Bed numbers (床号), a quasi-identifier where ward and date stay.

Standard: none. Layout: number + 床, "+3床", "床号：12", "Bed 12", "Room 304". Check: none.
Example (invented): 重症2床. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

RECOGNIZER = Recognizer(
    "BED",
    (
        Rule("bed_zh", re.compile(r"(?<![0-9.])(?:重症|监护|加|\+)?[ ]?[0-9]{1,3}[ ]?[号\-]?[ ]?床(?![边旁上下旁位天日])"), 0.8),
        Rule("bed_label", re.compile(r"(?:床\s*号|床\s*位)\s*[:为]?\s*(?P<value>(?:重症|监护|加|\+)?[0-9A-Za-z][0-9A-Za-z\-]{0,6})"), 0.95, layer="label"),
        Rule("bed_en", re.compile(r"(?<![A-Za-z])(?i:bed|room|rm)\.?\s*(?:#|(?i:no\.?)|:)?\s*(?P<value>[0-9]{1,4}[A-Za-z]?(?:-[0-9A-Za-z]{1,3})?)(?![0-9A-Za-z%°])(?!\s*(?i:air|temperature|days?|hours?|rest))"), 0.8),
    ),
    None,
    "digit",
)  # fmt: skip
