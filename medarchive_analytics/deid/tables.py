"""De-identify the tables of the filing standard into exactly their released form."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from medarchive_analytics.core.errors import UserError, unknown_choice
from medarchive_analytics.core.filing import Column, Privacy, Table, empty_frame, filing_standard

from .batch import deidentify_batch
from .keys import SurrogateKey
from .known import KnownPerson, SiteKnowledge
from .matcher import find_forms, find_loose, person_forms
from .normalise import condense, normalise
from .policy import DeidPolicy
from .results import DeidentifiedText
from .text import TextDeidentifier

_SEPARATOR = "\n\x02\n"
_KIND = {Privacy.PERSON_KEY: "person", Privacy.VISIT_KEY: "visit", Privacy.STAFF: "staff"}


@dataclass(frozen=True, repr=False)
class DeidentifiedTables:
    """Released tables, numbers about them, and the notes that were held back.

    Parameters
    ----------
    tables : dict of str to polars.DataFrame
        Released columns of the filing standard.
    report : dict
        Counts only.
    quarantined_notes : polars.DataFrame
        ``note_id`` (identified side) and ``reason``.
    """

    tables: dict[str, pl.DataFrame]
    report: dict
    quarantined_notes: pl.DataFrame

    def __repr__(self) -> str:
        return f"DeidentifiedTables({len(self.tables)} tables, {self.quarantined_notes.height} notes quarantined)"


def known_persons(tables: Mapping[str, pl.DataFrame]) -> dict[str, KnownPerson]:
    """Build the dictionaries of all patients from identified frames.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        Identified frames; ``patient`` and ``encounter`` are read, and specimen and device numbers where they are.

    Returns
    -------
    dict of str to KnownPerson
        By medical record number.
    """
    visits: dict[str, list[dict]] = {}
    if "encounter" in tables:
        for row in tables["encounter"].iter_rows(named=True):
            visits.setdefault(row["mrn"], []).append(row)
    extra: dict[str, set[str]] = {}
    for table, column in (("measurement", "specimen_no"), ("observation", "device_serial")):
        frame = tables.get(table)
        if frame is not None and column in frame.columns:
            for mrn, value in frame.select("mrn", column).drop_nulls().unique().iter_rows():
                extra.setdefault(mrn, set()).add(value)
    return {
        row["mrn"]: KnownPerson.from_rows(row, visits.get(row["mrn"], ()), sorted(extra.get(row["mrn"], ())))
        for row in tables["patient"].iter_rows(named=True)
    }


def _pseudonyms(values: pl.Series, kind: str, key: SurrogateKey) -> pl.Series:
    unique = values.drop_nulls().unique()
    keyed = pl.Series([key.pseudonym(kind, v) for v in unique.to_list()], dtype=pl.Int64)
    return values.replace_strict(unique, keyed, default=None, return_dtype=pl.Int64)


def _ages(frame: pl.DataFrame, births: dict[str, dt.date], policy: DeidPolicy) -> pl.Series:
    out = []
    for mrn, given, admitted in frame.select("mrn", "age_years", "admit_time").iter_rows():
        age, born = given, births.get(mrn)
        if age is None and born is not None and admitted is not None:
            age = admitted.year - born.year - ((admitted.month, admitted.day) < (born.month, born.day))
        if age is None:
            out.append(None)
        else:
            age = max(0, age)
            out.append(
                policy.age_top if age >= policy.age_top else age // policy.age_band_years * policy.age_band_years
            )
    return pl.Series(out, dtype=pl.Int64)


def _shifted(column: Column, shift: pl.Series, frame: pl.DataFrame, policy: DeidPolicy) -> pl.Expr | pl.Series:
    values = frame[column.name].cast(column.dtype)
    if policy.date_mode == "keep":
        return values
    if policy.date_mode == "year":
        return values.dt.truncate("1y")
    moved = pl.DataFrame({"v": values, "s": shift}).select(pl.col("v") + pl.duration(days=pl.col("s")))
    return moved.to_series().cast(column.dtype)


def _hit_values(values: list[str], person: KnownPerson) -> bool:
    """Tell whether any of the person's identifiers occurs in any of the values: one pass over all of them joined."""
    text = normalise(_SEPARATOR.join(values)).text
    forms = person_forms(person)
    return bool(find_forms(forms, text, condense(text), "known") or find_loose(forms, text))


class _TextColumns:
    """Rewrites text columns, each distinct value once where no one's identifiers are in it."""

    def __init__(self, policy, key, site, persons: dict[str, KnownPerson], workers: int) -> None:
        self._args = (policy, key, site)
        self._persons, self._workers = persons, workers
        self._deidentifier = TextDeidentifier(policy, key, site)
        self._plain: dict[str, bool] = {}
        self.spans: Counter[str] = Counter()

    def _is_plain(self, value: str) -> bool:
        if value not in self._plain:
            result = self._deidentifier.deidentify(value, None)
            self._plain[value] = not result.spans and not result.residual
        return self._plain[value]

    def short(self, frame: pl.DataFrame, column: str) -> tuple[pl.Series, set[tuple[str, str]]]:
        """Rewrite a column of short repeated texts; return it with the (mrn, value) pairs the audit still sees."""
        pairs = frame.select("mrn", column).drop_nulls().unique(maintain_order=True)
        by_person: dict[str, list[str]] = {}
        for mrn, value in pairs.iter_rows():
            by_person.setdefault(mrn, []).append(value)
        changed: dict[tuple[str, str], str] = {}
        held: set[tuple[str, str]] = set()
        for mrn, values in by_person.items():
            person = self._persons.get(mrn)
            suspects = [v for v in values if not self._is_plain(v)]
            if person is not None and len(suspects) < len(values) and _hit_values(values, person):
                suspects = values
            for value in suspects:
                result = self._deidentifier.deidentify(value, person)
                self._count(result)
                if result.is_quarantined:
                    held.add((mrn, value))
                    changed[(mrn, value)] = "[…]"
                elif result.text != value:
                    changed[(mrn, value)] = result.text
        if not changed:
            return frame[column], held
        texts = [changed.get((m, v), v) for m, v in frame.select("mrn", column).iter_rows()]
        return pl.Series(column, texts, dtype=pl.String), held

    def long(self, frame: pl.DataFrame, column: str) -> list[DeidentifiedText | None]:
        """Rewrite a column of documents."""
        rows = frame.select("mrn", column).rows()
        filled = [i for i, (_, text) in enumerate(rows) if text is not None]
        results = deidentify_batch(
            [rows[i][1] for i in filled], [self._persons.get(rows[i][0]) for i in filled], *self._args, self._workers
        )
        out: list[DeidentifiedText | None] = [None] * len(rows)
        for i, result in zip(filled, results):
            self._count(result)
            out[i] = result
        return out

    def _count(self, result: DeidentifiedText) -> None:
        self.spans.update(span.type for span in result.spans)


def deidentify_tables(
    tables: Mapping[str, pl.DataFrame],
    key: SurrogateKey,
    policy: DeidPolicy,
    site: SiteKnowledge | None = None,
    workers: int = 1,
) -> DeidentifiedTables:
    """Turn identified filing tables into their released form.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        Identified frames of the filing standard; ``patient`` is required, missing tables come out empty.
    key : SurrogateKey
        Secret of this release family.
    policy : DeidPolicy
        What happens to dates, ages and text.
    site : SiteKnowledge, optional
        Built from ``staff`` and ``organization`` when left out.
    workers : int
        Processes for the notes.

    Returns
    -------
    DeidentifiedTables
        Released tables in the released schema. Every date of a person moves by the same whole number of weeks, so
        intervals and order are exact (mode ``shift``).

    Raises
    ------
    UserError
        If a table or a required column is unknown or missing, or a row names a patient that is not there.

    Notes
    -----
    A null age is computed from birth date and admission; ages are released as the lower bound of their band, the top
    band pooled. Region stays here; `apply_risk_rule` suppresses.
    """
    standard = filing_standard()
    for name in tables:
        if name not in standard.tables:
            raise UserError(unknown_choice("filing table", name, standard.tables))
    if "patient" not in tables:
        raise UserError("de-identification needs the table 'patient'; add it to the tables given")
    site = site or SiteKnowledge.from_frames(tables.get("staff"), tables.get("organization"))
    persons = known_persons(tables)
    births = {m: p.birth_date for m, p in persons.items() if p.birth_date}
    work = _TextColumns(policy, key, site, persons, workers)
    people = pl.DataFrame(
        {"mrn": list(persons), "_shift": [key.shift_days(m, policy.max_shift_weeks) for m in persons]},
        schema={"mrn": pl.String, "_shift": pl.Int64},
    )
    out: dict[str, pl.DataFrame] = {}
    held_values = 0
    quarantined = pl.DataFrame(schema={"note_id": pl.String, "reason": pl.String})
    for name, table in standard.released_tables.items():
        frame = _complete(tables.get(name), table)
        if frame.filter(~pl.col("mrn").is_in(people["mrn"].implode())).height:
            raise UserError(f"table {name!r} has rows whose patient is not in 'patient'; quarantine them at intake")
        if name == "note":
            released, quarantined = _notes(frame, table, work, people, births, policy, key)
        else:
            released, held = _release(frame, table, work, people, births, policy, key)
            held_values += held
        out[name] = released
    report = {
        "policy": policy.name,
        "persons": len(persons),
        "rows": {n: f.height for n, f in out.items()},
        "notes_in": _complete(tables.get("note"), standard.table("note")).height,
        "notes_quarantined": quarantined.height,
        "short_texts_withheld": held_values,
        "spans": dict(sorted(work.spans.items())),
    }
    return DeidentifiedTables(out, report, quarantined)


def _complete(frame: pl.DataFrame | None, table: Table) -> pl.DataFrame:
    if frame is None:
        return empty_frame(table.name)
    missing = [c.name for c in table.columns.values() if c.required and c.name not in frame.columns]
    if missing:
        raise UserError(f"table {table.name!r} lacks the columns {', '.join(missing)}; file it by the standard first")
    return frame.select(
        (pl.col(c.name) if c.name in frame.columns else pl.lit(None).alias(c.name)).cast(c.dtype)
        for c in table.columns.values()
    )


def _release(frame, table, work, people, births, policy, key, texts=None) -> tuple[pl.DataFrame, int]:
    shift = frame.select("mrn").join(people, on="mrn", how="left", maintain_order="left")["_shift"]
    series, held = [], 0
    for column in table.columns.values():
        match column.privacy:
            case Privacy.DIRECT | Privacy.BIRTH:
                continue
            case Privacy.PERSON_KEY | Privacy.VISIT_KEY | Privacy.STAFF:
                value = _pseudonyms(frame[column.name], _KIND[column.privacy], key)
            case Privacy.RECORD_KEY:
                value = _pseudonyms(frame[column.name], table.name, key)
            case Privacy.AGE:
                value = _ages(frame, births, policy)
            case Privacy.DATE:
                value = _shifted(column, shift, frame, policy)
            case Privacy.REGION:
                value = frame[column.name] if policy.region_rule != "none" else pl.Series([None] * frame.height)
            case Privacy.TEXT:
                if texts is not None and column.name in texts:
                    value = pl.Series(texts[column.name], dtype=pl.String)
                else:
                    value, pairs = work.short(frame, column.name)
                    held += len(pairs)
            case Privacy.KEEP:
                value = frame[column.name]
            case _:
                raise ValueError(f"no rule for privacy class {column.privacy}")
        series.append(value.cast(column.released_dtype).alias(column.released_name))
    return pl.DataFrame(series), held


def _notes(frame, table, work, people, births, policy, key) -> tuple[pl.DataFrame, pl.DataFrame]:
    results = work.long(frame, "text")
    titles = work.long(frame, "title")
    reasons = [
        next((r.reason for r in pair if r is not None and r.is_quarantined), None) for pair in zip(results, titles)
    ]
    clean = pl.Series([reason is None for reason in reasons], dtype=pl.Boolean)
    quarantined = pl.DataFrame({"note_id": frame["note_id"], "reason": pl.Series(reasons, dtype=pl.String)}).filter(
        ~clean
    )
    texts = {
        "text": [r.text if r else None for r, ok in zip(results, clean) if ok],
        "title": [r.text if r else None for r, ok in zip(titles, clean) if ok],
    }
    released, _ = _release(frame.filter(clean), table, work, people, births, policy, key, texts)
    return released, quarantined
