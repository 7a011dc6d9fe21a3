"""By how much does treatment change the risk: weighting, augmentation, censoring, and what hidden bias it would take.

Each estimator returns its influence function or uses it for the standard error; which nuisance models count as known is said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ...core.errors import NotEstimableError
from .cox import cox
from .propensity import logistic
from .survival import Array, Estimate, kaplan_meier


def _project_off(influence: Array, scores: Array | None) -> Array:
    """Residual of the influence function after regression on the score of the estimated propensity model."""
    if scores is None:
        return influence
    coefficients = np.linalg.lstsq(scores, influence, rcond=1e-12)[0]
    return influence - scores @ coefficients


def hajek_means(outcome: ArrayLike, treated: ArrayLike, weight: ArrayLike) -> tuple[float, float]:
    """Weighted mean outcome of the treated and of the comparators.

    Parameters
    ----------
    outcome, treated, weight : array_like, shape (n,)
        Outcome, arm, weight (0 for those whose outcome is unknown).

    Returns
    -------
    tuple of float
        Mean of the treated, mean of the comparators.

    Raises
    ------
    NotEstimableError
        If an arm carries no weight.
    """
    y, a, w = (np.asarray(v, dtype=float) for v in (outcome, treated, weight))
    sums = [(w * side).sum() for side in (a, 1 - a)]
    if min(sums) <= 0:
        raise NotEstimableError("an arm has nobody whose outcome is known")
    return float((w * a * y).sum() / sums[0]), float((w * (1 - a) * y).sum() / sums[1])


def hajek_difference(
    outcome: ArrayLike, treated: ArrayLike, weight: ArrayLike, score_rows: Array | None = None
) -> Estimate:
    """Difference of weighted means (treated minus comparators).

    Parameters
    ----------
    outcome, treated, weight : array_like, shape (n,)
        Outcome, arm, weight; rows of weight 0 count in n but carry no outcome.
    score_rows : numpy.ndarray, shape (n, q), optional
        Score of the propensity model by row. With it the standard error accounts for the estimated score (smaller, and
        right); without it weights count as known (the HC0 sandwich, as GEE prints).

    Returns
    -------
    Estimate
        Difference with influence-function standard error.
    """
    y, a, w = (np.asarray(v, dtype=float) for v in (outcome, treated, weight))
    m1, m0 = hajek_means(y, a, w)
    influence = w * a * (y - m1) / (w * a).sum() - w * (1 - a) * (y - m0) / (w * (1 - a)).sum()
    influence = _project_off(influence, score_rows)
    how = "known weights" if score_rows is None else "estimated propensity score"
    return Estimate(m1 - m0, math.sqrt(float((influence**2).sum())), y.size, f"Hajek difference, {how}")


def aipw(
    outcome: ArrayLike,
    treated: ArrayLike,
    score: ArrayLike,
    predicted: tuple[ArrayLike, ArrayLike],
    known: ArrayLike | None = None,
) -> Estimate:
    """Doubly robust difference: right when the propensity model or the outcome model is.

    Parameters
    ----------
    outcome, treated, score : array_like, shape (n,)
        Outcome, arm, propensity score.
    predicted : tuple of array_like, shape (n,)
        Outcome predicted for everybody under treatment and under the comparator.
    known : array_like, shape (n,), optional
        0 where the outcome is unknown, else 1 / probability of being known (IPCW).

    Returns
    -------
    Estimate
        Mean of the influence function; standard error sd / sqrt(n).
    """
    y, a, p = (np.asarray(v, dtype=float) for v in (outcome, treated, score))
    k = np.ones(y.size) if known is None else np.asarray(known, dtype=float)
    q1, q0 = (np.asarray(v, dtype=float) for v in predicted)
    values = q1 - q0 + k * (a / p * (y - q1) - (1 - a) / (1 - p) * (y - q0))
    return Estimate(float(values.mean()), float(values.std(ddof=1) / math.sqrt(y.size)), y.size, "AIPW")


def outcome_predictions(covariates: Array, outcome: Array, treated: Array, weight: Array) -> tuple[Array, Array]:
    """Predict everybody's outcome under each arm, one logistic model per arm.

    Parameters
    ----------
    covariates : numpy.ndarray, shape (n, p)
        Baseline covariates.
    outcome, treated, weight : numpy.ndarray, shape (n,)
        Binary outcome, arm, weight of the row in the fit (0 = outcome unknown).

    Returns
    -------
    tuple of numpy.ndarray, shape (n,)
        Under treatment, under the comparator. An arm without a single event (or without a survivor) is predicted its mean.
    """
    result = []
    for side in (1.0, 0.0):
        rows = (treated == side) & (weight > 0)
        if not rows.any():
            raise NotEstimableError("an arm has nobody whose outcome is known")
        if np.ptp(outcome[rows]) == 0:
            result.append(np.full(treated.size, outcome[rows].mean()))
            continue
        fit = logistic(covariates[rows], outcome[rows], weight=weight[rows])
        result.append(fit.predict(covariates))
    return result[0], result[1]


@dataclass(frozen=True)
class CensoringWeights:
    """Inverse probability of still being followed.

    Parameters
    ----------
    weight : numpy.ndarray, shape (n,)
        0 when lost before the horizon without the event, else 1 / probability of not being lost.
    outcome : numpy.ndarray, shape (n,)
        1 event by the horizon, 0 otherwise (also for the lost, whose weight is 0).
    share_lost : float
        Share lost before the horizon without the event.
    share_bounded : float
        Share of the known whose probability was raised to the bound.
    """

    weight: Array
    outcome: Array
    share_lost: float
    share_bounded: float


def censoring_weights(
    time: ArrayLike, event: ArrayLike, treated: ArrayLike, covariates: Array, horizon: float, bound: float = 0.05
) -> CensoringWeights:
    """Weight the followed up for those lost who were like them.

    True when loss is independent of the outcome given arm and covariates.

    Parameters
    ----------
    time, event, treated : array_like, shape (n,)
        Follow-up, event mark, arm.
    covariates : numpy.ndarray, shape (n, p)
        Baseline covariates.
    horizon : float
        Time by which the outcome counts.
    bound : float
        Probabilities of being followed are raised to this.

    Returns
    -------
    CensoringWeights
        Weights and what they did.

    Notes
    -----
    One Cox model of the time to loss per arm with Breslow's baseline; the probability is taken just before the person's own
    event or the horizon. With fewer than 20 losses in an arm, or no finite maximum, the arm's product-limit curve stands in.
    """
    t, d, a = (np.asarray(v, dtype=float) for v in (time, event, treated))
    stop = np.minimum(t, horizon)
    outcome = ((d == 1) & (t <= horizon)).astype(float)
    lost = (outcome == 0) & (t < horizon)
    stay = np.ones(t.size)
    for side in (0.0, 1.0):
        rows = a == side
        if lost[rows].any():
            stay[rows] = _still_followed(stop[rows], lost[rows].astype(float), outcome[rows], covariates[rows])
    bounded = np.maximum(stay, bound)
    known = ~lost
    return CensoringWeights(
        np.where(known, 1 / bounded, 0.0), outcome, float(lost.mean()), float((stay[known] < bound).mean())
    )


def _still_followed(stop: Array, lost: Array, event: Array, covariates: Array) -> Array:
    """Probability of not being lost just before each person's own end of follow-up."""
    # Events come before losses of the same day: who had the event that day was not at risk of being lost.
    shifted = np.where(event == 1, stop - 1e-6, stop)
    live = covariates[:, covariates.std(axis=0) > 1e-9]
    if lost.sum() >= 20 and live.shape[1]:
        try:
            fit = cox(shifted, lost, live)
        except NotEstimableError:
            pass
        else:
            rate = np.exp((live - live.mean(axis=0)) @ fit.coef)
            distinct, group = np.unique(shifted, return_inverse=True)
            losses = np.bincount(group, lost, distinct.size)
            at_risk = np.cumsum(np.bincount(group, rate, distinct.size)[::-1])[::-1]
            before = np.concatenate([[0.0], np.cumsum(losses / at_risk)])[group]
            return np.exp(-before * rate)
    curve = kaplan_meier(shifted, lost)
    return np.concatenate([[1.0], curve.survival])[np.searchsorted(curve.time, shifted, side="left")]


def e_value(ratio: float) -> float:
    """How strongly would a hidden common cause have to act on treatment and outcome to explain the ratio away?

    Parameters
    ----------
    ratio : float
        Risk ratio (or its limit nearer to 1), positive.

    Returns
    -------
    float
        E-value, at least 1.

    Examples
    --------
    >>> round(e_value(3.9), 2)
    7.26
    """
    if not ratio > 0:
        raise ValueError("a ratio is positive")
    r = ratio if ratio >= 1 else 1 / ratio
    return r + math.sqrt(r * (r - 1))


def minimum_detectable_ratio(events: float, share_treated: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Which relative risk could this study have found at all?

    Parameters
    ----------
    events : float
        Events in both arms.
    share_treated : float
        Share of persons treated.
    power, alpha : float
        Power and two-sided level.

    Returns
    -------
    float
        Smallest hazard ratio above 1 found with that power (Schoenfeld); infinite without events.
    """
    if events <= 0 or not 0 < share_treated < 1:
        return float("inf")
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power)
    return float(np.exp(math.sqrt(z**2 / (events * share_treated * (1 - share_treated)))))


def hajek_ratio(outcome: ArrayLike, treated: ArrayLike, weight: ArrayLike, score_rows: Array | None = None) -> Estimate:
    """Log of the ratio of weighted means (treated over comparators).

    Parameters
    ----------
    outcome, treated, weight, score_rows
        As ``hajek_difference``.

    Returns
    -------
    Estimate
        On the log scale; exponentiate value and limits.

    Raises
    ------
    NotEstimableError
        If an arm has no event.
    """
    y, a, w = (np.asarray(v, dtype=float) for v in (outcome, treated, weight))
    m1, m0 = hajek_means(y, a, w)
    if min(m1, m0) <= 0:
        raise NotEstimableError("an arm has no event; a risk ratio cannot be estimated")
    influence = w * a * (y - m1) / ((w * a).sum() * m1) - w * (1 - a) * (y - m0) / ((w * (1 - a)).sum() * m0)
    influence = _project_off(influence, score_rows)
    return Estimate(math.log(m1 / m0), math.sqrt(float((influence**2).sum())), y.size, "log ratio of Hajek means")
