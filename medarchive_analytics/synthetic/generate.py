"""Put the hospital together: people, their course, the tables, the notes, the truth and the planted defects."""

from __future__ import annotations

from random import Random

import numpy as np
import polars as pl

from ..core.filing import filing_standard
from .care import clinical_rows, encounter_frame, follow_up_frame, make_visits, measurement_frame
from .config import HospitalConfig, SyntheticHospital
from .course import CONTROL, TREATED, Course, make_course
from .defects import plant_defects
from .notes import write_notes
from .people import make_organizations, make_patient, make_staff


def generate_hospital(config: HospitalConfig | None = None) -> SyntheticHospital:
    """Generate a bilingual hospital whose treatment effects and identifiers are known.

    Nothing in it belongs to a living person: see ``docs/explanation/synthetic-hospital.md`` for what makes that so.

    Parameters
    ----------
    config : HospitalConfig, optional
        Size, seed and shares; the default makes 2,000 persons.

    Returns
    -------
    SyntheticHospital
        Clean filing tables, truth, and the ledger of defects that the EMR export will carry.

    Notes
    -----
    Same configuration, same hospital, on the same versions of NumPy and Python.
    """
    config = config or HospitalConfig()
    rng = np.random.default_rng(config.seed)
    course = make_course(config, rng)
    mrns = _record_numbers(course, rng)
    staff, organizations = make_staff(Random(config.seed)), make_organizations(Random(config.seed + 1))
    doctors = _by_department(staff, nurses=False)
    visit = make_visits(course, rng)
    encounters = encounter_frame(course, visit, mrns, doctors, rng)
    clinical, summaries = clinical_rows(course, visit, encounters, rng, doctors)
    people = _patients(config, course, mrns)
    tables = {
        "patient": _patient_frame(people, course),
        "encounter": encounters,
        **clinical,
        "measurement": measurement_frame(course, visit, encounters, rng),
        "follow_up": follow_up_frame(course, visit, encounters, rng),
        "staff": _declared(staff, "staff"),
        "organization": _declared(organizations, "organization"),
    }
    written = write_notes(config, course, visit, tables, people, summaries, staff, organizations)
    tables["note"] = written.pop("note")
    truth = {
        "potential_outcomes": _potential_outcomes(course, visit, encounters, mrns),
        "smoking": pl.DataFrame(
            {"mrn": mrns, "smoking": np.array(["never", "former", "current"])[course.smoking].tolist()}
        ),
        **written,
    }
    emr = tuple(m for m, e in zip(mrns, course.is_english, strict=True) if not e)
    fhir = tuple(m for m, e in zip(mrns, course.is_english, strict=True) if e)
    defects, bad_rows = plant_defects(config, tables, emr)
    ordered = {name: tables[name] for name in filing_standard().tables if name in tables}
    return SyntheticHospital(config, ordered, truth, defects, emr, fhir, bad_rows)


def _record_numbers(course: Course, rng: np.random.Generator) -> list[str]:
    numbers = (
        rng.permutation(9_000_000)[: len(course.age)] + 500_000
        if len(course.age) < 9_000_000
        else np.arange(len(course.age))
    )
    return [f"IC{v:07d}" if e else f"00{v:08d}" for v, e in zip(numbers, course.is_english, strict=True)]


def _by_department(staff: list[dict], nurses: bool) -> dict[tuple[bool, str], list[str]]:
    groups: dict[tuple[bool, str], list[str]] = {}
    for row in staff:
        if row["_nurse"] is nurses:
            groups.setdefault((row["_english"], row["_department"]), []).append(row["staff_id"])
    return groups


def _patients(config: HospitalConfig, course: Course, mrns: list[str]) -> list[dict]:
    births = course.birth.astype(object)
    return [
        make_patient(
            Random(config.seed * 1_000_003 + i),
            {
                "mrn": mrns[i],
                "is_male": bool(course.is_male[i]),
                "birth": births[i],
                "is_english": bool(course.is_english[i]),
            },
        )
        for i in range(len(mrns))
    ]


def _patient_frame(people: list[dict], course: Course) -> pl.DataFrame:
    minutes = np.round(np.nan_to_num(course.death_day) * 1440).astype(int) * 60
    death = course.admit + minutes.astype("timedelta64[s]")
    death = np.where(np.isnan(course.death_day), np.datetime64("NaT"), death).astype("datetime64[us]")
    return _declared(people, "patient", death_time=death)


def _declared(rows: list[dict], table: str, **extra: np.ndarray) -> pl.DataFrame:
    """Return rows of dictionaries as a filing table; private keys (leading underscore) are left out."""
    schema = filing_standard().table(table).schema
    columns = {c: extra[c] if c in extra else [r.get(c) for r in rows] for c in schema}
    return pl.DataFrame(columns, strict=False).cast(schema)


def _potential_outcomes(course: Course, visit: dict, encounters: pl.DataFrame, mrns: list[str]) -> pl.DataFrame:
    index = np.flatnonzero((visit["kind"] == 1) & course.eligible[visit["person"]])
    p = visit["person"][index]
    number = lambda a: pl.Series(a[p]).fill_nan(None)  # noqa: E731
    return pl.DataFrame(
        {
            "mrn": [mrns[i] for i in p],
            "encounter_id": encounters["encounter_id"].gather(index),
            "trial": ["ticagrelor_acs"] * len(p),
            "arm": [
                "treated" if course.arm[i] == TREATED else "control" for i in p if course.arm[i] in (CONTROL, TREATED)
            ],
            "severity": course.severity[p],
            "propensity": course.propensity[p],
            "p_control": course.p_control[p],
            "p_treated": course.p_treated[p],
            "y_control": number(course.day_control),
            "y_treated": number(course.day_treated),
        },
        schema_overrides={
            "mrn": pl.String,
            "trial": pl.String,
            "arm": pl.String,
            "y_control": pl.Float64,
            "y_treated": pl.Float64,
        },
    )
