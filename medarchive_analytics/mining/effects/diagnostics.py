"""Which checks stand between an estimate and a reader, and what does a failure mean?

Thresholds come from the trial card; the first four follow OHDSI CohortMethod's diagnostics.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from .card import Thresholds


@dataclass(frozen=True)
class Check:
    """One check.

    Parameters
    ----------
    label_zh, label_en : str
        Words shown; ``{detail}`` is replaced by a covariate's name.
    sign : str
        How the value must compare with the threshold, ``<=`` or ``>=``.
    on_failure : str
        ``not_fit``, ``caution`` or ``information``.
    threshold : str or float
        Field of ``Thresholds``, or a fixed number.
    """

    label_zh: str
    label_en: str
    sign: str
    on_failure: str
    threshold: str | float


CHECKS: dict[str, Check] = {
    "time_zero": Check("时间零点不一致数", "breaches of time zero found by the linter", "<=", "not_fit", 0.0),
    "separation": Check("倾向评分可分离", "treatment foretold completely (separation)", "<=", "not_fit", 0.0),
    "max_smd": Check(
        "加权后最大标准化差（{detail}）", "largest SMD after weighting ({detail})", "<=", "not_fit", "max_smd"
    ),
    "equipoise": Check(
        "偏好评分在0.3–0.7的比例", "share with preference score 0.3-0.7", ">=", "not_fit", "min_equipoise"
    ),
    "mdrr": Check("最小可检出相对危险", "minimum detectable relative risk", "<=", "not_fit", "max_mdrr"),
    "events_per_arm": Check(
        "事件较少一组的事件数", "events in the arm with fewer", ">=", "not_fit", "min_events_per_arm"
    ),
    "recorded": Check("未记录比例（{detail}）", "share without {detail}", "<=", "not_fit", "max_share_missing"),
    "extreme_scores": Check(
        "倾向评分超出[0.01, 0.99]的比例", "propensity scores outside [0.01, 0.99]", "<=", "caution", "max_share_extreme"
    ),
    "effective_size": Check(
        "有效样本量占比（较差组）", "effective sample size over persons, worse arm", ">=", "caution", "min_ess_share"
    ),
    "lost": Check("随访期内失访比例", "lost before the horizon", "<=", "caution", "max_share_lost"),
    "ipcw_bounded": Check("失访权重被截断的比例", "censoring weights that were bounded", "<=", "caution", 0.01),
    "estimators_agree": Check(
        "两种估计之差（标准误）", "IPTW and AIPW differ by (standard errors)", "<=", "caution", 1.0
    ),
    "ease": Check(
        "系统误差（阴性对照，未评估）",
        "systematic error by negative controls: not evaluated",
        "<=",
        "information",
        0.25,
    ),
}
"""All checks, in the order in which they are shown."""


def run_checks(values: Mapping[str, float | None], details: Mapping[str, str], limits: Thresholds) -> pl.DataFrame:
    """Compare each check's value with its threshold.

    Parameters
    ----------
    values : mapping of str to float or None
        A value for every check; None where it was not evaluated. A value that is not finite fails.
    details : mapping of str to str
        What ``{detail}`` stands for.
    limits : Thresholds
        Thresholds of the card.

    Returns
    -------
    polars.DataFrame
        check, label_zh, label_en, value, sign, threshold, on_failure, pass (null when not evaluated).
    """
    rows = []
    for name, check in CHECKS.items():
        value, detail = values[name], details.get(name, "")
        limit = float(getattr(limits, check.threshold)) if isinstance(check.threshold, str) else check.threshold
        passed: bool | None = None
        if value is not None:
            passed = math.isfinite(value) and (value <= limit if check.sign == "<=" else value >= limit)
        rows.append(
            {
                "check": name,
                "label_zh": check.label_zh.format(detail=detail),
                "label_en": check.label_en.format(detail=detail),
                "value": value if value is not None and math.isfinite(value) else None,
                "sign": check.sign,
                "threshold": limit,
                "on_failure": check.on_failure,
                "pass": passed,
            }
        )
    return pl.DataFrame(rows, schema_overrides={"value": pl.Float64, "threshold": pl.Float64, "pass": pl.Boolean})
