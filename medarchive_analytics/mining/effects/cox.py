"""By which factor does a covariate multiply the hazard: Cox's model with exact tie handling and robust errors.

One Newton step is one pass over the rows and one Gram matrix; the score residuals are exact under Efron's ties, so the
sandwich agrees with R where other Python packages do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...core.errors import NotEstimableError
from .survival import Z95, Array


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model.

    Parameters
    ----------
    names : tuple of str
        Covariates.
    coef : numpy.ndarray, shape (p,)
        Log hazard ratios per unit.
    covariance : numpy.ndarray, shape (p, p)
        Model-based covariance (inverse information).
    robust : numpy.ndarray, shape (p, p)
        Sandwich covariance, summed by cluster where clusters were given.
    log_likelihood : float
        Partial log-likelihood at the optimum.
    n : int
        Rows.
    n_events : int
        Events.
    ties : str
        ``efron`` or ``breslow``.
    iterations : int
        Newton steps taken.
    """

    names: tuple[str, ...]
    coef: Array
    covariance: Array
    robust: Array
    log_likelihood: float
    n: int
    n_events: int
    ties: str
    iterations: int

    @property
    def std_error(self) -> Array:
        """Model-based standard errors."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def robust_std_error(self) -> Array:
        """Sandwich standard errors."""
        return np.sqrt(np.diag(self.robust))

    def table(self) -> pl.DataFrame:
        """Return coefficients, hazard ratios and robust 95 % limits as a frame."""
        se = self.robust_std_error
        return pl.DataFrame(
            {
                "name": list(self.names),
                "coef": self.coef,
                "hazard_ratio": np.exp(self.coef),
                "std_error": self.std_error,
                "robust_std_error": se,
                "lower": np.exp(self.coef - Z95 * se),
                "upper": np.exp(self.coef + Z95 * se),
                "p_value": 2 * stats.norm.sf(np.abs(self.coef) / se),
            }
        )


@dataclass(frozen=True)
class _Design:
    """Rows sorted by falling time, coded by distinct time, with one entry per tied event."""

    x: Array
    event: Array
    weight: Array
    group: NDArray[np.intp]
    n_groups: int
    tied_group: NDArray[np.intp]
    phi: Array
    n_tied: Array
    mean_weight: Array


def _design(time: Array, event: Array, x: Array, weight: Array, ties: str) -> _Design:
    distinct, group = np.unique(time, return_inverse=True)
    count = np.bincount(group, event, distinct.size).astype(float)
    event_weight = np.bincount(group, event * weight, distinct.size).astype(float)
    mean_weight = np.divide(event_weight, count, out=np.zeros_like(count), where=count > 0)
    tied = np.repeat(np.arange(distinct.size), count.astype(int))
    start = np.concatenate([[0.0], np.cumsum(count)[:-1]])
    order = np.arange(tied.size) - start[tied]
    phi = order / count[tied] if ties == "efron" else np.zeros(tied.size)
    return _Design(x, event, weight, group, distinct.size, tied, phi, count, mean_weight)


def _group_sum(values: Array, group: NDArray[np.intp], size: int) -> Array:
    if values.ndim == 1:
        return np.bincount(group, values, size).astype(float)
    return np.stack([np.bincount(group, values[:, j], size) for j in range(values.shape[1])], axis=1)


@dataclass(frozen=True)
class _State:
    """Everything one evaluation of the partial likelihood yields."""

    log_likelihood: float
    gradient: Array
    information: Array
    score_rows: Array


def _evaluate(design: _Design, beta: Array) -> _State:
    x, d, w, g, size = design.x, design.event, design.weight, design.group, design.n_groups
    eta = x @ beta
    shift = float(eta.max()) if eta.size else 0.0  # exp() stays finite; it cancels everywhere but in the likelihood
    rate = np.exp(eta - shift)
    case = w * rate

    def risk_set(values: Array) -> Array:
        return np.cumsum(_group_sum(values, g, size)[::-1], axis=0)[::-1]

    r0, r1 = risk_set(case), risk_set(case[:, None] * x)
    e0, e1 = _group_sum(case * d, g, size), _group_sum((case * d)[:, None] * x, g, size)
    tied, phi = design.tied_group, design.phi
    den = r0[tied] - phi * e0[tied]
    mean = design.mean_weight

    def over_ties(values: Array) -> Array:
        return np.bincount(tied, values, size).astype(float)

    plain_a, plain_b = over_ties(1 / den), over_ties(phi / den)
    a, b = mean * plain_a, mean * plain_b
    c1, c2, c3 = (mean * over_ties(phi**k / den**2) for k in (0, 1, 2))
    cumulative = np.cumsum(a)
    mean_x = np.divide(
        plain_a[:, None] * r1 - plain_b[:, None] * e1,
        design.n_tied[:, None],
        out=np.zeros_like(r1),
        where=design.n_tied[:, None] > 0,
    )
    likelihood = float((w * d * eta).sum() - (mean[tied] * (np.log(den) + shift)).sum())
    gradient = ((w * d)[:, None] * x).sum(axis=0) - (a[:, None] * r1 - b[:, None] * e1).sum(axis=0)
    diagonal = case * (cumulative[g] - d * b[g])
    cross = (r1 * c2[:, None]).T @ e1
    information = (x * diagonal[:, None]).T @ x
    information -= (r1 * c1[:, None]).T @ r1 - cross - cross.T + (e1 * c3[:, None]).T @ e1
    big_b = np.cumsum(c1[:, None] * r1 - c2[:, None] * e1, axis=0)
    big_c = c2[:, None] * r1 - c3[:, None] * e1
    rows = d[:, None] * (x - mean_x[g]) - rate[:, None] * (x * cumulative[g][:, None] - big_b[g])
    rows += (d * rate)[:, None] * (x * b[g][:, None] - big_c[g])
    return _State(likelihood, gradient, information, w[:, None] * rows)


def cox(
    time: ArrayLike,
    event: ArrayLike,
    covariates: ArrayLike,
    *,
    names: Sequence[str] = (),
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    ties: str = "efron",
) -> CoxFit:
    """Estimate hazard ratios.

    True when hazards are proportional and censoring is independent given the covariates (and weights).

    Parameters
    ----------
    time : array_like, shape (n,)
        Follow-up, any unit.
    event : array_like, shape (n,)
        1 event, 0 censored.
    covariates : array_like, shape (n, p) or (n,)
        Numeric covariates without an intercept.
    names : sequence of str
        Names of the covariates.
    weight : array_like, shape (n,), optional
        Case weights; rows of weight 0 carry nothing. Tied events enter with their mean weight, as in R.
    cluster : array_like, shape (n,), optional
        Rows of one cluster (person) are summed before the sandwich.
    ties : str
        ``"efron"`` (default) or ``"breslow"``.

    Returns
    -------
    CoxFit
        Coefficients with model-based and robust covariance.

    Raises
    ------
    NotEstimableError
        If there is no event, or the likelihood has no finite maximum (a covariate separates the events) or no curvature.

    Notes
    -----
    A hazard ratio is not a risk ratio, changes its meaning with the follow-up, and is no measure of benefit: show risk
    differences first.

    References
    ----------
    Therneau and Grambsch, Modeling Survival Data, 2000, chapters 3 and 7.
    """
    x = np.asarray(covariates, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    t, d = np.asarray(time, dtype=float), np.asarray(event, dtype=float)
    w = np.ones(t.size) if weight is None else np.asarray(weight, dtype=float)
    if ties not in ("efron", "breslow"):
        raise ValueError("ties must be 'efron' or 'breslow'")
    if not (t.shape == d.shape == w.shape == x.shape[:1]):
        raise ValueError("time, event, weight and covariates must have as many rows")
    if not (np.isfinite(x).all() and np.isfinite(t).all() and np.isfinite(w).all()):
        raise ValueError("covariates, times and weights must be finite")
    if (d * w).sum() == 0:
        raise NotEstimableError("no event was observed; a hazard ratio cannot be estimated")
    centre, scale = x.mean(axis=0), x.std(axis=0)
    if (scale < 1e-12).any():
        raise NotEstimableError("a covariate of the Cox model takes one value only; leave it out")
    design = _design(t, d, (x - centre) / scale, w, ties)
    beta, state, steps = _maximise(design, x.shape[1])
    inverse = np.linalg.inv(state.information)
    influence = state.score_rows @ inverse
    if cluster is not None:
        labels, index = np.unique(np.asarray(cluster), return_inverse=True)
        influence = _group_sum(influence, index, labels.size)
    back = 1 / np.outer(scale, scale)
    return CoxFit(
        tuple(names) or tuple(f"x{j}" for j in range(x.shape[1])),
        beta / scale,
        inverse * back,
        (influence.T @ influence) * back,
        state.log_likelihood,
        t.size,
        int(d.sum()),
        ties,
        steps,
    )


def _maximise(design: _Design, size: int) -> tuple[Array, _State, int]:
    beta = np.zeros(size)
    state = _evaluate(design, beta)
    scale = float((design.weight * design.event).sum())
    if np.linalg.eigvalsh(state.information).min() <= 1e-10 * scale:  # flat up to rounding
        raise NotEstimableError("covariates of the Cox model repeat each other or do not vary where events occur; leave one out")
    for step in range(1, 51):
        try:
            move = np.linalg.solve(state.information, state.gradient)
        except np.linalg.LinAlgError:
            if np.abs(beta).max() > 8:  # the information vanished on the way to infinity
                break
            raise NotEstimableError("covariates of the Cox model repeat each other; leave one out") from None
        for _ in range(30):
            with np.errstate(all="ignore"):  # a step too far overflows; it is halved below
                trial = _evaluate(design, beta + move)
            if np.isfinite(trial.log_likelihood) and trial.log_likelihood >= state.log_likelihood - 1e-12:
                break
            move = move / 2
        beta, state = beta + move, trial
        if not np.isfinite(beta).all() or np.abs(beta).max() > 50:
            break
        if np.abs(move).max() < 1e-10:
            return beta, state, step
    raise NotEstimableError("the Cox model has no finite maximum: a covariate foretells the events completely")
