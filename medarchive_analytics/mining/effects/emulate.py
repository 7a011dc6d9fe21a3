"""From a card and a store to estimates, diagnostics and a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib import metadata

import numpy as np
import polars as pl

from ... import __version__
from ...core.errors import NotEstimableError, ProtocolError
from ...store.curated import CuratedStore
from ...store.mapping import OBSERVATION_PERIOD_RULE
from .balance import balance
from .cohort import Cohort, build_cohort
from .cox import CoxFit, cox
from .diagnostics import run_checks
from .outcome import (
    CensoringWeights,
    aipw,
    censoring_weights,
    e_value,
    hajek_difference,
    hajek_means,
    hajek_ratio,
    minimum_detectable_ratio,
    outcome_predictions,
)
from .propensity import PropensityModel, fit_propensity
from .result import StudyResult, Verdict
from .survival import Array, Estimate, KaplanMeier, kaplan_meier, rmst
from .trial import TargetTrial
from .weights import ate_weights, effective_size


@dataclass(frozen=True)
class _Fits:
    """Everything estimated once and read by several tables."""

    model: PropensityModel
    weight: Array
    censoring: CensoringWeights
    curves: dict[str, KaplanMeier]
    crude_curves: dict[str, KaplanMeier]
    hazard: CoxFit | None


def emulate(trial: TargetTrial, store: CuratedStore) -> StudyResult:
    """Emulate a target trial.

    Parameters
    ----------
    trial : TargetTrial
        The card.
    store : CuratedStore
        The curated store.

    Returns
    -------
    StudyResult
        Estimates with their diagnostics and verdict.

    Raises
    ------
    ProtocolError
        If the card is refused by its linter.
    NotEstimableError
        If an arm is empty or nobody's outcome is known.
    """
    problems = trial.lint()
    if problems:
        raise ProtocolError("the protocol cannot be emulated: " + "; ".join(problems))
    cohort = build_cohort(trial, store)
    fits = _fit(trial, cohort)
    balanced = balance(cohort.covariates, cohort.treated, fits.weight, cohort.columns["name"].to_list())
    balanced = cohort.columns.join(balanced, on="name", maintain_order="left")
    effects = _effects(trial, cohort, fits)
    diagnostics = _diagnostics(trial, cohort, fits, balanced, effects)
    return StudyResult(
        trial=trial,
        verdict=_verdict(diagnostics),
        n_treated=int(cohort.treated.sum()),
        n_comparator=int((1 - cohort.treated).sum()),
        exact={
            "attrition": cohort.attrition,
            "baseline": _baseline(cohort, fits.weight),
            "propensity": fits.model.table(),
            "scores": _scores(fits.model, cohort),
            "balance": balanced,
            "effects": effects,
            "survival": _curves(fits, cohort, trial.follow_up.horizon_days),
            "at_risk": _at_risk(fits, trial.follow_up.horizon_days),
            "diagnostics": diagnostics,
        },
        provenance={
            "protocol_hash": trial.protocol_hash,
            "release_ids": store.release_ids,
            "store_content_sha256": store.info["content_sha256"],
            "observation_period_rule": OBSERVATION_PERIOD_RULE,
            "seed": trial.analysis.seed,
            "versions": {"medarchive_analytics": __version__}
            | {name: metadata.version(name) for name in ("numpy", "scipy", "polars", "duckdb")},
        },
    )


def _fit(trial: TargetTrial, cohort: Cohort) -> _Fits:
    a, x = cohort.treated, cohort.covariates[:, cohort.in_model]
    names = cohort.columns.filter("in_model")["name"].to_list()
    model = fit_propensity(x, a, names)
    score = np.clip(model.score, 1e-6, 1 - 1e-6)
    weight = ate_weights(score, a, is_stabilised=trial.analysis.stabilised)
    horizon = float(trial.follow_up.horizon_days)
    censoring = censoring_weights(cohort.time, cohort.event, a, x, horizon, trial.analysis.ipcw_bound)
    curves, crude = {}, {}
    for role, side in (("treatment", a == 1), ("comparator", a == 0)):
        curves[role] = kaplan_meier(cohort.time[side], cohort.event[side], weight[side])
        crude[role] = kaplan_meier(cohort.time[side], cohort.event[side])
    stop = np.minimum(cohort.time, horizon)
    event = cohort.event * (cohort.time <= horizon)
    try:
        hazard = cox(stop, event, a, names=["treatment"], weight=weight)
    except NotEstimableError:
        hazard = None
    return _Fits(model, weight, censoring, curves, crude, hazard)


def _row(
    measure: str, words: tuple[str, str], value: float, limits: tuple[float, float], unit: str, method: str
) -> dict:
    clean = [v if math.isfinite(v) else None for v in (value, *limits)]
    return {"measure": measure, "label_zh": words[0], "label_en": words[1], "estimate": clean[0], "lower": clean[1],
            "upper": clean[2], "unit": unit, "method": method}  # fmt: skip


def _from_estimate(measure: str, words: tuple[str, str], e: Estimate, unit: str, method: str = "") -> dict:
    return _row(measure, words, e.value, (e.lower, e.upper), unit, method or e.method)


def _crude_rows(fits: _Fits, horizon: float) -> list[dict]:
    """Unadjusted risks from the product limit, so that random loss does no harm."""
    parts = []
    for role in ("treatment", "comparator"):
        curve = fits.crude_curves[role]
        place = int(np.searchsorted(curve.time, horizon, side="right")) - 1
        survival = 1.0 if place < 0 else float(curve.survival[place])
        parts.append((1 - survival, 0.0 if place < 0 else float(curve.std_error[place])))
    (p1, s1), (p0, s0) = parts
    method = "Kaplan-Meier, unadjusted"
    difference = Estimate(p1 - p0, math.hypot(s1, s0), 0, method)
    rows = [_from_estimate("crude_risk_difference", ("粗风险差", "Crude risk difference"), difference, "probability")]
    if min(p1, p0) > 0:
        ratio = Estimate(math.log(p1 / p0), math.hypot(s1 / p1, s0 / p0), 0, method)
        limits = (math.exp(ratio.lower), math.exp(ratio.upper))
        rows.append(_row("crude_risk_ratio", ("粗风险比", "Crude risk ratio"), p1 / p0, limits, "ratio", method))
    return rows


def _effects(trial: TargetTrial, cohort: Cohort, fits: _Fits) -> pl.DataFrame:
    a, c, horizon = cohort.treated, fits.censoring, float(trial.follow_up.horizon_days)
    weight, rows_of_score = fits.weight * c.weight, fits.model.score_rows
    rows = _crude_rows(fits, horizon)
    m1, m0 = hajek_means(c.outcome, a, weight)
    for measure, words, mean in (
        ("risk_treatment", ("调整后风险：治疗组", "Adjusted risk, treatment"), m1),
        ("risk_comparator", ("调整后风险：对照组", "Adjusted risk, comparator"), m0),
    ):
        rows.append(_row(measure, words, mean, (math.nan, math.nan), "probability", "IPTW x IPCW"))
    difference = hajek_difference(c.outcome, a, weight, rows_of_score)
    how = "IPTW x IPCW, Hajek; influence function projected off the propensity score; censoring weights as known"
    rows.append(
        _from_estimate("risk_difference", ("调整后风险差", "Adjusted risk difference"), difference, "probability", how)
    )
    x = cohort.covariates[:, cohort.in_model]
    predicted = outcome_predictions(x, c.outcome, a, c.weight)
    doubly = aipw(c.outcome, a, np.clip(fits.model.score, 1e-6, 1 - 1e-6), predicted, c.weight)
    words = ("风险差（双稳健）", "Risk difference, doubly robust")
    rows.append(_from_estimate("risk_difference_aipw", words, doubly, "probability", "AIPW x IPCW"))
    rows += _ratio_rows(c, a, weight, rows_of_score)
    value, low, high = (1 / v if v else math.inf for v in (difference.value, difference.lower, difference.upper))
    crosses = difference.lower <= 0 <= difference.upper
    limits = (math.nan, math.nan) if crosses else (min(low, high), max(low, high))
    words = ("需治人数（负为获益）", "Number needed to treat (negative: benefit)")
    rows.append(_row("number_needed_to_treat", words, value, limits, "persons", "1 / adjusted risk difference"))
    rows += _time_rows(cohort, fits, horizon)
    return pl.DataFrame(rows, infer_schema_length=None)


def _ratio_rows(c: CensoringWeights, a: Array, weight: Array, score_rows: Array) -> list[dict]:
    try:
        ratio = hajek_ratio(c.outcome, a, weight, score_rows)
    except NotEstimableError:
        return []
    low, high = math.exp(ratio.lower), math.exp(ratio.upper)
    value = math.exp(ratio.value)
    nearest = 1.0 if low <= 1 <= high else (low if value > 1 else high)
    return [
        _row("risk_ratio", ("调整后风险比", "Adjusted risk ratio"), value, (low, high), "ratio", "IPTW x IPCW, Hajek"),
        _row("e_value", ("E 值", "E-value"), e_value(value), (e_value(nearest), math.nan), "ratio",
             "of the adjusted risk ratio; lower limit is that of the confidence limit nearer to 1"),
    ]  # fmt: skip


def _time_rows(cohort: Cohort, fits: _Fits, horizon: float) -> list[dict]:
    rows, a = [], cohort.treated == 1
    try:
        one, two = (rmst(cohort.time[s], cohort.event[s], horizon, fits.weight[s]) for s in (a, ~a))
    except NotEstimableError:
        pass
    else:
        gain = Estimate(one.value - two.value, math.hypot(one.std_error, two.std_error), a.size, "")
        words = ("限制平均生存时间差", "Difference in restricted mean survival time")
        how = "area under weighted Kaplan-Meier; weights as known"
        rows.append(_from_estimate("rmst_difference", words, gain, "days", how))
    if fits.hazard is not None:
        value, low, high = fits.hazard.table().select("hazard_ratio", "lower", "upper").row(0)
        how = "weighted Cox, Efron ties, robust errors; weights as known"
        rows.append(_row("hazard_ratio", ("加权风险率比", "Weighted hazard ratio"), value, (low, high), "ratio", how))
    return rows


def _baseline(cohort: Cohort, weight: Array) -> pl.DataFrame:
    a, x = cohort.treated == 1, cohort.covariates
    data: dict[str, object] = {}
    for role, side in (("treatment", a), ("comparator", ~a)):
        data[f"n_{role}"] = [
            int(x[side, j].sum()) if b else int(side.sum()) for j, b in enumerate(cohort.columns["is_binary"])
        ]
        data[f"mean_{role}"] = x[side].mean(axis=0)
        data[f"sd_{role}"] = x[side].std(axis=0, ddof=1) if side.sum() > 1 else np.full(x.shape[1], np.nan)
        data[f"weighted_mean_{role}"] = np.average(x[side], axis=0, weights=weight[side])
    return pl.concat([cohort.columns, pl.DataFrame(data)], how="horizontal")


def _scores(model: PropensityModel, cohort: Cohort) -> pl.DataFrame:
    """Preference scores by arm in 20 bins: a picture of overlap without a row per person."""
    edges = np.linspace(0, 1, 21)
    frames = []
    for role, side in (("treatment", 1.0), ("comparator", 0.0)):
        count, _ = np.histogram(model.preference[cohort.treated == side], edges)
        frames.append(
            pl.DataFrame({"arm": [role] * 20, "from": edges[:-1], "to": edges[1:], "persons": count.astype(np.int64)})
        )
    return pl.concat(frames).with_columns((pl.col("persons") / pl.col("persons").sum().over("arm")).alias("share"))


def _curves(fits: _Fits, cohort: Cohort, horizon: int) -> pl.DataFrame:
    frames = []
    for role, curve in fits.curves.items():
        frame = curve.table().select("time", "survival", "lower", "upper")
        origin = pl.DataFrame({"time": [0.0], "survival": [1.0], "lower": [1.0], "upper": [1.0]})
        risk = fits.crude_curves[role].table().select("time", pl.col("n_risk").cast(pl.Int64).alias("persons_at_risk"))
        frame = frame.join(risk, on="time", maintain_order="left")
        everyone = pl.lit(fits.crude_curves[role].n, dtype=pl.Int64).alias("persons_at_risk")
        origin = origin.with_columns(everyone)
        frames.append(
            pl.concat([origin, frame]).filter(pl.col("time") <= horizon).with_columns(pl.lit(role).alias("arm"))
        )
    return pl.concat(frames)


def _at_risk(fits: _Fits, horizon: int) -> pl.DataFrame:
    times = np.linspace(0, horizon, 5).round()
    frames = []
    for role, curve in fits.crude_curves.items():
        table = curve.at_risk(times).with_columns(pl.lit(role).alias("arm"))
        weighted = fits.curves[role].at_risk(times)["n_risk"]
        frames.append(
            table.select(
                "arm",
                "time",
                pl.col("n_risk").cast(pl.Int64).alias("persons_at_risk"),
                weighted.alias("weighted_at_risk"),
                pl.col("n_event").cast(pl.Int64).alias("events"),
            )
        )
    return pl.concat(frames)


def _diagnostics(
    trial: TargetTrial, cohort: Cohort, fits: _Fits, balanced: pl.DataFrame, effects: pl.DataFrame
) -> pl.DataFrame:
    a, model = cohort.treated, fits.model
    smd = balanced["smd_after"].fill_null(np.inf).abs()
    worst = str(balanced["name"][int(smd.arg_max() or 0)])
    share = [effective_size(fits.weight[a == s]) / (a == s).sum() for s in (1, 0)]
    events = [float(fits.censoring.outcome[a == s].sum()) for s in (1, 0)]
    found = {r["measure"]: r for r in effects.to_dicts()}
    main, doubly = found["risk_difference"], found["risk_difference_aipw"]
    spread = max((doubly["upper"] - doubly["lower"]) / 3.92, 1e-12)
    missing_name, missing = max(cohort.missing.items(), key=lambda item: item[1])
    values: dict[str, float | None] = {
        "time_zero": float(len(trial.lint())),
        "separation": float(model.fit.is_separated),
        "max_smd": float(str(smd.max())),
        "equipoise": model.equipoise,
        "mdrr": minimum_detectable_ratio(sum(events), float(a.mean())),
        "events_per_arm": min(events),
        "recorded": missing,
        "extreme_scores": model.share_extreme,
        "effective_size": min(share),
        "lost": fits.censoring.share_lost,
        "ipcw_bounded": fits.censoring.share_bounded,
        "estimators_agree": abs(main["estimate"] - doubly["estimate"]) / spread,
        "ease": None,
    }
    labels = dict(trial_labels(cohort))
    return run_checks(values, {"max_smd": labels[worst], "recorded": missing_name}, trial.thresholds)


def trial_labels(cohort: Cohort) -> list[tuple[str, str]]:
    """Return the English label of each covariate column, for the checks that name one."""
    return [(str(n), str(label)) for n, label in cohort.columns.select("name", "label_en").rows()]


def _verdict(diagnostics: pl.DataFrame) -> Verdict:
    failed = set(diagnostics.filter(~pl.col("pass"))["on_failure"].to_list())
    if "not_fit" in failed:
        return Verdict.NOT_FIT
    return Verdict.CAUTION if "caution" in failed else Verdict.FIT
