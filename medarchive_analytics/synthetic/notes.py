"""Which notes a visit has, who wrote them and when, and what goes into their slots."""

from __future__ import annotations

import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from ..core.filing import filing_standard
from .builder import Columns, NoteBuilder
from .care import INDEX, READMISSION
from .config import HospitalConfig
from .course import Course, archetypes
from .slots import Scene, clinical_slots, identity_slots, time_slots


@cache
def phrases(english: bool) -> dict:
    """Return the note templates of one language; treat as read-only.

    Parameters
    ----------
    english : bool
        English rather than Chinese.

    Returns
    -------
    dict
        ``phrases_en.toml`` or ``phrases_zh.toml`` as parsed.
    """
    name = f"phrases_{'en' if english else 'zh'}.toml"
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def write_notes(
    config: HospitalConfig,
    course: Course,
    visit: dict,
    tables: dict[str, pl.DataFrame],
    people: list[dict],
    summaries: list[dict],
    staff: list[dict],
    organizations: list[dict],
) -> dict[str, pl.DataFrame]:
    """Write every note of every visit.

    Parameters
    ----------
    config : HospitalConfig
        Switches, styles and shares.
    course, visit : Course, dict
        Persons and their visits.
    tables : dict of str to polars.DataFrame
        ``encounter`` and ``measurement`` in generation order.
    people, staff, organizations : list of dict
        Rows of those tables, private keys included.
    summaries : list of dict
        One clinical summary per visit, of ``clinical_rows``.

    Returns
    -------
    dict of str to polars.DataFrame
        ``note`` (filing table), ``spans``, ``facts``, ``sections``, ``note_styles``, ``identifiers``.
    """
    columns, rows = Columns(), {c: [] for c in filing_standard().table("note").columns}
    rows["style"] = []
    scene_of = _Scenes(config, course, visit, tables, people, summaries, staff, organizations)
    if config.with_notes:
        for i in range(len(visit["person"])):
            _visit_notes(scene_of(i), columns, rows)
    styles = rows.pop("style")
    times = rows.pop("written_time")
    frame = pl.DataFrame({**rows, "written_time": np.array(times, "datetime64[us]")}, strict=False)
    frame = frame.select(list(filing_standard().table("note").columns)).cast(filing_standard().table("note").schema)
    truth = columns.frames(rows["note_id"])
    truth["note_styles"] = pl.DataFrame(
        {"note_id": pl.Series(rows["note_id"], dtype=pl.String), "style": pl.Series(styles, dtype=pl.Int64)}
    )
    return {"note": frame, **truth, "identifiers": _identifiers(tables, frame, truth["spans"])}


class _Scenes:
    """Gathers what one visit's notes need."""

    def __init__(self, config, course, visit, tables, people, summaries, staff, organizations) -> None:
        self.config, self.course, self.visit, self.people, self.summaries = config, course, visit, people, summaries
        self.encounters = tables["encounter"].rows(named=True) if config.with_notes else []
        self.staff = {s["staff_id"]: s for s in staff}
        self.groups: dict = {}
        for s in staff:
            self.groups.setdefault((s["_english"], s["_department"], s["_nurse"]), []).append(s)
        draw = Random(config.seed + 3)
        self.styles = {s["staff_id"]: draw.choice(config.style_families) for s in staff}
        self.organizations = {e: [o for o in organizations if o["_english"] is e] for e in (False, True)}
        self.values = _first_values(tables["measurement"]) if config.with_notes else {}
        # One source of chance for the language of each person, apart from the notes' own.
        self.mixed = [Random(config.seed * 7_919 + i).random() < config.mixed_share for i in range(len(people))]

    def __call__(self, i: int) -> Scene:
        p, summary = int(self.visit["person"][i]), self.summaries[i]
        english = bool(self.course.is_english[p])
        kind = archetypes()["archetype"][summary["archetype"]]
        return Scene(
            rng=Random(self.config.seed * 1_000_033 + i),
            english=english,
            mixed=self.mixed[p] and not english,
            person=self.people[p],
            encounter=self.encounters[i],
            summary=summary,
            archetype=kind,
            kind=int(self.visit["kind"][i]),
            smoking=int(self.course.smoking[p]),
            values=self.values.get(self.encounters[i]["encounter_id"], {}),
            staff=self.staff,
            groups=self.groups,
            styles=self.styles,
            organizations=self.organizations[english],
            phrases=phrases(english),
        )


def _first_values(measurement: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Return each encounter's first value of each item."""
    first = measurement.unique(["encounter_id", "item_code"], keep="first", maintain_order=True)
    out: dict[str, dict[str, float]] = {}
    for eid, code, value in first.select("encounter_id", "item_code", "value_number").iter_rows():
        out.setdefault(eid, {})[code] = value
    return out


def _plan(scene: Scene) -> list[tuple[str, float]]:
    """Return the notes of a visit as (filing class, hours after admission)."""
    stay = scene.stay_hours
    if scene.kind not in (INDEX, READMISSION):
        return [("outpatient_note", min(1.0, stay / 2))]
    died = scene.encounter["disposition"] == "death"
    plan = [("nursing_record", 0.3), ("admission_note", 2.5), ("first_progress_note", 5.0)]
    plan = [(c, min(h, stay * f)) for (c, h), f in zip(plan, (0.02, 0.3, 0.5))]
    days = [d for d in (2, 5) if d * 24 < stay - 12]
    plan += [("progress_note", d * 24 + 9.0 - (scene.admit.hour % 9)) for d in days]
    if scene.summary["procedures"]:
        plan.append(("imaging_report", min(20.0, stay * 0.6)))
    if scene.operation:
        plan.append(("operation_note", min(30.0, stay * 0.8)))
    plan.append(("death_record" if died else "discharge_summary", stay))
    return sorted(plan, key=lambda x: x[1])


def _visit_notes(scene: Scene, columns: Columns, rows: dict[str, list]) -> None:
    shared = identity_slots(scene) | clinical_slots(scene)
    for record_class, hours in _plan(scene):
        author, slots = time_slots(scene, record_class, hours)
        slots = shared | slots
        spec, style = scene.phrases[record_class], scene.styles[author["staff_id"]]
        mixed = 0.45 if scene.mixed else 0.0
        builder = NoteBuilder(
            columns, len(rows["note_id"]), scene.rng, scene.english, mixed, scene.phrases["separator"]
        )
        title = spec["titles"][style % len(spec["titles"])]
        builder.add(title, slots)
        plain_title = builder.text()
        for name, variants in spec["sections"].items():
            # A doctor keeps one style but borrows a neighbour's wording now and then.
            builder.add_section(name, variants[style % len(variants)], slots)
        rows["note_id"].append(f"NT{len(rows['note_id']) + 1:08d}")
        rows["encounter_id"].append(scene.encounter["encounter_id"])
        rows["mrn"].append(scene.encounter["mrn"])
        rows["record_class"].append(record_class)
        rows["title"].append(plain_title)
        rows["author"].append(author["staff_id"])
        rows["written_time"].append(np.datetime64(scene.at(hours)))
        rows["language"].append("en" if scene.english else "mixed" if scene.mixed else "zh")
        rows["text"].append(builder.text())
        rows["style"].append(style)


_COLUMN_KINDS = {
    "mrn": ("patient", "mrn"),
    "name": ("patient", "name"),
    "name_latin": ("patient", "name"),
    "birth_date": ("patient", "birth_date"),
    "resident_id": ("patient", "resident_id"),
    "other_id": ("patient", "other_id"),
    "insurance_no": ("patient", "insurance_no"),
    "phone": ("patient", "phone"),
    "email": ("patient", "email"),
    "address": ("patient", "address"),
    "city": ("patient", "city"),
    "postcode": ("patient", "postcode"),
    "contact_name": ("relative", "name"),
    "contact_phone": ("relative", "phone"),
    "employer": ("patient", "employer"),
}


def _identifiers(tables: dict[str, pl.DataFrame], notes: pl.DataFrame, spans: pl.DataFrame) -> pl.DataFrame:
    """Return every planted identifier in every surface form, once per owner."""
    wanted = ["owner", "mrn", "kind", "value"]
    frames = []

    def take(table: pl.DataFrame, column: str, owner: str, kind: str) -> None:
        mrn = pl.col("mrn") if "mrn" in table.columns else pl.lit(None, pl.String).alias("mrn")
        row = table.select(
            pl.lit(owner).alias("owner"), mrn, pl.lit(kind).alias("kind"), pl.col(column).cast(pl.String).alias("value")
        )
        frames.append(row.drop_nulls("value"))

    for column, (owner, kind) in _COLUMN_KINDS.items():
        take(tables["patient"], column, owner, kind)
    for column in ("encounter_id", "admission_no", "ward", "bed"):
        take(tables["encounter"], column, "patient", column)
    for column, kind in (("staff_id", "staff_id"), ("name", "name"), ("name_latin", "name"), ("phone", "phone")):
        take(tables["staff"], column, "staff", kind)
    for column, kind in (("name", "institution"), ("address", "address"), ("phone", "phone")):
        take(tables["organization"], column, "organization", kind)
    take(tables["observation"], "device_serial", "patient", "device_serial")
    take(tables["measurement"].unique("specimen_no", maintain_order=True), "specimen_no", "patient", "specimen_no")
    # Dates of care are spans, not identifiers of their own: a shifted date may equal another true one.
    said = spans.filter(pl.col("kind") != "date").join(notes.select("note_id", "mrn"), on="note_id", how="left")
    own = pl.col("owner").is_in(["patient", "relative"])
    frames.append(said.with_columns(mrn=pl.when(own).then("mrn")).select(wanted))
    social = (pl.col("kind") == "resident_id") & pl.col("value").str.starts_with("666-")
    everything = pl.concat([f.select(wanted) for f in frames])
    return everything.with_columns(kind=pl.when(social).then(pl.lit("ssn")).otherwise("kind")).unique(
        maintain_order=True
    )


def check_spans_disjoint(spans: pl.DataFrame) -> bool:
    """Return whether no two identifier spans of a note overlap.

    Parameters
    ----------
    spans : polars.DataFrame
        Truth frame ``spans``.

    Returns
    -------
    bool
        True if spans of each note are disjoint.
    """
    for _, group in spans.sort("note_id", "start").group_by("note_id", maintain_order=True):
        edges = list(zip(group["start"], group["end"], strict=True))
        if any(later[0] < earlier[1] for earlier, later in pairwise(edges)):
            return False
    return True
