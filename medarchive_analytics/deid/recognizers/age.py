"""Ages over 89, which HIPAA pools.

Standard: 45 CFR 164.514(b)(2)(i)(C). Layout: number (also in Han digits) + 岁 / years old, or "aged". Check: range 90-130.
Ages to 89 stay: they are clinical facts. Example: 93岁 becomes 90+岁.
Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

_OLD = r"(?:9[0-9]|1[0-2][0-9])"
RECOGNIZER = Recognizer(
    "AGE",
    (
        Rule("age_zh", re.compile(rf"(?<![0-9.])(?P<value>{_OLD})\s*(?:周)?岁"), 0.95),
        Rule("age_zh_label", re.compile(rf"年\s*龄\s*[:为]?\s*(?P<value>{_OLD})(?![0-9.])"), 0.95, layer="label"),
        Rule("age_han", re.compile(r"(?P<value>九十[一二三四五六七八九]?|一百[零〇一二]?[一二三四五六七八九十]{0,2})\s*(?:周)?岁"), 0.95),
        Rule("age_en", re.compile(rf"(?<![0-9.])(?P<value>{_OLD})(?=[ \-]*(?i:years?|yrs?|y)[. \-]*(?i:old|/?o(?![a-z])|of age)|[ \-]?(?i:yo|y/o|y\.o\.)(?![a-z])|[ -]?(?i:[mf])(?![a-z]))"), 0.9),
        Rule("age_en_label", re.compile(rf"(?<![A-Za-z])(?i:aged?)\s*(?::|of|is)?\s*(?P<value>{_OLD})(?![0-9.%])"), 0.9, layer="label"),
    ),
)  # fmt: skip
