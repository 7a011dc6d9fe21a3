"""The structured tables: encounters, diagnoses, orders, procedures, results, observations, follow-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ..core.filing import filing_standard
from .course import BOTH, COMORBIDITIES, CONTROL, TREATED, Course, archetypes, effects
from .people import names
from .vocabulary import vocabulary

PRIOR, INDEX, LATER, READMISSION = 0, 1, 2, 3
_DAY = 86400


@dataclass
class Visits:
    """Arrays over encounters, shape ``(m,)``, ordered by person and time."""

    person: np.ndarray
    kind: np.ndarray
    admit: np.ndarray
    discharge: np.ndarray
    encounter_id: list[str]
    admission_no: list[str | None]
    doctor: list[str]
    main_code: list[str]
    frame: pl.DataFrame | None = None


def _seconds(days: np.ndarray) -> np.ndarray:
    return np.round(np.nan_to_num(days) * 1440).astype(int) * 60 * np.timedelta64(1, "s")


def make_visits(course: Course, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw when each person came: before, for the main stay, after it, and a second stay.

    Parameters
    ----------
    course : Course
        Persons.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    dict of str to numpy.ndarray
        ``person``, ``kind``, ``admit``, ``discharge``; sorted by person, then time; at most three visits each.
    """
    n = len(course.age)
    end = np.fmin(np.fmin(course.death_day, course.lost_day), 365.0)  # nothing happens after death or loss
    has_prior = rng.random(n) < 0.22
    prior_day = -rng.integers(40, 400, n) + 0.0
    later_day = course.los + rng.uniform(14, 80, n)
    has_later = (rng.random(n) < 0.42) & (later_day < end - 1)
    again_day = np.where(has_later, later_day, course.los) + rng.uniform(20, 120, n)
    again_los = rng.uniform(2, 7, n)
    has_again = (rng.random(n) < 0.12) & (again_day + again_los < end - 1) & ~(has_prior & has_later)
    blocks = []
    everyone = np.arange(n)
    midnight = course.admit.astype("datetime64[D]").astype("datetime64[s]")
    for kind, mask, day, stay in (
        (PRIOR, has_prior, prior_day, np.full(n, 0.1)),
        (LATER, has_later, later_day, np.full(n, 0.05)),
        (READMISSION, has_again, again_day, again_los),
    ):
        clock = (8 * 3600 + rng.integers(0, 9 * 60, n) * 60) * np.timedelta64(1, "s")
        start = midnight + _seconds(np.floor(day)) + clock
        blocks.append((everyone[mask], np.full(mask.sum(), kind), start[mask], (start + _seconds(stay))[mask]))
    blocks.append((everyone, np.full(n, INDEX), course.admit, course.discharge))
    person, kind, admit, discharge = (np.concatenate(c) for c in zip(*blocks, strict=True))
    order = np.lexsort((admit, person))
    return {"person": person[order], "kind": kind[order], "admit": admit[order], "discharge": discharge[order]}


def encounter_frame(
    course: Course, visit: dict, mrns: list[str], doctors: dict, rng: np.random.Generator
) -> pl.DataFrame:
    """Return the filing table ``encounter`` (front page stay group).

    Parameters
    ----------
    course : Course
        Persons.
    visit : dict
        Arrays of ``make_visits``.
    mrns : list of str
        Record number of each person.
    doctors : dict
        ``(is_english, department key)`` to six staff numbers.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    polars.DataFrame
        Columns of the filing table, one row per visit.
    """
    p, kind, m = visit["person"], visit["kind"], len(visit["person"])
    kinds, places = archetypes()["archetype"], names()["departments"]
    dept = [kinds[course.keys[a]]["department"] for a in course.archetype[p]]
    english = course.is_english[p]
    inpatient = np.isin(kind, (INDEX, READMISSION))
    emergency = (kind == PRIOR) & (rng.random(m) < 0.2)
    died = (kind == INDEX) & course.died_inside[p]
    u = rng.random(m)
    disposition = np.select(
        [died, u < 0.9, u < 0.935, u < 0.97, u < 0.99],
        ["death", "home", "transfer", "community", "against_advice"],
        "other",
    )
    outcome = np.select([died, u < 0.35, u < 0.93], ["died", "cured", "improved"], "not_improved")
    condition = np.array(["mild", "moderate", "severe", "critical"])[
        np.where(kind == INDEX, course.condition[p], np.minimum(course.condition[p], 1))
    ]
    route = np.select([rng.random(m) < 0.45, rng.random(m) < 0.85], ["emergency", "outpatient"], "transfer")
    days = (visit["discharge"] - visit["admit"]).astype(float) / _DAY
    ward_no, bed_no = rng.integers(1, 4, m), rng.integers(1, 60, m)
    payers = names()["payers"]
    payer_i = rng.choice(len(payers), m, p=[0.45, 0.33, 0.1, 0.1, 0.02])
    age = course.age[p] + np.where(kind == INDEX, 0, _age_shift(course, visit))
    cost = np.where(
        inpatient,
        4200 * np.exp(0.25 * course.severity[p] + rng.normal(0, 0.4, m)) * (0.5 + days / 5),
        180 + 260 * rng.random(m),
    )
    serial = rng.permutation(m) + 100000
    year = visit["admit"].astype("datetime64[Y]").astype(int) + 1970
    return pl.DataFrame(
        {
            "encounter_id": [f"{'IC' if e else 'ZY'}{y}{s:07d}" for e, y, s in zip(english, year, serial)],
            "mrn": [mrns[i] for i in p],
            "admission_no": [f"{y % 100}{s:08d}" if i else None for i, y, s in zip(inpatient, year, serial[::-1])],
            "visit_type": np.where(inpatient, "inpatient", np.where(emergency, "emergency", "outpatient")).tolist(),
            "admission_route": [r if i else None for r, i in zip(route.tolist(), inpatient)],
            "department": [places[d][int(e)] for d, e in zip(dept, english)],
            "ward": [
                (f"Ward {w}" if e else f"{places[d][0]}{w}病区") if i else None
                for d, e, w, i in zip(dept, english, ward_no, inpatient)
            ],
            "bed": [
                (f"{w}-{b:02d}" if e else f"{b:02d}床") if i else None
                for e, w, b, i in zip(english, ward_no, bed_no, inpatient)
            ],
            "attending_doctor": [doctors[bool(e), d][s] for e, d, s in zip(english, dept, course.doctor[p])],
            "admit_time": visit["admit"].astype("datetime64[us]"),
            "discharge_time": visit["discharge"].astype("datetime64[us]"),
            "disposition": [d if i else None for d, i in zip(disposition.tolist(), inpatient)],
            "condition": condition.tolist(),
            "age_years": age,
            "outcome": [o if i else None for o, i in zip(outcome.tolist(), inpatient)],
            "payer": [
                payers[i] if not e else ("Commercial insurance", "National insurance", "Self-pay")[i % 3]
                for i, e in zip(payer_i, english)
            ],
            "total_cost": np.round(cost, 2),
        }
    ).cast(filing_standard().table("encounter").schema)


def _age_shift(course: Course, visit: dict) -> np.ndarray:
    """Return how many years older (or younger) a person is at a visit than at the main stay."""

    def age_at(t, birth):
        months = t.astype("datetime64[M]").astype(int) - birth.astype("datetime64[M]").astype(int)
        day = (t.astype("datetime64[D]") - t.astype("datetime64[M]")).astype(int)
        return (months - (day < (birth - birth.astype("datetime64[M]").astype("datetime64[D]")).astype(int))) // 12

    p = visit["person"]
    return age_at(visit["admit"], course.birth[p]) - age_at(course.admit[p], course.birth[p])


class Rows:
    """Collects rows of one filing table as column lists, aligned with encounters."""

    def __init__(self, table: str) -> None:
        self.table = filing_standard().table(table)
        self.columns: dict[str, list] = {c: [] for c in self.table.columns}

    def add(self, **values) -> None:
        """Append one row; columns not named become null."""
        for name, column in self.columns.items():
            column.append(values.get(name))

    def frame(self, prefix: str) -> pl.DataFrame:
        """Return the rows in the declared types, with row numbers as keys."""
        key = self.columns[self.table.key]
        key[:] = [f"{prefix}{i + 1:08d}" for i in range(len(key))]
        times = [n for n, c in self.table.columns.items() if c.type == "datetime"]
        for name in times:
            self.columns[name] = np.array(
                [np.datetime64("NaT") if v is None else v for v in self.columns[name]], "datetime64[us]"
            )
        frame = pl.DataFrame(self.columns, strict=False).cast(self.table.schema)
        return frame


def clinical_rows(
    course: Course, visit: dict, encounters: pl.DataFrame, rng: np.random.Generator, surgeons: dict
) -> tuple[dict[str, pl.DataFrame], list[dict]]:
    """Return diagnoses, drug orders, procedures and other observations, and what the notes need to know of each visit.

    Parameters
    ----------
    course : Course
        Persons.
    visit : dict
        Arrays of ``make_visits``.
    encounters : polars.DataFrame
        Table ``encounter`` in the same order.
    rng : numpy.random.Generator
        Source of chance.
    surgeons : dict
        ``(is_english, department key)`` to staff numbers, as in ``encounter_frame``.

    Returns
    -------
    tuple of (dict of str to polars.DataFrame, list of dict)
        Tables by name; one clinical summary per visit (codes of diagnoses, drugs, procedures).
    """
    kinds, spec = archetypes()["archetype"], effects()["ticagrelor_acs"]
    conditions, drugs, procedures = vocabulary("conditions"), vocabulary("drugs"), vocabulary("procedures")
    dx, rx, op, ob = Rows("diagnosis"), Rows("drug_order"), Rows("procedure"), Rows("observation")
    allergic = rng.random(len(course.age)) < 0.06
    summaries = []
    columns = encounters.select("encounter_id", "mrn", "attending_doctor").rows()
    draws = rng.random((len(columns), 40))
    minute = np.timedelta64(60, "s")
    for i, (eid, mrn, doctor) in enumerate(columns):
        p, kind, u = visit["person"][i], visit["kind"][i], draws[i]
        english, key = bool(course.is_english[p]), course.keys[course.archetype[p]]
        spec_a, admit, leave = kinds[key], visit["admit"][i], visit["discharge"][i]
        base = {"encounter_id": eid, "mrn": mrn}
        if kind == INDEX:
            at, main = 0.0, spec_a["main"][-1][0]
            for code, share in spec_a["main"]:
                at += share
                if u[0] < at:
                    main = code
                    break
        else:
            main = spec_a["later"]
        others = [c for c, h in zip(COMORBIDITIES, course.comorbid[p]) if h and c[:3] != main[:3]]
        if kind == INDEX and key == "ami" and course.condition[p] == 3:
            others.append("I50.1" if u[1] < 0.7 else "R57.0")
        diagnosed = admit + (10 + int(u[2] * 20)) * minute
        if kind in (INDEX, READMISSION):
            symptom = conditions[spec_a["symptoms"][0]]
            dx.add(
                **base,
                seq=1,
                kind="admission",
                code=symptom.code,
                code_system="ICD10",
                name=symptom.name(english),
                start_time=admit,
            )
        for seq, code in enumerate([main, *others], 1):
            term = conditions[code]
            dx.add(
                **base,
                seq=seq,
                kind="main" if seq == 1 else "other",
                code=code,
                code_system="ICD10",
                name=term.name(english),
                present_on_admission="yes",
                start_time=diagnosed,
            )
        given = [
            name for j, (name, share) in enumerate(spec_a["drugs"]) if u[3 + j] < share * (1 if kind == INDEX else 0.4)
        ]
        given += _home_drugs(others, u[12:20])
        platelet = []
        if key == "ami" and kind in (INDEX, LATER, READMISSION):
            arm = course.arm[p]
            platelet = [
                d for d, arms in ((spec["treated"], (TREATED, BOTH)), (spec["control"], (CONTROL, BOTH))) if arm in arms
            ]
        # With an arm drug ordered at `ordered`, every other order follows within the hour.
        ordered = admit + int(course.order_minutes[p] if kind == INDEX else 30) * minute
        for j, name in enumerate(dict.fromkeys([*platelet, *given])):
            term = drugs[name]
            start = ordered if name in platelet else ordered + int(u[20 + j % 10] * 55) * minute
            if start >= leave:
                start = ordered if ordered < leave else admit
            row = term.row
            short = row["frequency"] == "st"
            stop = None if kind in (PRIOR, LATER) else (min(leave, start + 60 * minute) if short else leave)
            rx.add(
                **base,
                code=term.code,
                code_system=term.code_system,
                name=term.name(english),
                dose=float(row["dose"]),
                dose_unit=row["dose_unit"],
                route=row["route"],
                frequency=row["frequency"],
                prescriber=doctor,
                start_time=start,
                stop_time=stop,
            )
        done = []
        if kind == INDEX:
            for j, (code, share) in enumerate(spec_a["procedures"]):
                start = ordered + (30 + int(u[30 + j] * 1200)) * minute
                finish = start + (25 + int(u[34] * 100)) * minute
                if u[35 + j] < share and finish < leave:
                    done.append(code)
                    term = procedures[code]
                    op.add(
                        **base,
                        code=code,
                        code_system="ICD9CM3",
                        name=term.name(english),
                        surgeon=doctor,
                        start_time=start,
                        end_time=finish,
                    )
                    if code == "36.07":
                        ob.add(
                            **base,
                            kind="device",
                            name="Drug-eluting coronary stent" if english else "药物洗脱冠脉支架",
                            device_serial=f"SN{int(u[36] * 1e9):010d}",
                            time=start,
                        )
        if allergic[p] and kind == INDEX:
            ob.add(
                **base,
                kind="allergy",
                code="Z88.0",
                code_system="ICD10",
                name=conditions["Z88.0"].name(english),
                value_text="low" if english else "皮疹",
                time=admit,
            )
        if english and kind == PRIOR and u[37] < 0.5:
            ob.add(**base, kind="immunization", name="Influenza vaccine", time=admit)
        summaries.append(
            {
                "archetype": key,
                "main": main,
                "others": others,
                "drugs": [*platelet, *given],
                "procedures": done,
                "allergic": bool(allergic[p]),
                "ordered": ordered,
            }
        )
    tables = {
        "diagnosis": dx.frame("DX"),
        "drug_order": rx.frame("RX"),
        "procedure": op.frame("OP"),
        "observation": ob.frame("OB"),
    }
    return tables, summaries


_HOME = {
    "E11.9": ("Metformin", "Acarbose"),
    "I10": ("Amlodipine", "Valsartan"),
    "E78.5": ("Simvastatin", "Simvastatin"),
    "J44.9": ("Tiotropium", "Salbutamol inhaler"),
    "I48": ("Bisoprolol", "Digoxin"),
    "M10.9": ("Allopurinol", "Febuxostat"),
    "K29.5": ("Omeprazole", "Hydrotalcite"),
    "B18.1": ("Entecavir", "Entecavir"),
}


def _home_drugs(others: list[str], u: np.ndarray) -> list[str]:
    """Return drugs a person takes for long-standing diseases."""
    return [_HOME[c][int(x * 10) % 2] for c, x in zip(others, u) if c in _HOME and x < 0.7]


def measurement_frame(course: Course, visit: dict, encounters: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return laboratory results and vital signs of all stays, drawn in whole arrays.

    Parameters
    ----------
    course : Course
        Persons; admission systolic pressure and creatinine are the course's own.
    visit : dict
        Arrays of ``make_visits``.
    encounters : polars.DataFrame
        Table ``encounter`` in the same order.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    polars.DataFrame
        Filing table ``measurement``, ordered by encounter and time.
    """
    model, terms = archetypes(), vocabulary("measurements")
    items = sorted({*model["labs"]})
    number = {c: j for j, c in enumerate(items)}
    encounter_i, item_i, minute_i = [], [], []
    stay_days = (visit["discharge"] - visit["admit"]).astype(float) / _DAY
    for a, key in enumerate(course.keys):
        kind = model["archetype"][key]
        here = np.flatnonzero(course.archetype[visit["person"]] == a)
        stays = here[np.isin(visit["kind"][here], (INDEX, READMISSION))]
        plan = [
            (stays, model["vitals"], 5),
            (stays, [*model["common_labs"], *kind["labs"]], 25),
            (stays, ["LL-BRADEN"], 45),
            (here[np.isin(visit["kind"][here], (PRIOR, LATER))], ["8480-6", "8462-4", "8867-4"], 3),
        ]
        for day in (1, 2):
            plan.append((stays[stay_days[stays] > day + 0.5], model["vitals"][:5], day * 1440))
        plan.append((stays[stay_days[stays] > 4], model["repeat_labs"], 3 * 1440 + 30))
        for who, codes, minute in plan:
            encounter_i.append(np.repeat(who, len(codes)))
            item_i.append(np.tile([number[c] for c in codes], len(who)))
            minute_i.append(np.repeat(minute + rng.integers(0, 15, len(who)), len(codes)))
    e, item, minute = np.concatenate(encounter_i), np.concatenate(item_i), np.concatenate(minute_i)
    order = np.lexsort((item, minute, e))
    e, item, minute = e[order], item[order], minute[order]
    value = _values(course, visit, items, e, item, minute, rng)
    return _measurement_columns(course, visit, encounters, [terms[c] for c in items], e, item, minute, value)


def _values(course, visit, items, e, item, minute, rng) -> np.ndarray:
    model, p = archetypes(), visit["person"][e]
    table = np.array([model["labs"][c][:3] for c in items])
    log = np.array([model["labs"][c][3] == "ln" for c in items])
    digits = np.array([model["labs"][c][4] for c in items])
    shifted = np.array(
        [[model["archetype"][k]["lab_means"].get(c, model["labs"][c][0]) for c in items] for k in course.keys]
    )
    # Values drift back to normal with treatment: shifts fade with the days.
    fade = np.exp(-minute / 1440 / 6)
    mean = table[item, 0] + (shifted[course.archetype[p], item] - table[item, 0]) * fade
    x = mean + table[item, 1] * rng.normal(size=len(e)) + table[item, 2] * course.severity[p] * fade
    x = np.where(log[item], np.exp(np.minimum(x, 12)), x)
    female_hb = (item == items.index("718-7")) & ~course.is_male[p]
    x = np.where(female_hb, x - 12, x)
    diabetic = course.comorbid[p, COMORBIDITIES.index("E11.9")]
    x = x + np.where(np.isin(item, [items.index("14749-6"), items.index("4548-4")]) & diabetic, 1.9, 0)
    low = np.array([0.001 if is_log else max(0.0, t[0] - 6 * t[1]) for t, is_log in zip(table, log)])
    x = np.maximum(x, low[item])
    spo2 = items.index("59408-5")
    x = np.where(item == spo2, np.minimum(x, 100), x)
    at_admission = (visit["kind"][e] == INDEX) & (minute < 60)
    x = np.where(at_admission & (item == items.index("8480-6")), course.sbp[p], x)
    x = np.where(at_admission & (item == items.index("14682-9")), course.creatinine[p], x)
    sbp = items.index("8480-6")
    x = np.where(~at_admission & (item == sbp), np.clip(0.6 * course.sbp[p] + 0.4 * x, 75, 215), x)
    scale = 10.0 ** digits[item]
    return np.round(x * scale) / scale


def _measurement_columns(course, visit, encounters, terms, e, item, minute, value) -> pl.DataFrame:
    english = course.is_english[visit["person"][e]]
    limit = lambda f: np.array([float(t.row[f]) if t.row[f] else np.nan for t in terms])  # noqa: E731
    low, high = limit("ref_low"), limit("ref_high")
    vital = {*archetypes()["vitals"]}
    gather = lambda values: pl.Series(values).gather(item)  # noqa: E731
    lab = np.array([t.code not in vital and t.code != "LL-BRADEN" for t in terms])[item]
    frame = pl.DataFrame(
        {
            "encounter_id": encounters["encounter_id"].gather(e),
            "mrn": encounters["mrn"].gather(e),
            "category": gather(
                ["vital" if t.code in vital else "survey" if t.code == "LL-BRADEN" else "laboratory" for t in terms]
            ),
            "_tube": e * 10 + minute // 1440,
            "_lab": lab,
            "item_code": gather([t.code for t in terms]),
            "code_system": gather([t.code_system for t in terms]),
            "_zh": gather([t.zh for t in terms]),
            "_en": gather([t.en for t in terms]),
            "_english": english,
            "value_number": value,
            "unit": gather([t.row["unit"] or None for t in terms]),
            "ref_low": pl.Series(low[item]).fill_nan(None),
            "ref_high": pl.Series(high[item]).fill_nan(None),
            "flag": np.where(value > high[item], 1, np.where(value < low[item], 2, 0)),
            "time": (visit["admit"][e] + (minute * 60).astype("timedelta64[s]")).astype("datetime64[us]"),
        }
    )
    return frame.select(
        pl.format("LB{}", pl.int_range(pl.len()).cast(pl.String).str.zfill(9)).alias("measurement_id"),
        "encounter_id",
        "mrn",
        "category",
        pl.when("_lab").then(pl.format("S88{}", pl.col("_tube").cast(pl.String).str.zfill(9))).alias("specimen_no"),
        "item_code",
        "code_system",
        pl.when("_english").then("_en").otherwise("_zh").alias("item_name"),
        "value_number",
        pl.lit(None, pl.String).alias("value_text"),
        "unit",
        "ref_low",
        "ref_high",
        pl.col("flag").replace_strict({0: "normal", 1: "high", 2: "low"}, return_dtype=pl.String).alias("flag"),
        "time",
    ).cast(filing_standard().table("measurement").schema)


def follow_up_frame(course: Course, visit: dict, encounters: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Return the contacts after the main stay, closing with a death, a loss, or being alive at a year or later.

    Parameters
    ----------
    course : Course
        Persons.
    visit : dict
        Arrays of ``make_visits``.
    encounters : polars.DataFrame
        Table ``encounter`` in the same order.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    polars.DataFrame
        Filing table ``follow_up``. Who died inside the hospital has none.
    """
    rows = Rows("follow_up")
    index = np.flatnonzero(visit["kind"] == INDEX)
    ids = encounters.select("encounter_id", "mrn").rows()
    u = rng.random((len(course.age), 4))
    hour = lambda days: course.admit[p] + np.timedelta64(round(days * 1440) * 60, "s")  # noqa: E731
    for e in index:
        p = visit["person"][e]
        if course.died_inside[p]:
            continue
        base = {"encounter_id": ids[e][0], "mrn": ids[e][1]}
        died, lost = course.death_day[p], course.lost_day[p]
        end = np.fmin(np.fmin(died, lost), 365)
        month = course.los[p] + 28 + 6 * u[p, 0]
        if month < end:
            rows.add(
                **base,
                time=hour(month),
                method="telephone" if u[p, 1] < 0.7 else "visit",
                status="alive",
                status_time=hour(month),
            )
        if not np.isnan(died):
            rows.add(
                **base,
                time=hour(died + 2 + 30 * u[p, 2]),
                method="registry" if u[p, 1] < 0.5 else "telephone",
                status="dead",
                status_time=hour(died),
            )
        elif not np.isnan(lost):
            rows.add(
                **base, time=hour(lost + 20 + 20 * u[p, 2]), method="telephone", status="lost", status_time=hour(lost)
            )
        else:
            final = 366 + 40 * u[p, 2]
            rows.add(
                **base,
                time=hour(final),
                method="telephone" if u[p, 3] < 0.6 else "visit",
                status="alive",
                status_time=hour(final),
            )
    return rows.frame("FU")
