"""How much does each person count, so that the arms look alike?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .survival import Array


def ate_weights(score: ArrayLike, treated: ArrayLike, *, is_stabilised: bool = True) -> Array:
    """Weights that make both arms look like everybody (average treatment effect).

    Parameters
    ----------
    score : array_like, shape (n,)
        Propensity score, strictly between 0 and 1.
    treated : array_like, shape (n,)
        1 treated, 0 comparator.
    is_stabilised : bool
        Whether to multiply by the share of the person's own arm (mean weight near 1).

    Returns
    -------
    numpy.ndarray, shape (n,)
        Weights.
    """
    p, a = np.asarray(score, dtype=float), np.asarray(treated, dtype=float)
    own = np.where(a == 1, p, 1 - p)
    share = np.where(a == 1, a.mean(), 1 - a.mean()) if is_stabilised else 1.0
    return share / own


def att_weights(score: ArrayLike, treated: ArrayLike) -> Array:
    """Weights that make the comparators look like the treated.

    Parameters
    ----------
    score, treated : array_like, shape (n,)
        Propensity score and arm.

    Returns
    -------
    numpy.ndarray, shape (n,)
        1 for the treated, odds of treatment for comparators.
    """
    p, a = np.asarray(score, dtype=float), np.asarray(treated, dtype=float)
    return np.where(a == 1, 1.0, p / (1 - p))


def overlap_weights(score: ArrayLike, treated: ArrayLike) -> Array:
    """Weights that make both arms look like those in equipoise; means of the model's covariates agree exactly.

    Parameters
    ----------
    score, treated : array_like, shape (n,)
        Propensity score and arm.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Probability of the other arm.
    """
    p, a = np.asarray(score, dtype=float), np.asarray(treated, dtype=float)
    return np.where(a == 1, 1 - p, p)


def keep_by_score(score: ArrayLike, lower: float, upper: float) -> np.ndarray:
    """Who stays when persons with an extreme propensity score are trimmed?

    Parameters
    ----------
    score : array_like, shape (n,)
        Propensity score.
    lower, upper : float
        Scores outside are trimmed. Trimming changes the population the effect is about: say so.

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        True for those who stay.
    """
    p = np.asarray(score, dtype=float)
    return (p >= lower) & (p <= upper)


def effective_size(weight: ArrayLike) -> float:
    """How many unweighted persons carry as much information: (sum w)^2 / sum w^2.

    Parameters
    ----------
    weight : array_like, shape (n,)
        Weights.

    Returns
    -------
    float
        Between 1 and n.
    """
    w = np.asarray(weight, dtype=float)
    return float(w.sum() ** 2 / (w**2).sum())
