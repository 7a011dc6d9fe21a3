"""What fills the slots of a note template: identifiers in many surface forms, concepts, numbers and dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from .builder import Identifier
from .vocabulary import vocabulary

_FULL_WIDTH = str.maketrans("0123456789Xx", "０１２３４５６７８９Ｘｘ")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass
class Scene:
    """One visit and everything its notes may mention."""

    rng: Random
    english: bool
    mixed: bool
    person: dict
    encounter: dict
    summary: dict
    archetype: dict
    kind: int
    smoking: int
    values: dict[str, float]
    staff: dict[str, dict]
    groups: dict
    styles: dict[str, int]
    organizations: list[dict]
    phrases: dict

    @property
    def admit(self) -> datetime:
        """Start of the visit."""
        return self.encounter["admit_time"]

    @property
    def stay_hours(self) -> float:
        """Length of the visit in hours."""
        return (self.encounter["discharge_time"] - self.admit).total_seconds() / 3600

    @property
    def operation(self) -> str:
        """Code of the operation done, empty if none."""
        code = self.archetype["operation"]
        return code if code in self.summary["procedures"] else ""

    def at(self, hours: float) -> datetime:
        """Return a moment of the visit, to the minute."""
        return self.admit + timedelta(minutes=int(hours * 60))


def write_date(when: datetime, english: bool, form: int) -> str:
    """Return a date in one of the forms seen in records.

    Parameters
    ----------
    when : datetime.datetime
        The day.
    english : bool
        English rather than Chinese forms.
    form : int
        Which form; taken modulo their number (Chinese 7, English 6).

    Returns
    -------
    str
        The date as written.
    """
    y, m, d = when.year, when.month, when.day
    if english:
        month = _MONTHS[m - 1]
        forms = (
            f"{m:02d}/{d:02d}/{y}",
            f"{month} {d}, {y}",
            f"{d} {month} {y}",
            f"{y}-{m:02d}-{d:02d}",
            f"{m}/{d}/{y % 100:02d}",
            f"{d:02d}-{month}-{y}",
        )
    else:
        forms = (
            f"{y}-{m:02d}-{d:02d}",
            f"{y}年{m}月{d}日",
            f"{y}.{m:02d}.{d:02d}",
            f"{y}/{m}/{d}",
            f"{y % 100}.{m}.{d}",
            f"{y}年{m:02d}月{d:02d}日".translate(_FULL_WIDTH),
            f"{y}-{m}-{d}",
        )
    return forms[form % len(forms)]


def identity_slots(scene: Scene) -> dict:
    """Return the slots that say who the patient is, their relatives, and where they are.

    Parameters
    ----------
    scene : Scene
        The visit.

    Returns
    -------
    dict
        Slot name to value, for ``NoteBuilder.add``.
    """
    p, e, rng, english = scene.person, scene.encounter, scene.rng, scene.english
    none = "not recorded" if english else "-"
    tag = lambda kind, value, owner="patient": Identifier(kind, value, owner) if value else none  # noqa: E731
    own, outside = scene.organizations[0], rng.choice(scene.organizations[1:])
    age = str(e["age_years"])
    digits = p["phone"]
    spaced = f"{digits[:3]} {digits[3:7]} {digits[7:]}" if not english else digits.replace("(", "").replace(") ", "-")
    relative = rng.choice(
        ("父亲", "母亲", "哥哥", "姐姐") if not english else ("father", "mother", "brother", "sister")
    )
    rid = p["resident_id"]
    rid_kind = "ssn" if rid.startswith("666-") else "resident_id"
    wide = rng.choice(
        (
            rid,
            rid.translate(_FULL_WIDTH),
            f"{rid[:6]} {rid[6:14]} {rid[14:]}" if rid_kind == "resident_id" else rid,
            rid.lower() if rid_kind == "resident_id" else rid,
        )
    )
    latin = p["name_latin"] or p["name"]
    pinyin = rng.choice(
        (
            latin,
            latin.upper(),
            latin.split()[0].upper() + " " + " ".join(latin.split()[1:]),
            " ".join([*latin.split()[1:], latin.split()[0]]),
        )
    )
    sex = {"male": ("男", "male"), "female": ("女", "female")}[p["sex"]][int(english)]
    marital = {"single": "未婚", "married": "已婚", "divorced": "离异", "widowed": "丧偶", "unknown": "不详"}
    docs = scene.groups[(english, "radiology", False)]
    return {
        "name": tag("name", p["name"]),
        "name_sp": tag(
            "name", (" " if rng.random() < 0.6 else "　").join(p["name"]) if not english else p["name"].upper()
        ),
        "last": tag("name", p["name"].split()[-1]) if english else tag("name", p["name"]),
        "pinyin": tag("name", pinyin),
        "sex": sex,
        "age": tag("age_over_89", age) if e["age_years"] > 89 else age,
        "birth": tag(
            "birth_date", write_date(datetime.combine(p["birth_date"], datetime.min.time()), english, rng.randrange(7))
        ),
        "mrn": tag("mrn", p["mrn"]),
        "adm": tag("admission_no", e["admission_no"]),
        "bed": tag("bed", e["bed"]),
        "ward": tag("ward", e["ward"]),
        "rid": tag(rid_kind, rid),
        "rid_fw": tag(rid_kind, wide),
        "ins": tag("insurance_no", p["insurance_no"]),
        "phone": tag("phone", p["phone"]),
        "phone_sp": tag(
            "phone",
            rng.choice(
                (
                    spaced,
                    p["phone"] if english else f"+86 {digits}",
                    p["phone"] if english else digits.translate(_FULL_WIDTH),
                )
            ),
        ),
        "email": tag("email", p["email"]),
        "addr": tag("address", p["address"]),
        "city": tag("city", p["city"]),
        "post": tag("postcode", p["postcode"]),
        "cname": tag("name", p["contact_name"], "relative"),
        "cphone": tag("phone", p["contact_phone"], "relative"),
        "crel": p["contact_relation"],
        "employer": tag("employer", p["employer"]),
        "occ": p["occupation"],
        "eth": p["ethnicity"] or none,
        "marital": p["marital_status"] if english else marital[p["marital_status"]],
        "org": tag("institution", outside["name"], "organization"),
        "own": tag("institution", own["name"], "organization"),
        "ownphone": tag("phone", own["phone"], "organization"),
        "dept": e["department"],
        "relname": tag("name", p["contact_name"], "relative"),
        "relword": p["contact_relation"],
        "relative": relative,
        "rad": tag("name", rng.choice(docs)["name"], "staff"),
        "docprev": tag(
            "name",
            rng.choice(scene.groups[(english, rng.choice(("surgery", "neurology", "cardiology")), False)])["name"],
            "staff",
        ),
    }


def clinical_slots(scene: Scene) -> dict:
    """Return the slots that say what is wrong and what was done.

    Parameters
    ----------
    scene : Scene
        The visit.

    Returns
    -------
    dict
        Slot name to value, for ``NoteBuilder.add``.
    """
    c, s, rng, english, words = vocabulary("conditions"), scene.summary, scene.rng, scene.english, scene.phrases
    symptoms = scene.archetype["symptoms"]
    denied = rng.sample(scene.archetype["denied"], 3)
    other = [code for code in scene.archetype["differential"] if code != s["main"]] or ["F41.9"]
    chronic = tuple(c[code] for code in s["others"] if code[0] not in "R" and code != "I50.1")
    drugs = tuple(vocabulary("drugs")[d] for d in dict.fromkeys(s["drugs"]))
    if not drugs:
        drugs = (vocabulary("drugs")["Sodium chloride 0.9 %"],)
    imaging = scene.archetype["imaging"]
    v = lambda code, default: _number(scene.values.get(code, default))  # noqa: E731
    status = ("never", "former", "current")[scene.smoking]
    days, unit = (
        rng.choice(((1, 0), (2, 0), (3, 0), (5, 0), (1, 1), (2, 1), (6, 2)))
        if scene.archetype["department"] != "cardiology"
        else rng.choice(((3, 2), (6, 2), (1, 0), (2, 0)))
    )
    duration = (
        f"{days}{('天', '周', '小时')[unit]}"
        if not english
        else f"{days} {('day', 'week', 'hour')[unit]}{'s' if days > 1 else ''}"
    )
    operation = scene.operation
    opline = ""
    if operation:
        opline = (
            ["行{op!affirmed}，术后恢复顺利。"]
            if not english
            else [" He or she underwent {op!affirmed} without complication."]
        )
    return {
        "dx": c[s["main"]],
        "s1": c[symptoms[0]],
        "s2": c[symptoms[-1 if len(symptoms) < 2 else rng.randrange(1, len(symptoms))]],
        "n1": c[denied[0]],
        "n2": c[denied[1]],
        "n3": c[denied[2]],
        "ddx1": c[other[0]],
        "ddx2": c[other[-1]],
        "com": chronic or (c["K29.5"],),
        "coms": (["；{com!affirmed}"] if not english else ["; {com!affirmed}"]) if chronic else "",
        "past": [rng.choice(_fitting(words["past"]["some" if chronic else "none"], [s["main"], *s["others"]]))],
        "allergy": [rng.choice(words["allergy"]["yes" if s["allergic"] else "no"])],
        "smoke": [rng.choice(words["smoking"][status])],
        "family": [rng.choice(words["family"]["lines"])],
        "fam": c[rng.choice(("I10", "E11.9", "I25.1", "I64", "C16.9", "C34.9"))],
        "drugs": drugs[:5],
        "drug1": drugs[0],
        "img": vocabulary("procedures")[imaging],
        "op": vocabulary("procedures")[operation or imaging],
        "opline": opline,
        "dur": duration,
        "temp": v("8310-5", 36.6),
        "hr": v("8867-4", 78),
        "rr": v("9279-1", 18),
        "sbp": v("8480-6", 130),
        "dbp": v("8462-4", 80),
        "spo2": v("59408-5", 98),
        "wbc": v("6690-2", 7.2),
        "hb": v("718-7", 132),
        "cr": v("14682-9", 75),
        "braden": v("LL-BRADEN", 18),
        "blood": str(rng.choice((5, 10, 20, 50, 100, 150))),
        "spec": Identifier("specimen_no", f"S88{rng.randrange(10**9):09d}"),
        "acc": Identifier("accession_no", f"A{rng.randrange(10**8):08d}"),
        "serial": Identifier("device_serial", f"SN{rng.randrange(10**10):010d}"),
    }


def time_slots(scene: Scene, record_class: str, hours: float) -> tuple[dict, dict]:
    """Return the author of one note and the slots that say when, and who signs.

    Parameters
    ----------
    scene : Scene
        The visit.
    record_class : str
        Filing class of the note.
    hours : float
        Hours after admission.

    Returns
    -------
    tuple of (dict, dict)
        Staff row of the author; slot name to value.
    """
    rng, english, e = scene.rng, scene.english, scene.encounter
    attending = scene.staff[e["attending_doctor"]]
    department = attending["_department"]
    nurse = rng.choice(scene.groups[(english, department, True)])
    radiologist = rng.choice(scene.groups[(english, "radiology", False)])
    author = (
        nurse if record_class == "nursing_record" else radiologist if record_class == "imaging_report" else attending
    )
    senior = scene.groups[(english, department, False)][3]
    form = rng.randrange(12)
    now = scene.at(hours)
    date = lambda when: Identifier("date", write_date(when, english, form))  # noqa: E731
    staff_name = lambda row: Identifier("name", row["name"], "staff")  # noqa: E731
    return author, {
        "d_adm": date(scene.admit),
        "t_adm": f"{scene.admit:%H:%M}",
        "d_now": date(now),
        "t_now": f"{now:%H:%M}",
        "d_dis": date(e["discharge_time"]),
        "t_dis": f"{e['discharge_time']:%H:%M}",
        "d_op": date(now),
        "d_prev": date(scene.admit - timedelta(days=rng.choice((1, 2, 3, 90)))),
        "d_fu": date(e["discharge_time"] + timedelta(days=rng.choice((14, 28, 30)))),
        "days": str(max(1, int(hours / 24) + (0 if record_class == "discharge_summary" else 1))),
        "doc": staff_name(attending),
        "doctitle": attending["title"],
        "docid": Identifier("staff_id", attending["staff_id"], "staff"),
        "sup": staff_name(senior),
        "suptitle": senior["title"],
        "nurse": staff_name(nurse),
        "rad": staff_name(radiologist),
    }


def _fitting(templates: list[str], codes: list[str]) -> list[str]:
    """Return the templates that deny none of a person's own diseases."""
    return [t for t in templates if not any(f"|{code[:3]}" in t for code in codes)] or templates


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"
