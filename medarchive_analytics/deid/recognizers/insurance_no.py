"""Medical-insurance and social-security card numbers, health-plan numbers.

Standard: local; the social-security number equals the resident number, many cards carry 1 letter + 8 digits, the
electronic certificate 28 characters. Layout: by label only. Check: none. Label: 医保, 社保, insurance, member, policy.
Example (invented): 医保卡号：X00000000. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

RECOGNIZER = Recognizer(
    "INSURANCE_NO",
    (
        Rule(
            "insurance_label",
            re.compile(
                r"(?:医\s*保|社\s*保|新农合|农合|合作医疗|医疗保险|社会保障)(?:电子凭证|手册|证|卡)?\s*(?:个人)?(?:编\s*号|号\s*码|号)?\s*[:#为是]?\s*(?P<value>(?=[A-Za-z\-]{0,6}[0-9])[0-9A-Za-z](?:[ \-]?[0-9A-Za-z]){5,29})(?![0-9A-Za-z])"
            ),
            0.95,
            layer="label",
        ),
        Rule(
            "plan_label",
            re.compile(
                r"(?<![A-Za-z])(?i:insurance|policy|member|subscriber|group|medicare|medicaid|beneficiary|health\s+plan|hicn|mbi)\s*(?i:id|no\.?|number|#|beneficiary\s+(?:id|number))\s*[:#]?\s*(?P<value>(?=[A-Za-z\-]{0,6}[0-9])[0-9A-Za-z][0-9A-Za-z\-]{4,20})(?![0-9A-Za-z])"
            ),
            0.95,
            layer="label",
        ),
    ),
    None,
    "digit",
)  # fmt: skip
