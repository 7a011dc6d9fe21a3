"""Vehicle plates and vehicle identification numbers.

Standard: GA 36-2018 (plates), ISO 3779 (VIN). Layout: province character, letter, 5 characters (6 for new energy);
VIN of 17 characters behind a label. Check: none used.
Example (invented): 浙A·00X00. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

RECOGNIZER = Recognizer(
    "PLATE",
    (
        Rule(
            "plate_cn",
            re.compile(r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·\- ]?(?=[A-Z0-9]{0,5}[0-9])[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])"),
            0.9,
        ),
        Rule("plate_label", re.compile(r"(?:车牌号?|(?i:license\s+plate|plate\s+(?:no\.?|number)|vin))\s*[:#为是]?\s*(?P<value>[A-Z0-9][A-Z0-9\- ]{3,17}[A-Z0-9])(?![A-Za-z0-9])"), 0.9, layer="label"),
    ),
)  # fmt: skip
