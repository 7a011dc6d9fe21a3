"""Names of patients, relatives and staff by label, role word or title, Chinese and English.

Standard: 45 CFR 164.514(b)(2)(i)(A), relatives and household members included; GB/T 37964 direct identifiers.
Layout: label + name ("姓名：", "联系人", "家属…签字", "主管医师", "Patient:", "Attending:"), surname + title (张主任,
Dr. Smith), role + name + clinical continuation (患者张某某，男). Check: surname list, word lists.
Traps: eponyms (帕金森, Killip), names without a blank before the next label (姓名张三性别男), spaced names (张 三).
Example (invented): 姓名：禚芷苒. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..lexicon import lexicon, word_set
from ..recognition import Recognizer, Rule

_STOPS = tuple(sorted(lexicon()["stops"], key=len, reverse=True))
_SURNAMES, _PLAIN, _NOT = word_set("surnames"), word_set("plain_surnames"), word_set("not_names")
_COMPOUND = word_set("compound_surnames") | word_set("surrogate_compound")
_EPONYMS = word_set("eponyms_en")
_RARE = word_set("surrogate_surnames")
# Last characters of diseases, drugs and findings that begin with a surname (黄疸, 陈皮, 金疮).
_CLINICAL_END = frozenset(
    "病炎症痛热癌瘤素酸片丸散汤剂胶疮疹毒菌肿疸斑痨皮药苓参胡连柏芩芪芍蓉贝橘砂膏霜液水肉菜豆仁子壳苔舌汗"
)
_HAN_RUN = r"[一-鿿㐀-䶿](?:[ ·.]{0,3}[一-鿿㐀-䶿Xx*]){0,14}"
_EN_FULL = r"(?-i:[A-Z][A-Za-z'’\-]*[0-9]*\.?(?:,? [A-Z][A-Za-z'’\-]*[0-9]*\.?){0,3})"
_EN_STOP = {"MRN", "DOB", "Date", "Sex", "Age", "Gender", "Address", "Phone", "SSN", "Medical", "Record", "Admission", "Attending", "Physician", "Provider", "Patient", "Hospital", "Department", "Ward", "Room", "Bed", "Male", "Female", "Unit", "Service", "Location", "Number", "No", "Account", "The", "Is", "Was", "Has", "A", "An", "She", "He", "They", "Unknown", "None", "MD", "M.D", "RN", "NP", "PA", "PhD", "DO", "Dr", "Mr", "Mrs", "Ms", "Signed", "Electronically", "On", "At", "In", "Of", "And", "For", "With", "Denies", "Reports", "Presents", "Discharge", "Diagnosis", "History", "Chief", "Complaint", "Assessment", "Plan", "Not", "No.", "Admitted", "Discharged", "Family", "Self", "Same", "Per", "To", "See", "Will", "Cardiology", "Surgery", "Medicine", "Oncology", "Neurology", "I", "ID", "DOB:", "Tel", "Email", "Fax", "Race", "Language", "Insurance", "Allergies", "Procedure", "Report", "Clinic", "Care"}  # fmt: skip


def han_name_end(text: str, start: int, limit: int) -> int:
    """Return where a labelled Chinese name ends.

    Parameters
    ----------
    text : str
        Normalised text.
    start : int
        First character of the value.
    limit : int
        Last offset the value may reach.

    Returns
    -------
    int
        End offset; equal to start when there is no name.
    """
    run = text[start:limit]
    if "·" in run:
        match = re.match(r"[一-鿿]{1,8}(?: ?· ?[一-鿿]{1,8}){1,3}", run)
        if match:
            end = match.end()
            tail = run[:end]
            for stop in _STOPS:
                cut = tail.find(stop, tail.rfind("·") + 3)
                if cut > 0:
                    end = min(end, cut)
            return start + end
    spaced = re.match(r"[一-鿿] {1,3}[一-鿿](?: {1,3}[一-鿿])?(?![一-鿿])", run)
    if spaced and run[0] in _SURNAMES:
        return start + spaced.end()
    run = re.match(r"[一-鿿]*[Xx*某]{0,2}", run).group()
    end = len(run)
    compound = run[:2] in _COMPOUND
    for stop in _STOPS:
        cut = run.find(stop, 3 if compound else 2)
        if 0 < cut < end:
            end = cut
    if end > 4 or (end == 4 and not compound and run[:1] in _SURNAMES and run[3] in "男女的之在于因系为是已于"):
        end = 4 if compound else 3
    return start + end


def _labelled(match: re.Match[str]) -> tuple[int, int] | bool:
    start = match.start("value")
    end = han_name_end(match.string, start, match.end("value"))
    name = re.sub(r"[ ·.]", "", match.string[start:end])
    if len(name) < 2 or name in _NOT or any(name.startswith(w) for w in _NOT if len(w) > 1 and len(name) - len(w) <= 1):
        return False
    return start, end


def _role(match: re.Match[str]) -> tuple[int, int] | bool:
    name = match.group("value")
    surname = name[:2] if name[:2] in _COMPOUND else name[:1]
    if surname not in _COMPOUND and surname not in _PLAIN and surname not in _RARE and not name.endswith("某"):
        return False
    if name in _NOT or name[:2] in _NOT or name[-1] in _CLINICAL_END:
        return False
    return match.span("value")


def _titled(match: re.Match[str]) -> tuple[int, int] | bool:
    end = match.end("value")
    name = match.group("value")
    while name and not (name[0] in _SURNAMES or name[0] in _RARE or name[:2] in _COMPOUND):
        name = name[1:]
    if len(name) == 3 and name[0] not in _PLAIN and name[1] in _PLAIN:
        name = name[1:]
    before = match.string[: end - len(name)][-3:]
    if not name or name in _NOT or name[:2] in _NOT or any((before + name).endswith(w) for w in _NOT):
        return False
    if (
        len(name) == 1
        and name not in _PLAIN
        and name not in _RARE
        and not re.search(r"(?:^|[\s,。;:、(请由经及和与据遵示])$", before)
    ):
        return False
    if len(name) > 1 and name[0] not in _PLAIN and name[0] not in _RARE and name[:2] not in _COMPOUND:
        return False
    return end - len(name), end


def _english(match: re.Match[str]) -> tuple[int, int] | bool:
    start = match.start("value")
    words = list(re.finditer(r"[A-Za-z'’\-.]+[0-9]*,?", match.group("value")))
    kept: list[re.Match[str]] = []
    for word in words:
        bare = word.group().rstrip(".,")
        if bare in _EN_STOP or bare.rstrip(".") in _EN_STOP or (kept and bare.capitalize() in _EN_STOP):
            break
        kept.append(word)
    while kept and kept[-1].group().rstrip(".,").upper() in ("MD", "DO", "RN", "PHD"):
        kept.pop()
    if not kept or (len(kept) == 1 and kept[0].group().rstrip(".,") in _EPONYMS):
        return False
    end = start + kept[-1].end()
    while match.string[end - 1] in ",." and end > start + 2:
        end -= 1
    return start, end


def _signed(match: re.Match[str]) -> tuple[int, int] | bool:
    words = match.group("value").split()
    while words and words[0].rstrip(",.") in _EN_STOP | {"By", "By:", "Consult", "Consulted", "Seen"}:
        words.pop(0)
    if not words:
        return False
    return match.end("value") - len(" ".join(words)), match.end("value")


_ZH_LABEL = (
    r"(?:患\s*者\s*姓\s*名|病\s*人\s*姓\s*名|产\s*妇\s*姓\s*名|姓\s*名|曾\s*用\s*名|联\s*系\s*人(?:\s*姓\s*名)?|紧急联系人|病史陈述者|陈\s*述\s*者|供\s*史\s*者|监\s*护\s*人|法定代理人|被授权人|授权委托人|委托人|代理人|患者签名|病人签名|患者签字|家属签[名字]|(?:患者)?(?:家属|亲属|近亲属|监护人|委托人)\s*(?:/?代理人)?\s*(?:签\s*[名字]|姓名)"
    r"|(?:主\s*管|经\s*管|管\s*床|主\s*治|住\s*院|副\s*主\s*任|主\s*任|接\s*诊|首\s*诊|上\s*级|带\s*教|值\s*班|进\s*修|实\s*习|责\s*任|会\s*诊|申\s*请|送\s*检|报\s*告|审\s*核|检\s*查|检\s*验|记\s*录|诊\s*断|麻\s*醉|手\s*术|巡\s*回|洗\s*手|器\s*械|质\s*控|编码|书写|复核|核对|采样|接收|操作|随访|经治)\s*(?:医\s*师|医\s*生|护\s*士|技\s*师|者|人|员|医)"
    r"|主\s*刀|术\s*者|一\s*助|二\s*助|第?[一二三]助手?|助\s*手|签\s*名|签\s*字|签\s*章|护士长|科主任|医\s*师\s*签\s*名|医生签[名字]|医师签[名字]|护士签[名字]|记录者签名|医师|医生|护士|父亲|母亲|配偶|丈夫|妻子|儿子|女儿|家属)"
)
_TITLE = r"(?:副?主任医师|主治医师|住院医师|主治医生|副?主任(?!医)|医师|医生|大夫|护士长|护士|护师|教授|院长|副院长|技师|药师|老师|主治|先生|女士|小姐|太太|阿姨|大爷|大妈|师傅|同志|某某|某)"
RECOGNIZER = Recognizer(
    "PERSON",
    (
        Rule("name_label_zh", re.compile(_ZH_LABEL + rf"\s*(?:\(.{{0,8}}\))?\s*[:]\s*(?=(?P<value>{_HAN_RUN}))"), 0.95, _labelled, "label"),
        Rule("name_label_zh_nocolon", re.compile(rf"(?<![一-鿿])(?:患者姓名|病人姓名|姓\s*名|联系人|签名|签字)\s*(?=(?P<value>{_HAN_RUN}))"), 0.8, _labelled, "label"),
        Rule("signed_list_zh", re.compile(_ZH_LABEL + rf"\s*:\s*[一-鿿]{{2,4}} ?[/、,] ?(?=(?P<value>{_HAN_RUN}))"), 0.85, lambda m: m.group("value")[0] in _SURNAMES and len(m.group("value")) <= 4 and _labelled(m), "label"),
        Rule("role_name_zh", re.compile(r"(?:患者|病人|患儿|产妇|家属|其[父母妻夫子女]|之[父母妻夫子女]|儿子|女儿|丈夫|妻子|配偶|父亲|母亲|联系人)[ :]?(?P<value>[一-鿿]{2,4}?)(?=[ ]?(?:[,、(]|\s|男|女|系|因|于|[0-9]{1,3}岁|签|电话|,|。|;|$))"), 0.8, _role, "label"),
        Rule("surname_mou", re.compile(r"(?P<value>[一-鿿](?:某某|某[一-鿿]?(?=[,。、;\s男女0-9])|[Xx*×]{1,2}(?![一-鿿A-Za-z0-9*])))"), 0.85, lambda m: m.group("value")[0] in _SURNAMES and m.group("value")[0] not in "人日年月同该若但由阿"),
        Rule("surname_title_zh", re.compile(rf"(?P<value>[一-鿿]{{1,4}}?){_TITLE}"), 0.8, _titled),
        Rule("title_name_zh", re.compile(r"(?:医师|医生|护士|主任|大夫)[ ]?(?P<value>[一-鿿]{2,3})(?=[ ]?(?:查房|记录|签|,|。|;|\s|$|/))"), 0.7, lambda m: _role(m)),
        Rule("signed_zh", re.compile(r"(?P<value>[一-鿿]{2,4}|[一-鿿] {1,2}[一-鿿])\s?[(/]?(?:签名|签字|代签|记录$)"), 0.6, lambda m: m.group("value")[0] in _PLAIN and m.group("value") not in _NOT and not any(w in m.group("value") for w in ("医", "护", "患", "家", "师", "者", "人", "属"))),
        Rule("latin_label_zh", re.compile(_ZH_LABEL + rf"\s*(?:\(.{{0,8}}\))?\s*[:]\s*(?=(?P<value>{_EN_FULL}))"), 0.95, _english, "label"),
        Rule("name_label_en", re.compile(rf"(?<![A-Za-z])(?=[A-Za-z][^:\n]{{1,44}}+:)(?i:patient(?:'s)?(?: full)? name|pt\.? name|patient|pt|name|full name|first name|last name|surname|given name|middle name|maiden name|mother'?s maiden name|preferred name|alias|aka|next of kin|nok|emergency contact|contact(?: person)?|guardian|spouse|husband|wife|mother|father|son|daughter|sister|brother|relative|informant|caregiver|proxy|hcp|referring(?: physician| provider| doctor)?|attending(?: physician| provider| doctor| surgeon)?|physician|provider|surgeon|assistant|anesthesiologist|anaesthetist|resident|fellow|intern|consultant|pcp|primary care (?:physician|provider)|nurse|therapist|pathologist|radiologist|dictated by|transcribed by|signed by|electronically signed by|reviewed by|verified by|reported by|ordered by|performed by|seen by|author|signature|cc|dear|interpreter|technician|technologist|witness)\s*(?:\((?:[^)]{{0,12}})\))?\s*[:]\s*(?i:dr\.?|mr\.?|mrs\.?|ms\.?|prof\.?)?\s*(?=(?P<value>{_EN_FULL}))"), 0.9, _english, "label"),
        Rule("signed_by_en", re.compile(rf"(?<![A-Za-z])(?i:(?:dictated|transcribed|signed|reviewed|verified|reported|performed|seen|authored|examined|evaluated) by|named|called|my name is|i am|i'm|this is|regards,|sincerely,|thanks,|dear)\s+(?i:dr\.?|mr\.?|mrs\.?|ms\.?)?\s*(?=(?P<value>{_EN_FULL}))"), 0.7, lambda m: _english(m) if len(m.group("value")) > 2 else False, "label"),
        Rule("title_name_en", re.compile(rf"(?<![A-Za-z])(?:Dr|DR|Mr|MR|Mrs|MRS|Ms|MS|Miss|Prof|Professor|Doctor|Nurse|Sister|Rev|Sir|Madam)(?:\.\s?| )(?=(?P<value>{_EN_FULL}))"), 0.9, _english),
        Rule("relative_en", re.compile(rf"(?<![A-Za-z])(?i:my|his|her|their|our|patient's|pt's) (?i:(?:elder |older |younger |late |ex-?)?(?:son|daughter|wife|husband|mother|father|mom|dad|brother|sister|aunt|uncle|cousin|niece|nephew|grandson|granddaughter|grandmother|grandfather|friend|partner|boyfriend|girlfriend|neighbou?r|boss|roommate|fianc[eé]e?)),? (?=(?P<value>{_EN_FULL}))"), 0.75, _english, "label"),
        Rule("title_name_en_lower", re.compile(r"(?<![A-Za-z])(?:dr|mr|mrs|ms|prof)\.\s?(?P<value>[a-z]{3,}(?: [A-Z][a-z]+)?)"), 0.7),
        Rule("name_degree_en", re.compile(r"(?<![A-Za-z])(?P<value>[A-Z][A-Za-z'\-]+[0-9]*(?: [A-Z]\.?)?(?:[ ][A-Z][A-Za-z'\-]+[0-9]*){1,2}),? (?:MD|M\.D\.|DO|D\.O\.|RN|R\.N\.|NP|PA-C|PhD|Ph\.D\.|FACS|FACC|MBBS|DDS|PharmD|LCSW|CRNA|DPM|FNP|APRN)(?![A-Za-z])"), 0.9, _signed),
    ),
)  # fmt: skip
