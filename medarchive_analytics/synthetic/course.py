"""The numbers behind the hospital: persons, severity, the planted trial, and each person's course in time.

Everything is drawn in whole arrays from one generator, so a configuration gives one hospital.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .config import HospitalConfig

COMORBIDITIES = ("E11.9", "N18.3", "J44.9", "I10", "E78.5", "I25.1", "I48", "I69.3", "K76.0", "K29.5", "M10.9", "B18.1")
# A person whose main disease already says it does not get the comorbidity row too.
_SAME_DISEASE = {"diabetes": "E11.9", "ckd": "N18.3", "copd": "J44.9", "hypertension": "I10"}
NEITHER, CONTROL, TREATED, BOTH = 0, 1, 2, 3


@cache
def archetypes() -> dict:
    """Return ``archetypes.toml`` as parsed; treat as read-only.

    Returns
    -------
    dict
        Disease archetypes, laboratory model, comorbidity model.
    """
    return tomllib.loads(Path(__file__).with_name("archetypes.toml").read_text(encoding="utf-8"))


@cache
def effects() -> dict:
    """Return ``effects.toml`` as parsed; treat as read-only.

    Returns
    -------
    dict
        Constants of the planted trial.
    """
    return tomllib.loads(Path(__file__).with_name("effects.toml").read_text(encoding="utf-8"))


@dataclass
class Course:
    """Arrays over persons, shape ``(n,)`` unless said otherwise; times are ``datetime64[s]``, durations days."""

    archetype: np.ndarray
    keys: list[str]
    is_male: np.ndarray
    age: np.ndarray
    birth: np.ndarray
    is_english: np.ndarray
    severity: np.ndarray
    condition: np.ndarray  # 0 mild 1 moderate 2 severe 3 critical
    smoking: np.ndarray  # 0 never 1 former 2 current
    comorbid: np.ndarray  # (n, len(COMORBIDITIES)) bool
    sbp: np.ndarray
    creatinine: np.ndarray
    doctor: np.ndarray  # slot 0-5 of the department's doctors
    admit: np.ndarray
    order_minutes: np.ndarray
    los: np.ndarray
    discharge: np.ndarray
    arm: np.ndarray
    eligible: np.ndarray
    propensity: np.ndarray
    p_control: np.ndarray
    p_treated: np.ndarray
    day_control: np.ndarray  # NaN: no event within the horizon
    day_treated: np.ndarray
    death_day: np.ndarray  # factual and known to the record, NaN: none
    lost_day: np.ndarray  # last known alive of a person lost to follow-up, NaN: not lost
    died_inside: np.ndarray


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def band_midpoint(age: np.ndarray) -> np.ndarray:
    """Return the midpoint of the 5-year age band, e.g. 67 for 65-69.

    Parameters
    ----------
    age : numpy.ndarray
        Completed years, shape ``(n,)``.

    Returns
    -------
    numpy.ndarray
        Years, shape ``(n,)``.
    """
    return np.floor(np.asarray(age) / 5) * 5 + 2


def make_course(config: HospitalConfig, rng: np.random.Generator) -> Course:
    """Draw everybody's disease, treatment and outcome.

    Parameters
    ----------
    config : HospitalConfig
        Size and shares.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Course
        Arrays over persons.
    """
    n, kinds = config.n_patients, archetypes()["archetype"]
    keys = list(kinds)
    shares = np.array([kinds[k]["share"] for k in keys])
    who = rng.choice(len(keys), n, p=shares / shares.sum())
    pick = lambda field, i=None: np.array([kinds[k][field] if i is None else kinds[k][field][i] for k in keys])[who]  # noqa: E731
    is_male = rng.random(n) < pick("male")
    age = np.clip(np.round(rng.normal(pick("age", 0), pick("age", 1))), 18, 97).astype(int)
    delivery = who == keys.index("delivery")
    age[delivery] = np.clip(age[delivery], 18, 46)
    # A thin tail of the very old, so that ages over 89 always occur.
    oldest = (rng.random(n) < 0.012) & ~delivery
    age[oldest] = rng.integers(90, 98, oldest.sum())
    admit = _admission_times(n, rng)
    birth = _birth_dates(admit, age, rng)
    severity = rng.normal(size=n)
    condition = np.digitize(severity + 0.5 * rng.normal(size=n) + 0.015 * (age - 62), [-0.9, 0.55, 1.55])
    smoking = _smoking(is_male, age, rng)
    comorbid = _comorbidities(keys, who, age, is_male, rng)
    sbp, creatinine = _admission_values(keys, who, severity, comorbid, rng)
    course = {
        "archetype": who,
        "keys": keys,
        "is_male": is_male,
        "age": age,
        "birth": birth,
        "is_english": rng.random(n) < config.fhir_share,
        "severity": severity,
        "condition": condition,
        "smoking": smoking,
        "comorbid": comorbid,
        "sbp": sbp,
        "creatinine": creatinine,
        "doctor": rng.integers(0, 6, n),
        "admit": admit,
        "order_minutes": rng.integers(60, 240, n),
    }
    course |= _trial(course, rng)
    course |= _outcome_course(course, pick("los"), pick("death"), rng)
    return Course(**course)


def _admission_times(n: int, rng: np.random.Generator) -> np.ndarray:
    start, days = (
        np.datetime64("2018-01-01", "s"),
        int((np.datetime64("2023-06-30") - np.datetime64("2018-01-01")).astype(int)),
    )
    # Admitted before 19:00, so that orders up to four hours later fall on the admission day.
    seconds = rng.integers(0, days, n) * 86400 + rng.integers(0, 19 * 60, n) * 60
    return start + seconds.astype("timedelta64[s]")


def _birth_dates(admit: np.ndarray, age: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return birth dates that give exactly the completed age on the day of admission."""
    day = admit.astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    in_month = (day - month).astype(int)
    # Same calendar month, at or before the day, `age` years ago; then up to 11 whole months earlier. Day 28 at most.
    base = month - (12 * age).astype("timedelta64[M]") - rng.integers(0, 12, len(age)).astype("timedelta64[M]")
    return base.astype("datetime64[D]") + (rng.random(len(age)) * np.minimum(in_month + 1, 28)).astype(int).astype(
        "timedelta64[D]"
    )


def _smoking(is_male: np.ndarray, age: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    current = np.where(is_male, 0.48, 0.06) - 0.002 * np.clip(age - 60, -20, 30)
    former = np.where(is_male, 0.16, 0.03)
    u = rng.random(len(age))
    return np.where(u < current, 2, np.where(u < current + former, 1, 0))


def _comorbidities(keys, who, age, is_male, rng) -> np.ndarray:
    model = archetypes()["comorbidity"]
    have = np.zeros((len(age), len(COMORBIDITIES)), bool)
    for j, code in enumerate(COMORBIDITIES):
        a, b = model[code]
        have[:, j] = rng.random(len(age)) < _sigmoid(a + b * (age - 60) / 10)
        for key, same in _SAME_DISEASE.items():
            if same == code:
                have[who == keys.index(key), j] = False
    have[who == keys.index("stroke"), COMORBIDITIES.index("I69.3")] &= (
        rng.random((who == keys.index("stroke")).sum()) < 0.5
    )
    have[who == keys.index("delivery")] &= rng.random(((who == keys.index("delivery")).sum(), len(COMORBIDITIES))) < 0.2
    return have


def _admission_values(keys, who, severity, comorbid, rng) -> tuple[np.ndarray, np.ndarray]:
    labs, kinds = archetypes()["labs"], archetypes()["archetype"]
    mean = lambda code: np.array([kinds[k]["lab_means"].get(code, labs[code][0]) for k in keys])[who]  # noqa: E731
    sbp = mean("8480-6") + labs["8480-6"][2] * severity + rng.normal(0, labs["8480-6"][1], len(who))
    sbp += 6 * comorbid[:, COMORBIDITIES.index("I10")]
    ckd = comorbid[:, COMORBIDITIES.index("N18.3")]
    creatinine = mean("14682-9") + labs["14682-9"][2] * severity + rng.normal(0, labs["14682-9"][1], len(who))
    creatinine = np.where(ckd, creatinine + 55 + rng.normal(0, 15, len(who)), creatinine)
    return np.clip(np.round(sbp), 70, 220), np.clip(np.round(creatinine, 1), 35, 900)


def _linear_index(course: dict, beta: dict) -> np.ndarray:
    """Return the linear predictor from what the record can tell (plus smoking, which only a note tells)."""
    have = {c: course["comorbid"][:, COMORBIDITIES.index(c)] for c in ("E11.9", "N18.3", "J44.9")}
    return (
        beta["intercept"]
        + beta["age"] * (band_midpoint(course["age"]) - 65) / 10
        + beta["male"] * course["is_male"]
        + beta["severe"] * (course["condition"] == 2)
        + beta["critical"] * (course["condition"] == 3)
        + beta["diabetes"] * have["E11.9"]
        + beta["ckd"] * have["N18.3"]
        + beta["copd"] * have["J44.9"]
        + beta["smoking"] * (course["smoking"] == 2)
        + beta["sbp_per_20"] * (course["sbp"] - 135) / 20
        + beta["creatinine_per_40"] * (course["creatinine"] - 80) / 40
    )


def _trial(course: dict, rng: np.random.Generator) -> dict:
    """Assign the arms by indication and draw both potential outcomes of everybody with an infarction."""
    spec = effects()["ticagrelor_acs"]
    n, is_ami = len(course["age"]), course["archetype"] == course["keys"].index("ami")
    preference = rng.normal(0, spec["assignment"]["doctor_sd"], (2, 6))
    index = _linear_index(course, spec["assignment"])
    propensity = _sigmoid(index + preference[course["is_english"].astype(int), course["doctor"]])
    arm = np.where(rng.random(n) < propensity, TREATED, CONTROL)
    u = rng.random(n)
    arm = np.where(
        u < spec["neither_share"], NEITHER, np.where(u < spec["neither_share"] + spec["both_share"], BOTH, arm)
    )
    arm = np.where(is_ami, arm, NEITHER)
    noise = spec["outcome"]["severity_noise"] * rng.normal(size=n)
    control = _linear_index(course, spec["outcome"]) + noise
    effect = spec["outcome"]["treated"] + spec["outcome"]["treated_age"] * (band_midpoint(course["age"]) - 65) / 10
    p_control, p_treated = _sigmoid(control), _sigmoid(control + effect)
    luck = rng.random(n)
    horizon = spec["horizon_days"]
    # Deaths crowd into the first weeks: P(death by t) = p * sqrt(t / horizon). One draw serves both arms.
    day = lambda p: np.where(luck < p, np.maximum(horizon * (luck / p) ** 2, 0.4), np.nan)  # noqa: E731
    eligible = is_ami & np.isin(arm, (CONTROL, TREATED)) & (course["age"] >= 18) & (course["age"] <= 80)
    return {
        "arm": arm,
        "eligible": eligible,
        "propensity": propensity,
        "p_control": p_control,
        "p_treated": p_treated,
        "day_control": day(p_control),
        "day_treated": day(p_treated),
    }


def _outcome_course(course: dict, mean_los: np.ndarray, death_logit: np.ndarray, rng: np.random.Generator) -> dict:
    spec = effects()["ticagrelor_acs"]
    n, is_ami = len(course["age"]), course["archetype"] == course["keys"].index("ami")
    index = death_logit + 0.4 * (course["age"] - 65) / 10 + 0.8 * course["severity"]
    p_other = _sigmoid(np.where(course["archetype"] == course["keys"].index("delivery"), -9, index))
    luck = rng.random(n)
    other = np.where(luck < p_other, np.maximum(365 * (luck / p_other) ** 2, 0.4), np.nan)
    treated = np.isin(course["arm"], (TREATED, BOTH))
    true_day = np.where(is_ami, np.where(treated, course["day_treated"], course["day_control"]), other)
    los = np.clip(np.exp(np.log(mean_los) + 0.12 * course["severity"] + rng.normal(0, 0.3, n)), 1.2, 60)
    died_inside = true_day < los  # NaN compares false
    los = np.where(died_inside, true_day, los)
    minutes = np.round(los * 1440)
    discharge = course["admit"] + (minutes * 60).astype("timedelta64[s]")
    # Loss to follow-up depends on the measured condition only, so weighting by it is enough.
    p_lost = _sigmoid(spec["lost_base"] + spec["lost_severe"] * (course["condition"] >= 2))
    lost_day = np.where((rng.random(n) < p_lost) & ~died_inside, np.maximum(rng.uniform(20, 350, n), los + 3), np.nan)
    lost_day = np.where(true_day < lost_day, np.nan, lost_day)
    death_day = np.where(np.isnan(lost_day), np.where(died_inside, minutes / 1440, true_day), np.nan)
    return {
        "los": los,
        "discharge": discharge,
        "died_inside": died_inside,
        "lost_day": lost_day,
        "death_day": death_day,
    }
