"""Who enters the emulated trial, on which arm, with which covariates and follow-up? SQL on the store, one row per person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ...core.errors import NotEstimableError
from ...store.curated import CuratedStore
from .card import Code, Covariate, CovariateKind
from .survival import Array
from .trial import TargetTrial

_CONDITIONS = ("critical", "severe", "moderate")
_CONDITION_WORDS = {"critical": ("危重", "critical"), "severe": ("重", "severe"), "moderate": ("中", "moderate")}


@dataclass(frozen=True)
class Cohort:
    """The emulated trial's persons in analysis form.

    Parameters
    ----------
    attrition : polars.DataFrame
        Steps with persons left (exact).
    treated : numpy.ndarray, shape (n,)
        1 treatment, 0 comparator.
    time : numpy.ndarray, shape (n,)
        Days from time zero to the event or last contact; a time of 0 is read as half a day.
    event : numpy.ndarray, shape (n,)
        1 event, 0 censored.
    covariates : numpy.ndarray, shape (n, p)
        Columns of ``columns``, missing values filled.
    columns : polars.DataFrame
        name, covariate, label_zh, label_en, is_binary, in_model.
    missing : dict of str to float
        Share of persons in whom a declared covariate is not recorded.
    """

    attrition: pl.DataFrame
    treated: Array
    time: Array
    event: Array
    covariates: Array
    columns: pl.DataFrame
    missing: dict[str, float]

    @property
    def in_model(self) -> np.ndarray:
        """Which columns the models use: those that differ in at least five persons."""
        return self.columns["in_model"].to_numpy()


def _match(alias: str, code: Code | Covariate) -> tuple[str, list[str]]:
    """SQL condition and its parameters for a code of the vocabulary table."""
    if code.prefix:
        return f"({alias}.vocabulary_id = ? AND starts_with({alias}.concept_code, ?))", [code.code_system, code.prefix]
    return f"({alias}.vocabulary_id = ? AND {alias}.concept_code = ?)", [code.code_system, code.code]


def _concepts(store: CuratedStore, codes: list[Code]) -> str:
    """Comma-separated ids of the concepts meant; -1 where none is known, so that SQL stays valid."""
    parts, params = zip(*(_match("c", code) for code in codes))
    query = f"SELECT concept_id FROM concept c WHERE {' OR '.join(parts)} ORDER BY 1"
    ids = store.frame(query, [p for some in params for p in some])["concept_id"].to_list()
    return ", ".join(str(int(i)) for i in ids) or "-1"


def _type_id(store: CuratedStore, code: str) -> int:
    found = store.frame("SELECT concept_id FROM concept WHERE vocabulary_id = 'LOCALTYPE' AND concept_code = ?", [code])
    return int(found["concept_id"].item()) if found.height == 1 else -1


def build_cohort(trial: TargetTrial, store: CuratedStore) -> Cohort:
    """Apply the protocol to the store.

    Parameters
    ----------
    trial : TargetTrial
        The card.
    store : CuratedStore
        The store.

    Returns
    -------
    Cohort
        One row per person, in an order that depends on the rows' content alone (not on identifiers), so that the same
        data under other pseudonyms give the same digits.

    Raises
    ------
    NotEstimableError
        If nobody is eligible.
    """
    index, attrition = _eligible(trial, store)
    if index.is_empty():
        raise NotEstimableError("nobody in the store is eligible for this trial; see the attrition of a wider protocol")
    frame = _follow(trial, store, index)
    attrition.append(("有随访信息", "observed at time zero", frame.height))
    if frame.is_empty():
        raise NotEstimableError("no eligible person has any follow-up")
    columns: list[dict[str, object]] = []
    values: dict[str, pl.Series] = {}
    missing: dict[str, float] = {}
    for covariate in trial.covariates:
        _add_covariate(trial, store, frame, covariate, columns, values, missing)
    order = pl.DataFrame({"treated": frame["treated"], "time": frame["time"], "event": frame["event"], **values})
    order = order.sort(order.columns)
    x = order.select(list(values)).to_numpy().astype(float) if values else np.zeros((frame.height, 0))
    live = [
        int(min((x[:, j] != x[0, j]).sum(), (x[:, j] == x[0, j]).sum() if c["is_binary"] else 99)) >= 5
        for j, c in enumerate(columns)
    ]
    steps = pl.DataFrame(
        attrition, schema={"step_zh": pl.String, "step_en": pl.String, "persons": pl.Int64}, orient="row"
    )
    return Cohort(
        steps,
        order["treated"].to_numpy().astype(float),
        order["time"].to_numpy().astype(float),
        order["event"].to_numpy().astype(float),
        x,
        pl.DataFrame(columns).with_columns(pl.Series("in_model", live, dtype=pl.Boolean)),
        missing,
    )


def _eligible(trial: TargetTrial, store: CuratedStore) -> tuple[pl.DataFrame, list[tuple[str, str, int]]]:
    who = trial.eligibility
    diagnosis = _concepts(store, [who.main_diagnosis])
    is_main = f"""EXISTS (SELECT 1 FROM condition_occurrence d WHERE d.visit_occurrence_id = v.visit_occurrence_id
        AND d.condition_source_concept_id IN ({diagnosis}) AND d.condition_status_source_value = 'main'
        AND d.condition_type_concept_id = {_type_id(store, "ehr_diagnosis")})"""
    visits = store.frame(
        f"""WITH v AS (
              SELECT v.person_id, v.visit_occurrence_id, v.visit_start_datetime, {is_main} AS is_main
              FROM visit_occurrence v WHERE v.visit_source_value = ?)
            SELECT v.*, a.value_as_number AS age, p.gender_source_value AS sex, s.value_as_string AS condition
            FROM v JOIN person p USING (person_id)
            LEFT JOIN observation a ON a.visit_occurrence_id = v.visit_occurrence_id
                 AND a.observation_source_value = 'age_at_visit_years'
            LEFT JOIN observation s ON s.visit_occurrence_id = v.visit_occurrence_id
                 AND s.observation_source_value = 'admission_condition'
            ORDER BY v.person_id, v.visit_start_datetime, v.visit_occurrence_id""",
        [who.visit_type],
    )
    steps = [("有该类就诊", f"any {who.visit_type} visit", visits["person_id"].n_unique())]
    if who.first_visit_only:
        visits = visits.group_by("person_id", maintain_order=True).first().filter("is_main")
    else:
        visits = visits.filter("is_main").group_by("person_id", maintain_order=True).first()
    which = (
        ("首次就诊主要诊断符合", "main diagnosis of the first visit")
        if who.first_visit_only
        else ("主要诊断符合", "main diagnosis of a visit")
    )
    steps.append((*which, visits.height))
    visits = visits.filter(pl.col("age").is_between(who.age_min_years, who.age_max_years))
    steps.append(("年龄符合", "age within range", visits.height))
    visits = visits.filter(pl.col("sex").is_in(list(who.sex)))
    steps.append(("性别符合", "sex accepted", visits.height))
    orders = _arm_orders(trial, store)
    during = orders.join(visits, on="person_id").with_columns(
        (pl.col("ordered").dt.date() - pl.col("visit_start_datetime").dt.date()).dt.total_days().alias("day")
    )
    assigned = (
        during.filter(
            pl.col("day").is_between(0, trial.time_zero.grace_days), pl.col("ordered") >= pl.col("visit_start_datetime")
        )
        .group_by("person_id")
        .agg(pl.col("treated").n_unique().alias("arms"), pl.col("treated").max(), pl.col("ordered").min().alias("zero"))
    )
    steps.append(("入院后时间窗内开始任一方案", "an arm drug ordered within the window", assigned.height))
    assigned = assigned.filter(pl.col("arms") == 1)
    steps.append(("仅属一个方案", "exactly one arm", assigned.height))
    earlier = during.filter(
        (pl.col("ordered") < pl.col("visit_start_datetime")) & (pl.col("day") >= -who.washout_days)
    ).select("person_id")
    assigned = assigned.join(earlier, on="person_id", how="anti")
    steps.append(("洗脱期内未用过", "no arm drug in the washout", assigned.height))
    return visits.join(assigned, on="person_id").sort("person_id"), steps


def _arm_orders(trial: TargetTrial, store: CuratedStore) -> pl.DataFrame:
    treatment, comparator = (_concepts(store, list(trial.arm(r).drugs)) for r in ("treatment", "comparator"))
    return store.frame(
        f"""SELECT person_id, drug_exposure_start_datetime AS ordered,
                   CASE WHEN drug_source_concept_id IN ({treatment}) THEN 1 ELSE 0 END AS treated
            FROM drug_exposure WHERE drug_source_concept_id IN ({treatment}, {comparator})
              AND drug_type_concept_id = {_type_id(store, "ehr_order")}
            ORDER BY ALL"""
    )


def _follow(trial: TargetTrial, store: CuratedStore, index: pl.DataFrame) -> pl.DataFrame:
    """Days to the event or to the last contact, per person; at least half a day."""
    periods = store.frame(
        """SELECT person_id, max(observation_period_end_date) AS last_day FROM observation_period GROUP BY person_id"""
    )
    if trial.outcome.kind == "death":
        events = store.frame("SELECT person_id, death_date AS event_day FROM death")
        events = index.select("person_id").join(events, on="person_id")
    else:
        code = trial.outcome.code
        assert code is not None
        rows = store.frame(
            f"""SELECT person_id, condition_start_date AS event_day FROM condition_occurrence
                WHERE condition_source_concept_id IN ({_concepts(store, [code])})
                  AND condition_type_concept_id = {_type_id(store, "ehr_diagnosis")}"""
        )
        later = rows.join(index.select("person_id", "zero"), on="person_id").filter(
            pl.col("event_day") > pl.col("zero").dt.date()
        )
        events = later.group_by("person_id").agg(pl.col("event_day").min())
    zero = pl.col("zero").dt.date()
    return (
        index.join(periods, on="person_id")
        .filter(pl.col("last_day") >= zero)
        .join(events, on="person_id", how="left")
        .with_columns(
            pl.when(pl.col("event_day") <= pl.col("last_day"))
            .then(pl.col("event_day"))
            .otherwise(None)
            .alias("event_day")
        )
        .with_columns(
            pl.col("event_day").is_not_null().cast(pl.Int8).alias("event"),
            pl.max_horizontal(
                (pl.coalesce("event_day", "last_day") - zero).dt.total_days().cast(pl.Float64), pl.lit(0.5)
            ).alias("time"),
        )
        .sort("person_id")
    )


def _add_covariate(
    trial: TargetTrial,
    store: CuratedStore,
    frame: pl.DataFrame,
    covariate: Covariate,
    columns: list[dict[str, object]],
    values: dict[str, pl.Series],
    missing: dict[str, float],
) -> None:
    """Add the column or columns of one covariate, in the order of ``frame``."""

    def add(name: str, series: pl.Series, zh: str, en: str, is_binary: bool) -> None:
        values[name] = series.cast(pl.Float64)
        columns.append(
            {"name": name, "covariate": covariate.name, "label_zh": zh, "label_en": en, "is_binary": is_binary}
        )

    zh, en = covariate.label_zh, covariate.label_en
    match covariate.kind:
        case CovariateKind.AGE_BAND:
            missing[covariate.name] = frame["age"].null_count() / frame.height
            add(covariate.name, frame["age"], zh, en, False)
            # A curve, not a line: risk and prescribing both bend with age.
            add(f"{covariate.name}_squared", ((frame["age"] - 60) / 10) ** 2, f"{zh}（平方）", f"{en}, squared", False)
        case CovariateKind.SEX:
            missing[covariate.name] = (frame["sex"] == "unknown").mean() or 0.0  # type: ignore[assignment]
            add(covariate.name, frame["sex"] == "male", zh, en, True)
        case CovariateKind.ADMISSION_CONDITION:
            missing[covariate.name] = frame["condition"].null_count() / frame.height
            for level in _CONDITIONS:
                words = _CONDITION_WORDS[level]
                known = (frame["condition"] == level).fill_null(False)
                add(f"{covariate.name}_{level}", known, f"{zh}：{words[0]}", f"{en}: {words[1]}", True)
            _add_missing(trial, covariate, frame["condition"].is_null(), add)
        case CovariateKind.DIAGNOSIS:
            found = _diagnosed(store, frame, covariate)
            missing[covariate.name] = 0.0
            add(covariate.name, found, zh, en, True)
        case CovariateKind.MEASUREMENT | CovariateKind.NOTE_FACT:
            is_fact = covariate.kind is CovariateKind.NOTE_FACT
            found = _stated(store, frame, covariate) if is_fact else _measured(store, frame, covariate)
            missing[covariate.name] = found.null_count() / frame.height
            median = found.median()
            fill = 0.0 if is_fact or median is None else float(str(median))
            add(covariate.name, found.fill_null(fill), zh, en, is_fact)
            _add_missing(trial, covariate, found.is_null(), add)
        case _:  # pragma: no cover - the enum is closed
            raise ValueError(f"no rule for covariate kind {covariate.kind}")


def _add_missing(trial: TargetTrial, covariate: Covariate, absent: pl.Series, add) -> None:  # type: ignore[no-untyped-def]
    """Add a missing-value mark where both states are common enough to be modelled."""
    count = int(absent.sum())
    if min(count, absent.len() - count) >= trial.thresholds.min_cell:
        name = f"{covariate.name}_missing"
        add(name, absent, f"{covariate.label_zh}（缺失）", f"{covariate.label_en}, not recorded", True)


def _per_person(frame: pl.DataFrame, found: pl.DataFrame) -> pl.Series:
    return frame.select("person_id").join(found, on="person_id", how="left", maintain_order="left")["value"]


def _code(covariate: Covariate) -> Code:
    return Code(covariate.code_system, covariate.code, covariate.prefix)


def _diagnosed(store: CuratedStore, frame: pl.DataFrame, covariate: Covariate) -> pl.Series:
    rows = store.frame(
        f"""SELECT person_id, condition_start_datetime AS at FROM condition_occurrence
            WHERE condition_source_concept_id IN ({_concepts(store, [_code(covariate)])})
              AND condition_type_concept_id = {_type_id(store, "ehr_diagnosis")}"""
    )
    known = rows.join(frame.select("person_id", "zero"), on="person_id").filter(pl.col("at") <= pl.col("zero"))
    return _per_person(frame, known.group_by("person_id").agg(pl.lit(1.0).alias("value"))).fill_null(0.0)


def _measured(store: CuratedStore, frame: pl.DataFrame, covariate: Covariate) -> pl.Series:
    """Last value before time zero, within the window and in the declared unit."""
    rows = store.frame(
        f"""SELECT person_id, measurement_datetime AS at, value_as_number AS value FROM measurement
            WHERE measurement_source_concept_id IN ({_concepts(store, [_code(covariate)])})
              AND measurement_type_concept_id = {_type_id(store, "ehr_result")}
              AND value_as_number IS NOT NULL AND (? = '' OR unit_source_value = ?)""",
        [covariate.unit, covariate.unit],
    )
    window = pl.duration(days=covariate.window_days)
    known = rows.join(frame.select("person_id", "zero"), on="person_id").filter(
        pl.col("at") <= pl.col("zero"), pl.col("at") >= pl.col("zero") - window
    )
    last = known.sort("person_id", "at", "value").group_by("person_id", maintain_order=True).last()
    return _per_person(frame, last.select("person_id", "value"))


def _stated(store: CuratedStore, frame: pl.DataFrame, covariate: Covariate) -> pl.Series:
    """1 if any note in time affirms the fact, 0 if notes only deny it, empty when no note speaks of it."""
    rows = store.frame(
        f"""SELECT person_id, observation_datetime AS at, value_as_number AS value FROM observation
            WHERE observation_source_concept_id IN ({_concepts(store, [_code(covariate)])})
              AND observation_type_concept_id = {_type_id(store, "note_text")} AND value_as_number IS NOT NULL"""
    )
    limit = pl.col("zero") + pl.duration(hours=covariate.after_hours)
    known = rows.join(frame.select("person_id", "zero"), on="person_id").filter(pl.col("at") <= limit)
    return _per_person(frame, known.group_by("person_id").agg(pl.col("value").max()))
