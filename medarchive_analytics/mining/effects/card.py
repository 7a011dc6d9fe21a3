"""The parts of a target-trial card, and how they are read from plain values with unknown keys refused."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ...core.errors import ProtocolError, unknown_choice


class CovariateKind(StrEnum):
    """Where a covariate comes from."""

    AGE_BAND = "age_band"
    SEX = "sex"
    ADMISSION_CONDITION = "admission_condition"
    DIAGNOSIS = "diagnosis"
    MEASUREMENT = "measurement"
    NOTE_FACT = "note_fact"


@dataclass(frozen=True)
class Code:
    """A code, or all codes that start with a prefix.

    Parameters
    ----------
    code_system : str
        Vocabulary, e.g. ``ICD10``.
    code : str
        One exact code, or empty.
    prefix : str
        Start of a family of codes, or empty.
    """

    code_system: str
    code: str = ""
    prefix: str = ""

    def __post_init__(self) -> None:
        if bool(self.code) == bool(self.prefix):
            raise ProtocolError("a code needs either 'code' or 'prefix', and not both")


@dataclass(frozen=True)
class Eligibility:
    """Who could enter the trial.

    Parameters
    ----------
    main_diagnosis : Code
        Main diagnosis of the index visit.
    age_min_years, age_max_years : int
        Released age at the visit, both ends included.
    sex : tuple of str
        Accepted values of sex.
    visit_type : str
        ``inpatient``, ``outpatient`` or ``emergency``.
    first_visit_only : bool
        Whether the index visit must be the person's first of its type in the store.
    washout_days : int
        Days before the visit in which no arm drug may have been ordered.
    """

    main_diagnosis: Code
    age_min_years: int = 18
    age_max_years: int = 120
    sex: tuple[str, ...] = ("male", "female")
    visit_type: str = "inpatient"
    first_visit_only: bool = True
    washout_days: int = 365


@dataclass(frozen=True)
class TimeZero:
    """When eligibility is met, the arm assigned and follow-up started: one moment.

    Parameters
    ----------
    anchor : str
        ``treatment_order`` is the one anchor at which the three coincide.
    grace_days : int
        Calendar days after admission within which the order may fall.
    grace_handling : str
        How a grace window beyond one day is handled; nothing is implemented yet, so such a window is refused.
    """

    anchor: str = "treatment_order"
    grace_days: int = 0
    grace_handling: str = ""


@dataclass(frozen=True)
class Arm:
    """One treatment strategy.

    Parameters
    ----------
    role : str
        ``treatment`` or ``comparator``.
    label_zh, label_en : str
        Names shown.
    drugs : tuple of Code
        Orders that assign a person to the arm.
    """

    role: str
    label_zh: str
    label_en: str
    drugs: tuple[Code, ...]


@dataclass(frozen=True)
class Outcome:
    """What counts as the event.

    Parameters
    ----------
    kind : str
        ``death`` (any cause) or ``condition``.
    label_zh, label_en : str
        Names shown.
    code : Code or None
        Diagnosis, for kind ``condition``.
    """

    kind: str
    label_zh: str
    label_en: str
    code: Code | None = None


@dataclass(frozen=True)
class FollowUp:
    """How long, and until when a person counts as followed.

    Parameters
    ----------
    horizon_days : int
        Day by which the outcome counts.
    censoring : str
        ``last_contact``: end of the observation period.
    """

    horizon_days: int = 365
    censoring: str = "last_contact"


@dataclass(frozen=True)
class Analysis:
    """How the effect is estimated.

    Parameters
    ----------
    estimand : str
        ``ATE``.
    seed : int
        Recorded; the present estimators draw nothing.
    ipcw_bound : float
        Lower bound of the probability of still being followed.
    stabilised : bool
        Whether weights are stabilised.
    """

    estimand: str = "ATE"
    seed: int = 1
    ipcw_bound: float = 0.05
    stabilised: bool = True


@dataclass(frozen=True)
class Covariate:
    """One common cause to adjust for, known at time zero.

    Parameters
    ----------
    name : str
        Column name.
    kind : CovariateKind
        Where it comes from.
    label_zh, label_en : str
        Names shown.
    code_system, code, prefix : str
        The code, for diagnosis, measurement and note_fact.
    unit : str
        Only values in this unit count, for measurement.
    window_days : int
        Days before time zero within which a measurement counts.
    after_hours : int
        For note_fact alone: hours after time zero within which a note counts, since a history written in the evening
        speaks of the time before. At most 24.
    """

    name: str
    kind: CovariateKind
    label_zh: str
    label_en: str
    code_system: str = ""
    code: str = ""
    prefix: str = ""
    unit: str = ""
    window_days: int = 1
    after_hours: int = 24


@dataclass(frozen=True)
class Thresholds:
    """When is an estimate fit for decision? Defaults follow OHDSI CohortMethod where it has one.

    Parameters
    ----------
    max_smd : float
        Largest absolute standardised mean difference after weighting.
    min_equipoise : float
        Share of persons with a preference score in 0.3-0.7.
    max_mdrr : float
        Minimum detectable relative risk.
    min_ess_share : float
        Effective sample size over persons, in the worse arm.
    max_share_extreme : float
        Share of propensity scores outside [0.01, 0.99].
    min_events_per_arm : int
        Events within the horizon in each arm.
    max_share_lost : float
        Share lost before the horizon.
    max_share_missing : float
        Share of persons in whom a declared covariate is not recorded.
    min_cell : int
        Counts below are not shown.
    """

    max_smd: float = 0.1
    min_equipoise: float = 0.2
    max_mdrr: float = 10.0
    min_ess_share: float = 0.3
    max_share_extreme: float = 0.05
    min_events_per_arm: int = 10
    max_share_lost: float = 0.4
    max_share_missing: float = 0.5
    min_cell: int = 11


_NESTED: dict[str, type] = {
    "Eligibility": Eligibility, "TimeZero": TimeZero, "Outcome": Outcome, "FollowUp": FollowUp, "Analysis": Analysis,
    "Thresholds": Thresholds, "Code": Code, "Code | None": Code,
}  # fmt: skip
_LISTS: dict[str, type] = {"tuple[Arm, ...]": Arm, "tuple[Code, ...]": Code, "tuple[Covariate, ...]": Covariate}
_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}


def build_part(kind: type, raw: Any, where: str) -> Any:
    """Make one frozen part of the card, refusing what it does not know.

    Parameters
    ----------
    kind : type
        The dataclass to make.
    raw : Any
        Plain values from TOML.
    where : str
        Place in the card, for messages.

    Returns
    -------
    Any
        An instance of ``kind``.

    Raises
    ------
    ProtocolError
        If a key is unknown or missing, or a value is of the wrong kind.
    """
    if not isinstance(raw, dict):
        raise ProtocolError(f"{where} must be a table of keys")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in raw:
        if key not in fields:
            raise ProtocolError(unknown_choice(f"key in {where}", key, fields))
    values: dict[str, Any] = {}
    for name, f in fields.items():
        if name in raw:
            values[name] = _value(str(f.type), raw[name], f"{where}.{name}")
        elif f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            raise ProtocolError(f"{where} lacks the key {name!r}")
    return kind(**values)


def _value(kind: str, raw: Any, where: str) -> Any:
    if kind in _NESTED:
        return build_part(_NESTED[kind], raw, where)
    if kind in _LISTS or kind == "tuple[str, ...]":
        if not isinstance(raw, list):
            raise ProtocolError(f"{where} must be a list")
        if kind in _LISTS:
            return tuple(build_part(_LISTS[kind], item, f"{where}[{i}]") for i, item in enumerate(raw))
        return tuple(_value("str", item, f"{where}[{i}]") for i, item in enumerate(raw))
    if kind == "CovariateKind":
        try:
            return CovariateKind(raw)
        except ValueError:
            raise ProtocolError(unknown_choice(where, str(raw), [k.value for k in CovariateKind])) from None
    accepted = _PLAIN[kind]
    if not isinstance(raw, accepted) or (isinstance(raw, bool) and kind != "bool"):
        raise ProtocolError(f"{where} must be of kind {kind}")
    return float(str(raw)) if kind == "float" else raw
