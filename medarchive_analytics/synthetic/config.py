"""What to generate, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from ..core.errors import UserError, unknown_choice

TRIALS = ("ticagrelor_acs",)


@dataclass(frozen=True)
class HospitalConfig:
    """How large a synthetic hospital to make, and from which seed.

    Parameters
    ----------
    n_patients : int
        Number of persons, at least 1.
    seed : int
        Everything follows from it: same configuration, same hospital.
    fhir_share : float
        Share (0-1) of persons cared for on the English-language international campus.
    defect_rate : float
        Bad raw rows of each kind per EMR patient (0-1); 0 plants none, any larger value plants at least one of each kind.
    with_notes : bool
        Write note texts; without them only the structured tables are made (for simulations).
    style_families : tuple of int
        Writing styles (0-4) the doctors may have. Leave some out to write rules on, keep the others to test on.
    mixed_share : float
        Share (0-1) of Chinese patients whose notes carry English terms.

    Raises
    ------
    UserError
        If a value is out of range.
    """

    n_patients: int = 2000
    seed: int = 20260101
    fhir_share: float = 0.15
    defect_rate: float = 0.01
    with_notes: bool = True
    style_families: tuple[int, ...] = (0, 1, 2, 3, 4)
    mixed_share: float = 0.06

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.n_patients < 1:
            raise UserError("n_patients must be at least 1; give a positive number of persons.")
        for name in ("fhir_share", "defect_rate", "mixed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} must lie between 0 and 1; give a share, e.g. 0.15.")
        if not self.style_families or not set(self.style_families) <= set(range(5)):
            raise UserError("style_families accepts a non-empty selection of 0, 1, 2, 3, 4; name at least one.")


@dataclass(frozen=True)
class SyntheticHospital:
    """A generated hospital with everything that is true about it.

    Parameters
    ----------
    config : HospitalConfig
        What it was made from.
    tables : dict of str to polars.DataFrame
        Clean filing-standard frames.
    truth : dict of str to polars.DataFrame
        ``potential_outcomes``, ``smoking``, ``identifiers``, ``spans``, ``facts``, ``sections``, ``note_styles``.
    defects : polars.DataFrame
        Ledger of the bad raw rows ``write_emr_csv`` adds: table, key, mrn, kind, should_quarantine, description.
    emr_mrns, fhir_mrns : tuple of str
        Persons of the Chinese campus (EMR export) and of the international campus (FHIR).
    bad_rows : dict of str to list
        The raw defect rows by table, aligned with the ledger; not part of the clean tables.
    """

    config: HospitalConfig
    tables: dict[str, pl.DataFrame]
    truth: dict[str, pl.DataFrame]
    defects: pl.DataFrame
    emr_mrns: tuple[str, ...]
    fhir_mrns: tuple[str, ...]
    bad_rows: dict[str, list[dict[str, str]]] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        """Say the size only; never a row."""
        rows = sum(t.height for t in self.tables.values())
        return f"SyntheticHospital({self.config.n_patients} persons, {rows} rows, seed {self.config.seed})"


def trial_rows(hospital: SyntheticHospital, trial: str) -> pl.DataFrame:
    """Return the potential outcomes of a planted trial's eligible persons.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    trial : str
        Name of a planted trial, e.g. ``"ticagrelor_acs"``.

    Returns
    -------
    polars.DataFrame
        One row per eligible person.

    Raises
    ------
    UserError
        If no such trial is planted.
    """
    if trial not in TRIALS:
        raise UserError(unknown_choice("planted trial", trial, TRIALS))
    return hospital.truth["potential_outcomes"].filter(pl.col("trial") == trial)


def true_effect(hospital: SyntheticHospital, trial: str = "ticagrelor_acs") -> float:
    """Return the true average risk difference of a planted trial.

    It is the mean over the eligible persons of (risk if treated - risk if control) within the horizon: what a perfect
    emulation of the trial in this hospital should find.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    trial : str
        Name of a planted trial.

    Returns
    -------
    float
        Risk difference (-1 to 1); negative means that treatment protects. NaN when nobody is eligible.

    Raises
    ------
    UserError
        If no such trial is planted.
    """
    rows = trial_rows(hospital, trial)
    effect = (rows["p_treated"] - rows["p_control"]).mean()
    return float("nan") if effect is None else float(effect)


def eligible_mrns(hospital: SyntheticHospital, trial: str = "ticagrelor_acs") -> tuple[str, ...]:
    """Return the record numbers of a planted trial's eligible persons.

    Parameters
    ----------
    hospital : SyntheticHospital
        A generated hospital.
    trial : str
        Name of a planted trial.

    Returns
    -------
    tuple of str
        Record numbers, in order of the potential-outcomes frame.

    Raises
    ------
    UserError
        If no such trial is planted.
    """
    return tuple(trial_rows(hospital, trial)["mrn"])
