"""Do the arms look alike, before and after weighting?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from .survival import Array


def _moments(x: Array, w: Array) -> tuple[Array, Array]:
    mean = (w[:, None] * x).sum(axis=0) / w.sum()
    n = w.sum() ** 2 / (w**2).sum()
    variance = (w[:, None] * (x - mean) ** 2).sum(axis=0) / w.sum() * (n / max(n - 1, 1e-12))
    return mean, variance


def balance(
    covariates: ArrayLike, treated: ArrayLike, weight: ArrayLike | None = None, names: Sequence[str] = ()
) -> pl.DataFrame:
    """Compare the arms covariate by covariate.

    Parameters
    ----------
    covariates : array_like, shape (n, p)
        Covariates; 0/1 columns are read as proportions.
    treated : array_like, shape (n,)
        1 treated, 0 comparator.
    weight : array_like, shape (n,), optional
        Weights of the adjusted columns; without them only the crude columns differ from null.
    names : sequence of str
        Names of the covariates.

    Returns
    -------
    polars.DataFrame
        Per covariate: means by arm, standardised mean difference (SMD) and variance ratio, before and after.

    Notes
    -----
    The SMD divides by the pooled standard deviation *before* weighting in both columns, so that weighting cannot look good by
    spreading the data; for a 0/1 covariate that is sqrt of the mean of p (1 - p). A covariate constant in both arms at the
    same value has SMD 0; the variance ratio of 0/1 covariates is left empty.
    """
    x = np.asarray(covariates, dtype=float)
    a = np.asarray(treated, dtype=float) == 1
    w = np.ones(a.size) if weight is None else np.asarray(weight, dtype=float)
    binary = np.array([np.isin(x[:, j], (0.0, 1.0)).all() for j in range(x.shape[1])], dtype=bool)
    one = np.ones(a.size)
    columns: dict[str, object] = {"name": list(names) or [f"x{j}" for j in range(x.shape[1])]}
    spread = np.ones(x.shape[1])
    for label, weights in (("before", one), ("after", w)):
        m1, v1 = _moments(x[a], weights[a])
        m0, v0 = _moments(x[~a], weights[~a])
        if label == "before":
            v1, v0 = (np.where(binary, m * (1 - m), v) for m, v in ((m1, v1), (m0, v0)))
            spread = np.sqrt((v1 + v0) / 2)
        difference = m1 - m0
        with np.errstate(divide="ignore", invalid="ignore"):
            smd = np.where(np.abs(difference) < 1e-12, 0.0, difference / spread)
            ratio = np.where(binary, np.nan, v1 / v0)
        columns |= {f"mean_treated_{label}": m1, f"mean_comparator_{label}": m0, f"smd_{label}": smd}
        columns[f"variance_ratio_{label}"] = ratio
    return pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None))
