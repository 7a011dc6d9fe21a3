"""What trial do we emulate? The card of a target trial, read from TOML, checked before any outcome is looked at.

The card fixes eligibility, arms, time zero, outcome, follow-up, estimand, covariates and thresholds. A run without a card yields
no estimate; an unknown key is refused.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import ProtocolError, unknown_choice
from .card import (
    Analysis,
    Arm,
    Covariate,
    CovariateKind,
    Eligibility,
    FollowUp,
    Outcome,
    Thresholds,
    TimeZero,
    build_part,
)

if TYPE_CHECKING:
    from ...store.curated import CuratedStore
    from .result import StudyResult

CARD_VERSION = 1
"""Version of the card format this reader knows."""


@dataclass(frozen=True)
class TargetTrial:
    """The card of one target trial.

    Parameters
    ----------
    name : str
        Short name.
    title_zh, title_en, question_zh, question_en : str
        Words shown.
    eligibility, time_zero, arms, outcome, follow_up, analysis, covariates, thresholds
        The parts of the protocol.
    """

    name: str
    title_zh: str
    title_en: str
    question_zh: str
    question_en: str
    eligibility: Eligibility
    time_zero: TimeZero
    arms: tuple[Arm, ...]
    outcome: Outcome
    follow_up: FollowUp
    covariates: tuple[Covariate, ...]
    analysis: Analysis = field(default_factory=Analysis)
    thresholds: Thresholds = field(default_factory=Thresholds)

    @classmethod
    def from_toml(cls, path: str | Path) -> TargetTrial:
        """Read a card.

        Parameters
        ----------
        path : str or pathlib.Path
            A TOML file.

        Returns
        -------
        TargetTrial
            The checked card (``lint`` has nothing to refuse).

        Raises
        ------
        ProtocolError
            If the file is missing or no TOML, a key is unknown or missing, a value is of the wrong kind, or the protocol
            contradicts itself.
        """
        try:
            raw = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise ProtocolError(
                f"the trial card {Path(path).name} cannot be read; give the path of a TOML file"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"the trial card {Path(path).name} is not valid TOML: {error}") from error
        return cls.from_dict(raw)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> TargetTrial:
        """Read a card from plain values.

        Parameters
        ----------
        raw : dict
            The parsed TOML.

        Returns
        -------
        TargetTrial
            The checked card.

        Raises
        ------
        ProtocolError
            As ``from_toml``.
        """
        body = dict(raw)
        version = body.pop("version", None)
        if version != CARD_VERSION:
            raise ProtocolError(f"the card states version {version!r}; this reader knows version {CARD_VERSION}")
        trial: TargetTrial = build_part(cls, body, "card")
        problems = trial.lint()
        if problems:
            raise ProtocolError("the protocol cannot be emulated: " + "; ".join(problems))
        return trial

    @property
    def protocol_hash(self) -> str:
        """SHA-256 of the card's content; comments and order of keys do not matter."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain, JSON-safe values."""
        return dict(dataclasses.asdict(self))

    def arm(self, role: str) -> Arm:
        """Return the arm of a role.

        Parameters
        ----------
        role : str
            ``treatment`` or ``comparator``.

        Returns
        -------
        Arm
            The arm.
        """
        return next(arm for arm in self.arms if arm.role == role)

    def lint(self) -> list[str]:
        """Say what is wrong with the protocol before any data are looked at.

        Returns
        -------
        list of str
            Reasons to refuse; empty when eligibility, assignment and start of follow-up coincide and nothing contradicts.
        """
        return [*_lint_time_zero(self), *_lint_arms(self), *_lint_rest(self), *_lint_covariates(self)]

    def emulate(self, store: CuratedStore) -> StudyResult:
        """Emulate the trial on the curated store, from attrition to verdict.

        Parameters
        ----------
        store : CuratedStore
            Opened with ``open_store``.

        Returns
        -------
        StudyResult
            Estimates with their diagnostics and verdict.

        Raises
        ------
        ProtocolError
            If ``lint`` has a reason to refuse.
        NotEstimableError
            If an arm is empty or nobody's outcome is known.
        """
        from .emulate import emulate

        return emulate(self, store)


def _lint_time_zero(trial: TargetTrial) -> list[str]:
    zero = trial.time_zero
    problems = []
    if zero.anchor != "treatment_order":
        problems.append(
            f"time zero is {zero.anchor!r}, but persons are assigned when the drug is ordered: the time between is immortal; "
            "use anchor = 'treatment_order'"
        )
    if zero.grace_days < 0:
        problems.append("grace_days is negative")
    if zero.grace_days > 1:
        problems.append(
            "a grace window of more than 1 day lets only survivors be assigned (immortal time); use 0 or 1, as cloning and "
            "weighting within a window is not implemented"
        )
    if zero.grace_handling:
        problems.append("grace_handling is not implemented; leave it out")
    return problems


def _lint_arms(trial: TargetTrial) -> list[str]:
    problems = []
    if sorted(arm.role for arm in trial.arms) != ["comparator", "treatment"]:
        problems.append("two arms are needed, one with role 'treatment' and one with role 'comparator'")
    drugs = [drug for arm in trial.arms for drug in arm.drugs]
    if len(set(drugs)) != len(drugs):
        problems.append("a drug stands in both arms")
    if any(not arm.drugs for arm in trial.arms):
        problems.append("an arm names no drug")
    return problems


def _lint_rest(trial: TargetTrial) -> list[str]:
    problems = []
    who = trial.eligibility
    if who.age_min_years > who.age_max_years:
        problems.append("age_min_years is above age_max_years")
    if not set(who.sex) <= {"male", "female", "other", "unknown"} or not who.sex:
        problems.append("sex accepts male, female, other, unknown")
    if who.visit_type not in ("inpatient", "outpatient", "emergency"):
        problems.append(unknown_choice("visit_type", who.visit_type, ("inpatient", "outpatient", "emergency")))
    if who.washout_days < 0:
        problems.append("washout_days is negative")
    if trial.outcome.kind not in ("death", "condition"):
        problems.append(unknown_choice("outcome kind", trial.outcome.kind, ("death", "condition")))
    if (trial.outcome.kind == "condition") != (trial.outcome.code is not None):
        problems.append("an outcome of kind 'condition' needs a code, and 'death' has none")
    if trial.follow_up.horizon_days < 1:
        problems.append("horizon_days must be at least 1")
    if trial.follow_up.censoring != "last_contact":
        problems.append(unknown_choice("censoring", trial.follow_up.censoring, ("last_contact",)))
    if trial.analysis.estimand != "ATE":
        problems.append(unknown_choice("estimand", trial.analysis.estimand, ("ATE",)))
    if not 0 < trial.analysis.ipcw_bound < 1:
        problems.append("ipcw_bound lies between 0 and 1")
    return problems


def _lint_covariates(trial: TargetTrial) -> list[str]:
    problems = []
    names = [c.name for c in trial.covariates]
    if len(set(names)) != len(names):
        problems.append("two covariates have one name")
    if not names:
        problems.append("no covariate is declared: without common causes of treatment and outcome nothing is adjusted")
    arm_codes = {(d.code_system, d.code) for arm in trial.arms for d in arm.drugs}
    for c in trial.covariates:
        needs_code = c.kind in (CovariateKind.DIAGNOSIS, CovariateKind.MEASUREMENT, CovariateKind.NOTE_FACT)
        if needs_code and (not c.code_system or bool(c.code) == bool(c.prefix)):
            problems.append(f"covariate {c.name} needs code_system and either code or prefix")
        if c.kind is CovariateKind.MEASUREMENT and c.window_days < 0:
            problems.append(f"covariate {c.name} looks after time zero (window_days is negative)")
        if not 0 <= c.after_hours <= 24:
            problems.append(
                f"covariate {c.name} looks more than 24 hours after time zero: it may be an effect of treatment"
            )
        if (c.code_system, c.code) in arm_codes:
            problems.append(f"covariate {c.name} is the treatment itself")
    return problems
