"""United States social-security numbers.

Standard: SSA numbering. Layout: 3 area - 2 group - 4 serial. Area 000, 666 and 900-999 are never issued, yet written in test
data: with hyphens every area is taken. Check: none. Example (invented): 000-00-0000.
Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

RECOGNIZER = Recognizer(
    "US_SSN",
    (
        Rule("ssn", re.compile(r"(?<![0-9A-Za-z\-])[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}(?![0-9A-Za-z\-])"), 0.9),
        Rule("ssn_label", re.compile(r"(?<![A-Za-z])(?i:ssn|social\s+security(?:\s+(?:no\.?|number))?|ss\s*#)\s*[:#]?\s*(?i:is\s+)?(?P<value>[0-9X*]{3}[- ]?[0-9X*]{2}[- ]?[0-9]{4})(?![0-9])"), 0.98, layer="label"),
    ),
    None,
    "digit",
    ("en",),
)  # fmt: skip
