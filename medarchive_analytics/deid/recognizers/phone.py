"""Telephone and fax numbers, Chinese and North American.

Standard: Chinese numbering plan (mobile 1[3-9] + 9 digits; landline 0 + 2-3 area + 7-8; 400/800 services); NANP
(3 area + 3 + 4). Layout: +86 / 0086 / +1 prefix, groups split by space or hyphen (3-4-4, 3-3-4), extension.
Check: none. Traps: no ``\\b`` beside Han; lab values with seven digits need a label.
Example (invented): 电话：12000000000; (000) 555-0100. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

_S = r"[ \-.]?"
# A date that follows the number after a blank is no part of it.
_NO_DATE = r"(?! +(?:[12][0-9])?[0-9]{2}[./\-年][0-9]{1,2}[./\-月][0-9]{1,2})"
RECOGNIZER = Recognizer(
    "PHONE",
    (
        Rule(
            "mobile_cn",
            re.compile(rf"(?<![0-9.])(?:(?:\+|00)?86[ \-]?)?1[3-9][0-9]{_S}[0-9]{_S}[0-9]{_S}[0-9]{_S}[0-9]{_S}[0-9]{_S}[0-9]{_S}[0-9]{_S}[0-9](?![0-9])"),
            0.9,
        ),
        Rule("mobile_cn_masked", re.compile(r"(?<![0-9])1[3-9][0-9][*xX●]{4}[0-9]{4}(?![0-9])"), 0.9),
        Rule("landline_cn", re.compile(r"(?<![0-9\-.])\(?0[1-9][0-9]{1,2}\)?[ \-]?[2-9][0-9]{6,7}(?:[ \-转]{1,2}[0-9]{1,6})?(?![0-9])"), 0.85),
        Rule("service_cn", re.compile(r"(?<![0-9])[48]00[ \-][0-9]{3,4}[ \-][0-9]{3,4}(?![0-9])"), 0.8),
        Rule(
            "phone_us",
            re.compile(r"(?<![0-9A-Za-z.])(?:\+?1[ .\-]?)?(?:\([0-9]{3}\) ?|[0-9]{3}[ .\-])[0-9]{3}[.\- ][0-9]{4}(?:\s*(?:x|ext\.?)\s*[0-9]{1,5})?(?![0-9])"),
            0.85,
        ),
        Rule("phone_us_intl", re.compile(r"(?<![0-9])\+[1-9][0-9]{0,2}[ \-.]?(?:\(?[0-9]{1,4}\)?[ \-.]?){2,4}[0-9]{2,4}(?![0-9])"), 0.8),
        Rule(
            "phone_label",
            re.compile(
                r"(?:电\s*话(?:号码)?|手\s*机(?:号码?)?|联系方式|座机|传真|分机|短号|小灵通|(?<![A-Za-z])(?i:tel(?:ephone)?|phone|cell|mobile|fax|pager|beeper|ext)(?:\s*(?i:no\.?|number))?)"
                r"\s*(?:\(.{0,6}\))?\s*[:.#为是]?\s*(?P<value>\+?\(?[0-9](?:" + _NO_DATE + r"[ \-.()*/]{0,2}[0-9*]){3,15})(?![0-9])"
            ),
            0.95,
            layer="label",
        ),
        Rule("wechat_qq", re.compile(r"(?:微\s*信(?:号)?|(?i:wechat|weixin|qq))\s*(?:号|号码)?\s*[:是为]\s*(?P<value>[0-9A-Za-z_\-]{5,20})"), 0.9, layer="label"),
    ),
    None,
    "digit",
)  # fmt: skip
