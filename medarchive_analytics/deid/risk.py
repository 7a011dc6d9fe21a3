"""Keep rare people out of an extract: the k-anonymity rule over age band, sex and province."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import polars as pl

from medarchive_analytics.core.errors import UserError


@dataclass(frozen=True)
class RiskReport:
    """Re-identification risk of the persons released.

    Parameters
    ----------
    k : int
        Required class size.
    n_persons : int
        Persons before the rule.
    n_released : int
        Persons after it.
    n_withheld : int
        Persons taken out.
    n_province_suppressed : int
        Released persons whose province was emptied.
    n_classes : int
        Classes of age band, sex and province after the rule.
    min_k : int
        Smallest class after the rule; 0 when nobody is left.
    prosecutor_risk : float
        Largest 1/f over released persons.
    marketer_risk : float
        Number of classes over number of persons: the average of 1/f.
    min_k_before, prosecutor_risk_before : int, float
        The same before the rule.
    """

    k: int
    n_persons: int
    n_released: int
    n_withheld: int
    n_province_suppressed: int
    n_classes: int
    min_k: int
    prosecutor_risk: float
    marketer_risk: float
    min_k_before: int
    prosecutor_risk_before: float

    def as_dict(self) -> dict:
        """Return plain numbers.

        Returns
        -------
        dict
            Field name to number.
        """
        return asdict(self)


_QI = ["age_band", "sex", "province"]


def _classes(people: pl.DataFrame) -> pl.DataFrame:
    return people.group_by(_QI).len()


def person_classes(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the quasi-identifiers of each released person.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        Released tables.

    Returns
    -------
    polars.DataFrame
        ``person_id``, ``age_band`` (released age at the first visit), ``sex``, ``province``.
    """
    first = (
        tables["encounter"]
        .sort("admit_time", nulls_last=True)
        .group_by("person_id", maintain_order=True)
        .agg(pl.col("age_years").drop_nulls().first().alias("age_band"))
    )
    return (
        tables["patient"]
        .select("person_id", "sex", "province")
        .join(first, on="person_id", how="left")
        .select("person_id", *_QI)
    )


def apply_risk_rule(tables: Mapping[str, pl.DataFrame], k: int = 5) -> tuple[dict[str, pl.DataFrame], RiskReport]:
    """Suppress the province of rare persons, then withhold those still rare.

    Parameters
    ----------
    tables : mapping of str to polars.DataFrame
        Released tables with ``patient`` and ``encounter``.
    k : int
        Smallest class allowed, at least 1.

    Returns
    -------
    tuple of (dict of str to polars.DataFrame, RiskReport)
        Every class of (age band, sex, province) that is left has at least ``k`` persons.

    Raises
    ------
    UserError
        If ``k`` is below 1 or a needed table is missing.

    Notes
    -----
    A null province is a class of its own: a person whose province was suppressed must be alike with k - 1 others
    whose province is not shown either, so when that class stays below k its members are withheld.
    Prosecutor risk of a person is 1/f; marketer risk is the number of classes divided by the number of persons.

    References
    ----------
    Sweeney 2002 (k-anonymity); GB/T 42460-2023, Annex D.
    """
    if k < 1:
        raise UserError("k must be at least 1")
    for name in ("patient", "encounter"):
        if name not in tables:
            raise UserError(f"the risk rule needs the table {name!r}; add it to the tables given")
    people = person_classes(tables)
    before = _classes(people)
    sized = people.join(before, on=_QI, how="left", nulls_equal=True)
    rare = pl.col("len") < k
    eased = sized.with_columns(
        pl.when(rare).then(None).otherwise(pl.col("province")).alias("province"),
        (rare & pl.col("province").is_not_null()).alias("suppressed"),
    ).drop("len")
    eased = eased.join(_classes(eased), on=_QI, how="left", nulls_equal=True)
    kept = eased.filter(pl.col("len") >= k)
    ids = kept["person_id"].implode()
    out = {n: f.filter(pl.col("person_id").is_in(ids)) if "person_id" in f.columns else f for n, f in tables.items()}
    hide = kept.filter("suppressed")["person_id"].implode()
    out["patient"] = out["patient"].with_columns(
        pl.when(pl.col("person_id").is_in(hide)).then(None).otherwise(pl.col("province")).alias("province")
    )
    after = _classes(kept)
    n, m = people.height, kept.height
    min_k = int(after["len"].min() or 0)
    min_before = int(before["len"].min() or 0)
    report = RiskReport(
        k=k, n_persons=n, n_released=m, n_withheld=n - m, n_province_suppressed=int(kept["suppressed"].sum()),
        n_classes=after.height, min_k=min_k, prosecutor_risk=1 / min_k if min_k else 0.0,
        marketer_risk=after.height / m if m else 0.0, min_k_before=min_before,
        prosecutor_risk_before=1 / min_before if min_before else 0.0,
    )  # fmt: skip
    return out, report
