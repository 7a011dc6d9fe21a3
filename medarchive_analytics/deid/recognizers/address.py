"""Addresses below the province: Chinese divisions and streets, US street addresses and ZIP codes.

Standard: 45 CFR 164.514(b)(2)(i)(B); GB/T 2260 division words. Layout: 省市区县乡镇村 + 路街巷 + 号 + 栋/幢/单元/室;
number + street name + street word; state + ZIP. Check: none. Trap: 区 and 号 are everywhere in clinical text (病区,
1号切口), so a street or a chain of divisions is needed.
Example (invented): 虚构省某某市某某路1号. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..lexicon import lexicon
from ..recognition import Recognizer, Rule

_N = r"[0-9一二三四五六七八九十百]"
_PLACES = "|".join(lexicon()["places"])
_UNIT = r"(?:\s?[0-9A-Za-z一二三四五六七八九十\-]{1,6}\s?(?:号楼|号院|号|弄|栋|幢|座|单元|楼|层|室|户|组|队|社|门))"
_ROAD = r"(?:路|街道|大街|街|大道|道|巷|弄|胡同|里|新村|小区|花园|公寓|家园|苑|村|庄|屯|寨|镇|乡)"
_STREET = r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Court|Ct|Way|Place|Pl|Terrace|Ter|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Landing|Path|Alley|Row|Square|Sq|Trail|Trl|Loop|Crescent|Gardens?|Heights|Mews|Mill|Rest|Spur|Station|Throughway|Track|Trailer|Union|Vale|View|Viaduct|Walk|Run|Ramp|Quay|Plaza|Pass|Overpass|Orchard|Parade|Meadow|Manor|Lock|Light|Knoll|Junction|Haven|Grove|Gate|Fort|Forge|Ferry|Extension|Esplanade|Divide|Dale|Crossroad|Corner|Common|Byway|Bypass|Branch|Bay|Arcade|Approach|Annex)"
_STATES = (
    "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]"
)
_LABEL_STOP = r"(?=\s*(?:电话|手机|联系|邮编|邮政|入院|出院|职业|婚姻|民族|关系|单位|病史|记录|主诉|身份|,?\s*(?:Tel|Phone)|[。;\n]|$))"

RECOGNIZER = Recognizer(
    "ADDRESS",
    (
        Rule(
            "address_label_zh",
            re.compile(
                r"(?:(?:家\s*庭|现|户\s*口|户\s*籍|居\s*住|联\s*系\s*人?|通\s*讯|常\s*住|单\s*位|出\s*生)?\s*(?:住\s*址|地\s*址|所在地|籍\s*贯|户\s*籍|出生地))\s*[:为]\s*(?P<value>(?!无|不详|同上|未)[一-鿿0-9A-Za-z·()\-#, ]{2,60}?)"
                + _LABEL_STOP
            ),
            0.95,
            layer="label",
        ),
        Rule(
            "address_chain_zh",
            re.compile(
                rf"(?:(?:{_PLACES})(?:省|市|自治区|壮族自治区|回族自治区|维吾尔自治区|特别行政区)?)[一-鿿]{{2,8}}?(?:市|州|盟|区|县)(?:[一-鿿]{{1,8}}?(?:市|区|县|旗))?(?:[一-鿿0-9]{{1,12}}?{_ROAD}){{0,3}}{_UNIT}{{0,5}}(?!医院|级|人民医院|[一二三四五六七八九]院)"
            ),
            0.85,
        ),
        Rule("address_division_zh", re.compile(rf"[一-鿿]{{2,4}}(?:市|县)[一-鿿]{{1,5}}(?:区|县|镇|乡|街道)(?:[一-鿿0-9]{{1,12}}?{_ROAD}){{0,3}}{_UNIT}{{0,5}}"), 0.7),
        Rule("address_street_zh", re.compile(rf"(?:[一-鿿]{{1,6}}?(?:市|区|县|镇|乡))?[一-鿿]{{2,8}}?{_ROAD}\s?[0-9]{{1,5}}\s?(?:号|弄|巷|栋|幢|座|单元|室|组){_UNIT}{{0,5}}"), 0.85),
        Rule("address_house_zh", re.compile(rf"[一-鿿]{{2,8}}?(?:小区|花园|公寓|家园|新村|苑){_UNIT}{{1,5}}"), 0.85),
        Rule("address_unit_zh", re.compile(r"[0-9A-Za-z]{1,4}(?:栋|幢|号楼)\s?(?:[0-9]{1,3}单元)?\s?[0-9]{2,5}(?:室|号)?(?![0-9])"), 0.85),
        Rule("village_zh", re.compile(rf"[一-鿿]{{2,5}}(?:镇|乡|街道)[一-鿿]{{2,6}}(?:村|社区)(?:{_N}{{1,3}}(?:组|队|社|号))?"), 0.8),
        Rule("postcode_label", re.compile(r"(?:邮\s*编|邮政编码)\s*[:]?\s*(?P<value>[0-9]{6})(?![0-9])"), 0.95, layer="label"),
        Rule(
            "address_us",
            re.compile(rf"(?<![0-9A-Za-z.])[0-9]{{1,6}}[A-Z]? (?:[NSEW]\.? |North |South |East |West )?(?:[A-Z][A-Za-z'\-]+[0-9]*\.? |[0-9]{{1,3}}(?:st|nd|rd|th) ){{1,4}}{_STREET}\.?(?![A-Za-z])(?:,? (?:Apt|Suite|Ste|Unit|#)\.? ?[0-9A-Za-z\-]+)?(?:,? [A-Z][A-Za-z .\-]{{2,25}},? (?:{_STATES})(?: [0-9]{{5}}(?:-[0-9]{{4}})?)?)?"),
            0.85,
        ),
        Rule("po_box", re.compile(r"(?<![A-Za-z])P\.? ?O\.? Box [0-9]+"), 0.9),
        Rule("city_state_zip", re.compile(rf"(?<![A-Za-z])[A-Z][A-Za-z.\-]+(?: [A-Z][A-Za-z.\-]+){{0,2}},? (?:{_STATES}),? [0-9]{{5}}(?:-[0-9]{{4}})?(?![0-9])"), 0.9),
        # MD, PA and DO behind a comma are degrees more often than states.
        Rule("city_state", re.compile(r"(?<![A-Za-z])[A-Z][a-z]+(?: [A-Z][a-z]+){0,2}, (?!MD|PA|DO)(?:" + _STATES + r")(?![A-Za-z0-9'])"), 0.7),
        Rule("address_label_en", re.compile(r"(?<![A-Za-z])(?i:(?:home |mailing |street )?address|lives at|resides at|residing at)\s*[:]?\s+(?P<value>[0-9][^\n;]{5,70}?)(?=\s*(?:[;\n]|\. |\.$|$|,?\s*(?:Phone|Tel|DOB|MRN)))"), 0.95, layer="label"),
        Rule("zip_label", re.compile(r"(?<![A-Za-z])(?i:zip(?:\s*code)?|postal code)\s*[:#]?\s*(?P<value>[0-9]{5}(?:-[0-9]{4})?)(?![0-9])"), 0.95, layer="label"),
        Rule("city_label_en", re.compile(r"(?<![A-Za-z])(?i:city|hometown|birthplace|place of birth)\s*:\s*(?P<value>[A-Z][A-Za-z.\- ]{2,30})"), 0.8, layer="label"),
        Rule("resident_of", re.compile(r"(?<![A-Za-z])(?:resident of|lives? in|living in|moved from|born in|from the city of) (?P<value>[A-Z][A-Za-z\-]+(?: [A-Z][A-Za-z\-]+){0,2}(?:, ?[A-Z][A-Za-z]+)?)"), 0.7),
    ),
)  # fmt: skip
