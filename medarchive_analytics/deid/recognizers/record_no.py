"""Hospital numbers: medical record, admission, outpatient, card, examination, specimen, accession, order; and beds.

Standard: none; each hospital has its own shape (6 to 12 letters and digits, leading zeros). Layout: label and value.
Check: none. The site's own lists reach further through known-identifier matching. A number of seven or more digits that
carries no unit and no label is taken as "any other unique number" (45 CFR 164.514(b)(2)(i)(R)).
Example (invented): 住院号：00000000; MRN: X000000. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

_VALUE = r"(?P<value>(?=[A-Za-z\-]{0,5}[0-9])[0-9A-Za-z](?:[\-/_]?[0-9A-Za-z]){2,23})(?![0-9A-Za-z])"
UNITS = re.compile(
    r"\s*(?:[x×*]\s*10|10\^|copies|拷贝|cells?|个|万|/|%|％|iu|u(?![a-z])|units?|unt|mg|ug|μg|g(?![a-z])|ml|mm|IU|单位|次|元|¥|人|例)",
    re.I,
)


def _unitless(match: re.Match[str]) -> bool:
    return UNITS.match(match.string, match.end()) is None


RECOGNIZER = Recognizer(
    "ID_NUMBER",
    (
        Rule(
            "record_label_zh",
            re.compile(
                r"(?:病\s*案|病\s*历|住\s*院|门\s*诊|急\s*诊|就\s*诊|登\s*记|档\s*案|病\s*理|检\s*查|检\s*验|标\s*本|样\s*本|条\s*码|影\s*像|放\s*射|超\s*声|申\s*请\s*单?|报\s*告|流\s*水|处\s*方|医\s*嘱|收\s*据|发\s*票|订\s*单|患\s*者|病\s*人|就\s*诊\s*卡|诊疗卡|健康卡|[CXM][TRA]I?|工|序\s*列|设\s*备|器\s*械|产品|植入物|批)\s*(?:卡|单|检|片)?\s*(?:编\s*号|号\s*码|号|ID|id)\s*(?:\(.{0,6}\))?\s*[:#为是]?\s*"
                + _VALUE
            ),
            0.95,
            layer="label",
        ),
        Rule(
            "record_label_en",
            re.compile(
                r"(?<![A-Za-z])(?i:mrn|mr\s*#|medical\s+record|record|chart|patient|encounter|visit|admission|account|acct|accession|specimen|sample|order|case|file|study|barcode|serial|device|lot|hospital|pathology|reference|ref|requisition|fin|csn|udi|employee|staff|badge)\.?\s*(?i:id|no\.?|num(?:ber)?\.?|nbr\.?|#)?\s*[:#]\s*"
                + _VALUE
            ),
            0.95,
            layer="label",
        ),
        Rule(
            "record_label_en_bare",
            re.compile(r"(?<![A-Za-z])(?i:mrn|(?:medical\s+record|chart|accession|specimen|encounter|account|serial|admission)\s+(?:no\.?|number|id)|udi)\s*(?i:is|was)?\s*" + _VALUE),
            0.95,
            layer="label",
        ),
        Rule("hospital_no_prefix", re.compile(r"(?<![0-9A-Za-z])(?i:ZY|MZ|BA|BL|JZ|MRN|HN|PT|ADM|CT|MR|DR|US|XR|PS)[\-]?[0-9]{6,14}(?![0-9A-Za-z])"), 0.8),
        Rule("long_number", re.compile(r"(?<![0-9A-Za-z.,/])[0-9]{7,40}(?![0-9A-Za-z]|[.,][0-9])"), 0.6, _unitless),
        Rule("six_digits", re.compile(r"(?<![0-9A-Za-z.,/\-])[0-9]{6}(?![0-9A-Za-z\-]|[.,][0-9])"), 0.5, _unitless),
        Rule("serial_mixed", re.compile(r"(?<![0-9A-Za-z\-.])(?=[A-Z0-9\-]*[A-Z])[A-Z0-9]{1,5}[\-]?[0-9]{6,20}[A-Z0-9]{0,3}(?![0-9A-Za-z])"), 0.6),
    ),
    None,
    "digit",
)  # fmt: skip
