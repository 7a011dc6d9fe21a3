"""Institutions: hospitals, clinics, universities, firms named in a note.

Standard: 45 CFR 164.514(b)(2)(i)(B) (smaller than a state) and Annex G habits of GB/T 39725. Layout: name + 医院 / 卫生院 /
Hospital / Medical Center / Clinic. "本院", "我院", "外院", departments and plain "the hospital" stay. Check: none.
Example (invented): 虚构市第一人民医院. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule

_KIND = r"(?:医院|卫生院|卫生服务中心|卫生服务站|卫生所|卫生室|医疗中心|妇幼保健院|保健院|诊所|门诊部|疗养院|养老院|福利院|体检中心|防治院|大学|学院|中学|小学|幼儿园|有限公司|公司|集团|派出所|居委会|村委会)"
_NOT = (
    "本院",
    "我院",
    "外院",
    "他院",
    "贵院",
    "该",
    "某",
    "当地",
    "上级",
    "下级",
    "基层",
    "其他",
    "其它",
    "社区",
    "专科",
    "综合",
    "三甲",
    "三级",
    "二级",
    "县级",
    "市级",
    "省级",
    "外地",
    "附近",
    "大",
    "私人",
    "多家",
    "多",
    "各",
    "同",
    "此",
    "转",
    "去",
    "在",
    "住",
    "出",
    "入",
    "来",
    "到",
    "至",
    "于",
    "老年",
    "精神",
    "口腔",
)
_CUT = re.compile(
    r"^.*(?:曾在|曾于|就诊于|就诊|转至|转入|转往|转回|转到|转诊|来自|毕业于|任职于|就读于|在|于|至|到|由|从|赴|往|经|入|去|回|及|(?<!协)和|与|因|并|后|前|日|年|月|时|院外|外院|外地|今|患者|住|被|是|为|:)"
)
_HEAD = re.compile(r"[一-鿿]{2,24}?" + _KIND)


def _trim(match: re.Match[str]) -> tuple[int, int] | bool:
    text = match.group()
    kind = re.search(_KIND + "$", text)
    head = text[: kind.start()] if kind else text
    cut = _CUT.match(head)
    head = head[cut.end() :] if cut else head
    if (
        len(head) < 2
        or head in _NOT
        or any(head == n or head == n + "的" for n in _NOT)
        or head.startswith(("该", "某", "当地", "外院", "本院", "我院", "上级", "社区"))
    ):
        return False
    return match.end() - len(head) - (kind.end() - kind.start() if kind else 0), match.end()


_EN_WORD = r"(?:[A-Z][A-Za-z'&.\-]+[0-9]*|of|the|and|&|for|[A-Z]{2,})"
_GENERIC = {"the", "this", "our", "a", "an", "general", "local", "community", "outside", "day", "medical", "regional", "university", "teaching", "children's", "in", "to", "from", "at", "discharge", "of", "and", "for", "pain", "heart", "wound", "sleep", "anticoagulation", "diabetes", "urgent", "primary", "cancer", "surgical", "rehab", "rehabilitation", "nursing", "emergency", "trauma", "behavioral", "outpatient", "patient", "private", "specialty", "memory", "dental", "eye", "women's", "mental", "stroke", "acute", "hospital", "clinic", "follow", "up", "cardiology", "orthopedic", "orthopaedic", "dermatology", "oncology", "neurology", "dialysis"}  # fmt: skip


def _named(match: re.Match[str]) -> tuple[int, int] | bool:
    words = list(re.finditer(r"\S+", match.group("name")))
    while words and words[0].group().lower() in _GENERIC:
        words.pop(0)
    if not words or all(w.group().lower() in _GENERIC for w in words):
        return False
    return match.start("name") + words[0].start(), match.end()


RECOGNIZER = Recognizer(
    "ORGANIZATION",
    (
        Rule("organization_zh", _HEAD, 0.8, _trim),
        Rule("organization_label", re.compile(r"(?:工作单位|单位名称|就职单位|送检单位|送检医院|医疗机构(?:名称)?)\s*[:]\s*(?P<value>(?!无|不详|退休|未|本院|我院)[一-鿿A-Za-z0-9()]{3,30})"), 0.9, layer="label"),
        Rule("organization_en", re.compile(rf"(?<![A-Za-z])(?P<name>(?:{_EN_WORD}[ ]){{1,6}})(?:Hospitals?|HOSPITALS?|Medical (?:Center|Centre|Group)|MEDICAL (?:CENTER|CENTRE|GROUP)|Health ?(?:System|care|Center)|HEALTH ?(?:SYSTEM|CARE|CENTER)|Clinics?|CLINICS?|Infirmary|INFIRMARY|University|UNIVERSITY|Nursing Home|NURSING HOME|Hospice|Inc\.?|LLC|Corporation|Institute|Foundation)(?![A-Za-z])"), 0.8, _named),
        Rule("organization_en_of", re.compile(r"(?<![A-Za-z])(?:University|Hospital|College) of [A-Z][A-Za-z]+(?: [A-Z][A-Za-z]+)?"), 0.8),
    ),
)  # fmt: skip
