"""Calendar dates in Chinese and English, with or without a year.

Standard: 45 CFR 164.514(b)(2)(i)(C); GB/T 7408 forms. Layout: the shapes of ``deid/dates.py``: 2024-03-05, 2024年3月5日,
二〇二四年三月五日, 24.3.5, 3月5日, 03/05/2024, March 5, 2024, 5 Mar 2024, 20240305 with or without a time.
Check: the calendar. Relative dates (入院第3天, POD 2) stay: they carry the science and name no day.
Example (invented): 1950-02-03. Measured: see docs/explanation/deidentification.md.
"""

from __future__ import annotations

from ..dates import SHAPES, read
from ..recognition import Recognizer, Rule

_SCORES = {"mdslash": 0.7, "Md": 0.75, "dM": 0.75, "compact": 0.8, "ym": 0.8}


def _rule(shape: str, pattern) -> Rule:
    # An impossible day in an unmistakable date form (2024-02-30) is still hidden, for it is a mistyped real date.
    certain = shape in ("ymd", "Mdy", "han", "md")
    return Rule("date_" + shape, pattern, _SCORES.get(shape, 0.9), lambda m: certain or read(shape, m) is not None)


RECOGNIZER = Recognizer("DATE", tuple(_rule(shape, pattern) for shape, pattern in SHAPES))
