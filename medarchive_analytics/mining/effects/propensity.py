"""How likely was each person to get the treatment, given what was known at time zero?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy.special import expit
from scipy.stats import rankdata

from ...core.errors import NotEstimableError
from .survival import Array


@dataclass(frozen=True)
class LogisticFit:
    """An unpenalised logistic model.

    Parameters
    ----------
    names : tuple of str
        Covariates, the intercept first.
    coef : numpy.ndarray, shape (1 + p,)
        Log odds per unit.
    covariance : numpy.ndarray, shape (1 + p, 1 + p)
        Inverse information.
    fitted : numpy.ndarray, shape (n,)
        Fitted probabilities.
    is_separated : bool
        Whether some covariate combination foretells the outcome completely, so that no finite maximum exists.
    iterations : int
        Newton steps taken.
    design_scale : tuple of numpy.ndarray
        Centre and scale used inside.
    """

    names: tuple[str, ...]
    coef: Array
    covariance: Array
    fitted: Array
    is_separated: bool
    iterations: int
    design_scale: tuple[Array, Array]

    def predict(self, covariates: ArrayLike) -> Array:
        """Probability for other rows.

        Parameters
        ----------
        covariates : array_like, shape (m, p)
            The covariates of the fit.

        Returns
        -------
        numpy.ndarray, shape (m,)
            Probabilities.
        """
        return expit(self.coef[0] + np.asarray(covariates, dtype=float) @ self.coef[1:])


def logistic(
    covariates: ArrayLike, outcome: ArrayLike, *, names: Sequence[str] = (), weight: ArrayLike | None = None
) -> LogisticFit:
    """Fit a logistic model without penalty.

    Parameters
    ----------
    covariates : array_like, shape (n, p)
        Numeric covariates without an intercept; constant ones get coefficient 0.
    outcome : array_like, shape (n,)
        0 or 1.
    names : sequence of str
        Names of the covariates.
    weight : array_like, shape (n,), optional
        Case weights.

    Returns
    -------
    LogisticFit
        The maximum, converged to 1e-11 on standardised covariates, so that row order changes nothing that is printed.

    Raises
    ------
    NotEstimableError
        If all outcomes are equal.

    Notes
    -----
    Newton's method with step halving. Under separation it stops where the likelihood is flat to double precision and says
    so; the fitted probabilities are then 0 or 1 for some rows, and no weighting can help.
    """
    x = np.asarray(covariates, dtype=float)
    y = np.asarray(outcome, dtype=float)
    w = np.ones(y.size) if weight is None else np.asarray(weight, dtype=float)
    used = w > 0
    if not used.any() or np.ptp(y[used]) == 0:
        raise NotEstimableError("both outcomes of a logistic model must occur; one does not")
    centre, scale = x.mean(axis=0), x.std(axis=0)
    live = scale > 1e-12
    scale = np.where(live, scale, 1.0)
    z = np.column_stack([np.ones(y.size), ((x - centre) / scale)[:, live]])
    beta, separated, steps = _newton(z, y, w)
    fitted = expit(z @ beta)
    information = (z * (w * fitted * (1 - fitted))[:, None]).T @ z
    inverse = np.linalg.pinv(information, hermitian=True)
    # back to the units of the covariates: coef = T beta
    transform = np.zeros((x.shape[1] + 1, z.shape[1]))
    transform[0, 0] = 1.0
    places = 1 + np.flatnonzero(live)
    transform[places, np.arange(1, z.shape[1])] = 1 / scale[live]
    transform[0, 1:] = -(centre / scale)[live]
    labels = ("(intercept)", *(names or [f"x{j}" for j in range(x.shape[1])]))
    return LogisticFit(
        labels, transform @ beta, transform @ inverse @ transform.T, fitted, separated, steps, (centre, scale)
    )


def _newton(z: Array, y: Array, w: Array) -> tuple[Array, bool, int]:
    def value(beta: Array) -> float:
        eta = z @ beta
        return float((w * (y * eta - np.logaddexp(0, eta))).sum())

    beta = np.zeros(z.shape[1])
    best = value(beta)
    for step in range(1, 101):
        p = expit(z @ beta)
        gradient = z.T @ (w * (y - p))
        information = (z * (w * p * (1 - p))[:, None]).T @ z
        move = np.linalg.lstsq(information, gradient, rcond=1e-12)[0]
        for _ in range(40):
            trial = value(beta + move)
            if trial >= best - 1e-13 * (1 + abs(best)):
                break
            move = move / 2
        beta, best = beta + move, trial
        if np.abs(beta).max() > 25:
            return beta, True, step
        if np.abs(move).max() < 1e-11:
            return beta, False, step
    return beta, True, 100


@dataclass(frozen=True)
class PropensityModel:
    """The probability of treatment of each person, with the checks that go with it.

    Parameters
    ----------
    fit : LogisticFit
        The model.
    treated : numpy.ndarray, shape (n,)
        1 treated, 0 comparator.
    covariates : numpy.ndarray, shape (n, p)
        What it was fitted on.
    """

    fit: LogisticFit
    treated: Array
    covariates: Array

    @property
    def score(self) -> Array:
        """Fitted probability of treatment, shape (n,)."""
        return self.fit.fitted

    @property
    def auc(self) -> float:
        """Probability that a treated person has a higher score than a comparator; near 1 the arms are not comparable."""
        ranks, n1 = rankdata(np.round(self.score, 12)), self.treated.sum()
        n0 = self.treated.size - n1
        return float((ranks[self.treated == 1].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))

    @property
    def preference(self) -> Array:
        """Preference score: the propensity score with the share of the treated taken out (0.5 = indifferent)."""
        p = np.clip(self.score, 1e-12, 1 - 1e-12)
        share = self.treated.mean()
        return expit(np.log(p / (1 - p)) - np.log(share / (1 - share)))

    @property
    def equipoise(self) -> float:
        """Share of persons with a preference score from 0.3 to 0.7."""
        return float(((self.preference >= 0.3) & (self.preference <= 0.7)).mean())

    @property
    def share_extreme(self) -> float:
        """Share of persons with a propensity score outside [0.01, 0.99]."""
        return float(((self.score < 0.01) | (self.score > 0.99)).mean())

    @property
    def score_rows(self) -> Array:
        """Score of the likelihood by row, shape (n, 1 + p): what a weight's influence function is projected off."""
        z = np.column_stack([np.ones(self.treated.size), self.covariates])
        centre, scale = self.fit.design_scale
        z[:, 1:] = (z[:, 1:] - centre) / scale
        return z * (self.treated - self.score)[:, None]

    def table(self) -> pl.DataFrame:
        """Return the coefficients as a frame."""
        return pl.DataFrame(
            {
                "name": list(self.fit.names),
                "coef": self.fit.coef,
                "odds_ratio": np.exp(np.clip(self.fit.coef, -50, 50)),
                "std_error": np.sqrt(np.maximum(np.diag(self.fit.covariance), 0)),
            }
        )


def fit_propensity(covariates: ArrayLike, treated: ArrayLike, names: Sequence[str] = ()) -> PropensityModel:
    """Fit the propensity score.

    True as a balancing score when every common cause of treatment and outcome is among the covariates.

    Parameters
    ----------
    covariates : array_like, shape (n, p)
        Covariates from before or at time zero.
    treated : array_like, shape (n,)
        1 treated, 0 comparator.
    names : sequence of str
        Names of the covariates.

    Returns
    -------
    PropensityModel
        Scores and checks.

    Raises
    ------
    NotEstimableError
        If an arm is empty.
    """
    a = np.asarray(treated, dtype=float)
    if a.size == 0 or a.min() == a.max():
        raise NotEstimableError("one arm of the comparison is empty")
    x = np.asarray(covariates, dtype=float).reshape(a.size, -1)
    return PropensityModel(logistic(x, a, names=names), a, x)
