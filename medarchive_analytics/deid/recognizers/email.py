"""E-mail addresses.

Standard: RFC 5322 (the part of it people use). Layout: local part, ``@``, domain with a dot. Check: none.
Example (invented): someone@example.invalid. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

RECOGNIZER = Recognizer(
    "EMAIL",
    (Rule("email", re.compile(r"(?<![0-9A-Za-z._%+\-])[0-9A-Za-z._%+\-]{1,64} ?@ ?(?:[0-9A-Za-z\-]{1,63}\.){1,5}[A-Za-z]{2,12}(?![0-9A-Za-z])"), 0.98),),
    None,
    "@",
)  # fmt: skip
