"""A compact made-up ward in released form: who got which antiplatelet, who died, and what the truth is.

Not the synthetic hospital of the package: only what the store and effect tests need, fast, with a known risk difference.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from medarchive_analytics.core.filing import filing_standard

TICAGRELOR, CLOPIDOGREL = "YP0001", "YP0002"
SBP, CREATININE = "8480-6", "14682-9"


@dataclass(frozen=True)
class Ward:
    """Released filing tables, facts from text, and the truth behind them."""

    tables: dict[str, pl.DataFrame]
    facts: pl.DataFrame
    true_risk_difference: float
    true_risks: tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """How the ward behaves. ``confounding`` scales what drives treatment; ``hidden`` is a cause nobody recorded."""

    n: int = 1500
    seed: int = 1
    effect: float = -0.45
    confounding: float = 1.0
    loss: float = 1.0
    separate: bool = False
    write_smoking: bool = True


def _released(table: str, data: dict[str, object]) -> pl.DataFrame:
    schema = filing_standard().table(table).released_schema
    frame = pl.DataFrame(data)
    return frame.select(
        (pl.col(c).cast(t) if c in frame.columns else pl.lit(None, dtype=t)).alias(c) for c, t in schema.items()
    )


def _key(kind: int, index: np.ndarray, within: int = 0) -> np.ndarray:
    return (np.int64(kind) << 40) + index.astype(np.int64) * 16 + within


def small_ward(plan: Plan | None = None) -> Ward:
    """Make the ward; the same plan gives the same rows."""
    p = plan or Plan()
    rng = np.random.default_rng(p.seed)
    i = np.arange(p.n)
    age = np.clip(np.rint(rng.normal(66, 10, p.n)), 35, 89).astype(int)
    band = age // 5 * 5
    male = rng.random(p.n) < 0.65
    severity = rng.choice(4, p.n, p=[0.15, 0.25, 0.35, 0.25])  # 0 critical .. 3 mild
    diabetes, ckd, copd = (rng.random(p.n) < q for q in (0.3, 0.12, 0.1))
    smoker = rng.random(p.n) < np.where(male, 0.45, 0.1)
    sbp = np.rint(rng.normal(132, 20, p.n) - 6 * (severity == 0))
    creatinine = np.round(np.exp(rng.normal(4.4, 0.25, p.n) + 0.5 * ckd), 1)
    risk = 0.05 * (band - 65) + 0.55 * (severity <= 1) + 0.6 * ckd + 0.35 * diabetes + 0.5 * smoker + 0.3 * copd
    push = p.confounding * (-0.6 * (severity <= 1) - 0.04 * (band - 65) - 0.5 * ckd - 0.5 * smoker + 0.2 * male)
    if p.separate:
        push = np.where(severity <= 1, -6.0, 6.0)
    treated = rng.random(p.n) < 1 / (1 + np.exp(-(push + 0.4)))
    rate = 0.00042 * np.exp(risk)
    wait = rng.exponential(1.0, p.n)
    times = {a: np.floor(wait / (rate * np.exp(p.effect * a))).astype(int) for a in (0, 1)}
    death_day = np.where(treated, times[1], times[0])
    lost_day = np.floor(rng.exponential(1.0, p.n) / (0.0006 * p.loss * np.exp(0.8 * (severity <= 1)) + 1e-12)).astype(
        np.int64
    )
    lost_day = np.minimum(lost_day, 900)
    risks = tuple(float(np.mean(times[a] <= 365)) for a in (0, 1))

    day0 = dt.datetime(2020, 1, 6, 9)
    begins = zip(rng.integers(0, 700, p.n), rng.integers(0, 300, p.n))
    start = [day0 + dt.timedelta(days=int(d), minutes=int(m)) for d, m in begins]

    def after(days: np.ndarray, hours: int = 0) -> list[dt.datetime]:
        return [s + dt.timedelta(days=int(d), hours=hours) for s, d in zip(start, days)]

    seen_death = death_day <= lost_day
    stay = np.minimum(rng.integers(4, 12, p.n), np.where(seen_death, death_day, 99))
    person, visit = _key(1, i), _key(2, i)
    none = [None] * p.n
    words = np.array(["critical", "severe", "moderate", "mild"])
    encounter = {
        "visit_id": visit, "person_id": person, "visit_type": ["inpatient"] * p.n, "admission_route": ["emergency"] * p.n,
        "department": ["心内科"] * p.n, "provider_id": _key(3, i % 20), "admit_time": start, "discharge_time": after(stay, 3),
        "disposition": np.where(seen_death & (death_day <= stay), "death", "home"), "condition": words[severity],
        "age_years": band,
    }  # fmt: skip
    codes = [
        np.full(p.n, "I21.0"),
        np.where(diabetes, "E11.9", None),
        np.where(ckd, "N18.3", None),
        np.where(copd, "J44.9", None),
    ]
    diagnosis = pl.concat(
        [
            pl.DataFrame(
                {
                    "diagnosis_id": _key(4, i, k), "visit_id": visit, "person_id": person, "seq": [k + 1] * p.n,
                    "kind": ["main" if k == 0 else "other"] * p.n, "code": pl.Series(c.tolist(), dtype=pl.String),
                    "code_system": ["ICD10"] * p.n, "name": ["diagnosis"] * p.n, "start_time": start,
                }
            ).filter(pl.col("code").is_not_null())
            for k, c in enumerate(codes)
        ]
    )  # fmt: skip
    order = {
        "order_id": _key(5, i), "visit_id": visit, "person_id": person, "code": np.where(treated, TICAGRELOR, CLOPIDOGREL),
        "code_system": ["LOCALDRUG"] * p.n, "name": ["drug"] * p.n, "dose": np.where(treated, 90.0, 75.0),
        "dose_unit": ["mg"] * p.n, "route": ["oral"] * p.n, "frequency": ["qd"] * p.n, "provider_id": _key(3, i % 20),
        "start_time": after(np.zeros(p.n), 1), "stop_time": after(stay, 2),
    }  # fmt: skip
    aspirin = {**order, "order_id": _key(5, i, 1), "code": ["B01AC06"] * p.n, "code_system": ["ATC"] * p.n}
    missing = rng.random(p.n) < 0.08
    vital = {
        "measurement_id": _key(6, i), "visit_id": visit, "person_id": person, "category": ["vital"] * p.n,
        "item_code": [SBP] * p.n, "code_system": ["LOINC"] * p.n, "item_name": ["SBP"] * p.n, "value_number": sbp,
        "unit": ["mmHg"] * p.n, "time": start,
    }  # fmt: skip
    lab = {**vital, "measurement_id": _key(6, i, 1), "category": ["laboratory"] * p.n, "item_code": [CREATININE] * p.n,
           "value_number": creatinine, "unit": ["umol/L"] * p.n}  # fmt: skip
    note = {
        "note_id": _key(7, i), "visit_id": visit, "person_id": person, "record_class": ["admission_note"] * p.n,
        "provider_id": _key(3, i % 20), "written_time": start, "language": ["zh"] * p.n,
        "text": np.where(smoker, "个人史：吸烟20年。", "个人史：否认吸烟。"),
    }  # fmt: skip
    seen = np.where(seen_death, death_day, lost_day)
    follow = {
        "follow_up_id": _key(8, i), "visit_id": visit, "person_id": person, "time": after(seen, 5),
        "method": ["telephone"] * p.n, "status": np.where(seen_death, "dead", "alive"), "status_time": after(seen, 4),
    }  # fmt: skip
    allergy = {
        "observation_id": _key(9, i[:40]), "visit_id": visit[:40], "person_id": person[:40], "kind": ["allergy"] * 40,
        "name": ["青霉素过敏"] * 40, "time": start[:40],
    }  # fmt: skip
    procedure = {
        "procedure_id": _key(10, i), "visit_id": visit, "person_id": person, "code": ["36.07"] * p.n,
        "code_system": ["ICD9CM3"] * p.n, "name": ["PCI"] * p.n, "start_time": after(np.zeros(p.n), 2),
    }  # fmt: skip
    known = seen_death & (stay < death_day)
    patient = {
        "person_id": person, "sex": np.where(male, "male", "female"), "province": ["浙江省"] * p.n,
        "language": ["zh"] * p.n, "death_time": [t if d else None for t, d in zip(after(death_day.clip(0, 9999), 4), known)],
    }  # fmt: skip
    tables = {
        "patient": _released("patient", patient), "encounter": _released("encounter", encounter),
        "diagnosis": _released("diagnosis", {c: diagnosis[c] for c in diagnosis.columns}),
        "drug_order": pl.concat([_released("drug_order", order), _released("drug_order", aspirin)]),
        "procedure": _released("procedure", procedure),
        "measurement": pl.concat([_released("measurement", vital), _released("measurement", lab).filter(pl.Series(~missing))]),
        "observation": _released("observation", allergy), "note": _released("note", note),
        "follow_up": _released("follow_up", follow),
    }  # fmt: skip
    facts = pl.DataFrame(
        {
            "note_id": note["note_id"], "person_id": person, "visit_id": visit, "fact_id": [f"s{k}" for k in i],
            "start": [4] * p.n, "end": [8] * p.n, "lexical_variant": ["吸烟"] * p.n, "code": ["smoking_current"] * p.n,
            "code_system": ["LOCALOBS"] * p.n, "domain": ["observation"] * p.n, "section": ["personal_history"] * p.n,
            "label": np.where(smoker, "affirmed", "negated"), "is_negated": ~smoker, "is_uncertain": [False] * p.n,
            "is_historical": [False] * p.n, "is_family": [False] * p.n, "is_hypothetical": [False] * p.n,
            "value_number": pl.Series(none, dtype=pl.Float64), "value_text": pl.Series(none, dtype=pl.String),
            "unit": pl.Series(none, dtype=pl.String), "nlp_system": ["rules 1"] * p.n, "written_time": start,
        }
    )  # fmt: skip
    return Ward(tables, facts if p.write_smoking else facts.clear(), risks[1] - risks[0], (risks[0], risks[1]))
