"""How long until the event, by product limit: Kaplan-Meier, restricted mean, log-rank.

All functions take case weights. With weights the variance is the infinitesimal jackknife (robust); without them it is equal
to Greenwood's formula. Ties between an event and a censoring are read as "event first".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...core.errors import NotEstimableError

Array = NDArray[np.float64]
Z95 = float(stats.norm.ppf(0.975))
"""Normal quantile of two-sided 95 % intervals."""


@dataclass(frozen=True)
class KaplanMeier:
    """Survival by the product limit at each distinct observed time.

    Parameters
    ----------
    time : numpy.ndarray, shape (n_times,)
        Distinct times, rising.
    n_risk, n_event, n_censor : numpy.ndarray, shape (n_times,)
        Weighted numbers at risk just before, with the event at, and censored at each time.
    survival : numpy.ndarray, shape (n_times,)
        Survival just after each time.
    std_log : numpy.ndarray, shape (n_times,)
        Standard error of log survival.
    n : int
        Rows.
    is_weighted : bool
        Whether the variance is the robust one.
    """

    time: Array
    n_risk: Array
    n_event: Array
    n_censor: Array
    survival: Array
    std_log: Array
    n: int
    is_weighted: bool

    @property
    def std_error(self) -> Array:
        """Standard error of survival."""
        return self.survival * self.std_log

    @property
    def lower(self) -> Array:
        """Lower 95 % limit on the log scale, as R's survfit prints by default."""
        return self.survival * np.exp(-Z95 * self.std_log)

    @property
    def upper(self) -> Array:
        """Upper 95 % limit on the log scale, at most 1."""
        return np.minimum(1.0, self.survival * np.exp(Z95 * self.std_log))

    def at(self, times: ArrayLike) -> Array:
        """Survival at any times.

        Parameters
        ----------
        times : array_like, shape (n,)
            Times; before the first observed time survival is 1, after the last it stays.

        Returns
        -------
        numpy.ndarray, shape (n,)
            Survival.
        """
        index = np.searchsorted(self.time, np.asarray(times, dtype=float), side="right")
        return np.concatenate([[1.0], self.survival])[index]

    @property
    def median(self) -> float:
        """First time at which survival is 0.5 or less; NaN when it never is."""
        below = np.flatnonzero(self.survival <= 0.5 + 1e-12)
        return float(self.time[below[0]]) if below.size else float("nan")

    def table(self) -> pl.DataFrame:
        """Return the curve as a frame, one row per distinct time."""
        return pl.DataFrame(
            {
                "time": self.time,
                "n_risk": self.n_risk,
                "n_event": self.n_event,
                "n_censor": self.n_censor,
                "survival": self.survival,
                "std_error": self.std_error,
                "lower": self.lower,
                "upper": self.upper,
            }
        )

    def at_risk(self, times: ArrayLike) -> pl.DataFrame:
        """Say how many are still at risk at chosen times.

        Parameters
        ----------
        times : array_like, shape (n,)
            Times to report.

        Returns
        -------
        polars.DataFrame
            Columns time, n_risk (just before the time), n_event (up to and with it), survival.
        """
        t = np.asarray(times, dtype=float)
        after = np.searchsorted(self.time, t, side="left")
        risk = np.concatenate([self.n_risk, [0.0]])[after]
        events = np.concatenate([[0.0], np.cumsum(self.n_event)])[np.searchsorted(self.time, t, side="right")]
        return pl.DataFrame({"time": t, "n_risk": risk, "n_event": events, "survival": self.at(t)})


@dataclass(frozen=True)
class _Counts:
    time: Array
    group: NDArray[np.intp]
    at_risk: Array
    events: Array
    censored: Array


def _checked(time: ArrayLike, event: ArrayLike, weight: ArrayLike | None) -> tuple[Array, Array, Array]:
    t, d = np.asarray(time, dtype=float), np.asarray(event, dtype=float)
    w = np.ones_like(t) if weight is None else np.asarray(weight, dtype=float)
    if t.ndim != 1 or t.shape != d.shape or t.shape != w.shape:
        raise ValueError("time, event and weight must be one-dimensional and equally long")
    if t.size == 0:
        raise NotEstimableError("no person is left to follow")
    if not (np.isfinite(t).all() and np.isfinite(w).all()) or (t < 0).any() or (w < 0).any():
        raise ValueError("times and weights must be finite and not negative")
    if not np.isin(d, (0.0, 1.0)).all():
        raise ValueError("event must be 0 or 1")
    return t, d, w


def _count(t: Array, d: Array, w: Array) -> _Counts:
    distinct, group = np.unique(t, return_inverse=True)
    total = np.bincount(group, w, distinct.size).astype(float)
    events = np.bincount(group, w * d, distinct.size).astype(float)
    at_risk = np.cumsum(total[::-1])[::-1]
    return _Counts(distinct, group, at_risk, events, total - events)


def _steps(c: _Counts) -> tuple[Array, Array, Array]:
    """Hazard h, survival S, and g = 1 / (Y (1 - h)), 0 where survival ends."""
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard = np.where(c.at_risk > 0, c.events / c.at_risk, 0.0)
        hazard = np.where(hazard > 1 - 1e-12, 1.0, hazard)
        g = np.where((hazard < 1) & (c.at_risk > 0), 1 / (c.at_risk * (1 - hazard)), 0.0)
    return hazard, np.cumprod(1 - hazard), g


def kaplan_meier(time: ArrayLike, event: ArrayLike, weight: ArrayLike | None = None) -> KaplanMeier:
    """Estimate the survival curve.

    True when censoring is independent of the event given what the weights account for.

    Parameters
    ----------
    time : array_like, shape (n,)
        Follow-up in any unit, not negative.
    event : array_like, shape (n,)
        1 event, 0 censored.
    weight : array_like, shape (n,), optional
        Case weights, not negative.

    Returns
    -------
    KaplanMeier
        Curve with standard errors.

    Raises
    ------
    NotEstimableError
        If there are no rows.

    Notes
    -----
    With h = weighted events / weighted at risk, S = prod (1 - h). The influence of row i on log S(t) is
    ``-w_i (event_i [T_i <= t] g(T_i) - sum over u <= min(t, T_i) of h(u) g(u))`` with g = 1 / (at risk (1 - h)); its squares
    add up to the variance. Without weights the sum equals Greenwood's.

    Examples
    --------
    >>> kaplan_meier([1, 2, 2, 3], [1, 1, 0, 1]).survival.round(4).tolist()
    [0.75, 0.5, 0.0]
    """
    t, d, w = _checked(time, event, weight)
    c = _count(t, d, w)
    hazard, survival, g = _steps(c)
    total = np.cumsum(hazard * g)
    own = w * (d * g[c.group] - total[c.group])
    squares = np.bincount(c.group, own**2, c.time.size)
    later = np.bincount(c.group, w**2, c.time.size)
    later = np.cumsum(later[::-1])[::-1] - later
    variance = np.cumsum(squares) + total**2 * later
    return KaplanMeier(c.time, c.at_risk, c.events, c.censored, survival, np.sqrt(variance), t.size, weight is not None)


@dataclass(frozen=True)
class Estimate:
    """One number with its standard error and 95 % interval.

    Parameters
    ----------
    value : float
        Point estimate.
    std_error : float
        Standard error.
    n : int
        Rows used.
    method : str
        How it was obtained.
    unit : str
        Unit of ``value``.
    """

    value: float
    std_error: float
    n: int
    method: str
    unit: str = ""

    @property
    def lower(self) -> float:
        """Lower 95 % limit."""
        return self.value - Z95 * self.std_error

    @property
    def upper(self) -> float:
        """Upper 95 % limit."""
        return self.value + Z95 * self.std_error

    @property
    def p_value(self) -> float:
        """Two-sided p of no effect (value 0)."""
        return float(2 * stats.norm.sf(abs(self.value) / self.std_error)) if self.std_error > 0 else float("nan")


def rmst(time: ArrayLike, event: ArrayLike, horizon: float, weight: ArrayLike | None = None) -> Estimate:
    """Estimate the mean time lived without the event up to a horizon.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        Follow-up and event mark.
    horizon : float
        Upper limit in the unit of ``time``.
    weight : array_like, shape (n,), optional
        Case weights.

    Returns
    -------
    Estimate
        Area under the curve up to the horizon, in the unit of ``time``.

    Raises
    ------
    NotEstimableError
        If the curve is not known up to the horizon: nobody is observed that long and survival is not 0.

    Notes
    -----
    Without weights the variance is sum of (area right of t)^2 d / (n (n - d)); with weights it is the robust one.
    """
    t, d, w = _checked(time, event, weight)
    c = _count(t, d, w)
    hazard, survival, g = _steps(c)
    if c.time[-1] < horizon and survival[-1] > 0:
        raise NotEstimableError(f"nobody is followed to {horizon:g}; choose a horizon within the follow-up")
    edges = np.concatenate([[0.0], np.minimum(c.time, horizon), [horizon]])
    pieces = np.diff(edges) * np.concatenate([[1.0], survival])
    right = np.cumsum(pieces[::-1])[::-1][1:]  # area to the right of each distinct time
    total = np.cumsum(hazard * g * right)
    own = w * (d * g[c.group] * right[c.group] - total[c.group])
    return Estimate(float(pieces.sum()), float(np.sqrt((own**2).sum())), t.size, "area under Kaplan-Meier", "time")


@dataclass(frozen=True)
class TestResult:
    """A chi-square test.

    Parameters
    ----------
    statistic : float
        Chi-square.
    degrees : int
        Degrees of freedom.
    p_value : float
        Upper tail probability.
    """

    __test__ = False  # not a pytest class

    statistic: float
    degrees: int
    p_value: float


def logrank(time: ArrayLike, event: ArrayLike, group: ArrayLike) -> TestResult:
    """Test whether the hazards of two or more groups are equal.

    Parameters
    ----------
    time, event : array_like, shape (n,)
        Follow-up and event mark.
    group : array_like, shape (n,)
        Group labels.

    Returns
    -------
    TestResult
        Log-rank chi-square with hypergeometric variance.

    Raises
    ------
    NotEstimableError
        If there are fewer than two groups or no event.
    """
    t, d, _ = _checked(time, event, None)
    labels, g = np.unique(np.asarray(group), return_inverse=True)
    if labels.size < 2 or d.sum() == 0:
        raise NotEstimableError("a log-rank test needs two groups and at least one event")
    distinct, index = np.unique(t, return_inverse=True)
    size = (distinct.size, labels.size)
    flat = index * labels.size + g
    total = np.bincount(flat, minlength=distinct.size * labels.size).reshape(size).astype(float)
    events = np.bincount(flat, d, distinct.size * labels.size).reshape(size)
    risk = np.cumsum(total[::-1], axis=0)[::-1]
    n, k = risk.sum(axis=1), events.sum(axis=1)
    use = k > 0
    share = risk[use] / n[use, None]
    difference = (events[use] - k[use, None] * share).sum(axis=0)[:-1]
    factor = k[use] * (n[use] - k[use]) / np.maximum(n[use] - 1, 1)
    s = share[:, :-1]
    covariance = np.diag((factor[:, None] * s).sum(axis=0)) - (s * factor[:, None]).T @ s
    statistic = float(difference @ np.linalg.solve(covariance, difference))
    return TestResult(statistic, labels.size - 1, float(stats.chi2.sf(statistic, labels.size - 1)))
