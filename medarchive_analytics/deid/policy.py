"""What de-identification does to dates, ages and places: one frozen policy, read from a file the steward owns."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from medarchive_analytics.core.errors import UserError, unknown_choice

POLICY_DIR = Path(__file__).with_name("policies")
_CHOICES = {
    "date_mode": ("shift", "year", "keep"),
    "region_rule": ("province", "none"),
    "address_keeps": ("none", "province"),
}
_RANGES = {"max_shift_weeks": (1, 52), "age_band_years": (1, 30), "age_top": (1, 90), "min_class_size": (1, 1000)}


@dataclass(frozen=True)
class DeidPolicy:
    """One named set of de-identification choices.

    Parameters
    ----------
    name : str
        Name of the policy, printed in every manifest.
    date_mode : {"shift", "year", "keep"}
        Shift every date of a person by the same secret number of weeks; keep the year only; or keep dates
        (a limited data set).
    max_shift_weeks : int
        Largest shift in weeks, 1 to 52; the shift is never zero.
    age_band_years : int
        Width of the released age bands in years.
    age_top : int
        Ages from here on are pooled; at most 90 (HIPAA pools ages over 89).
    region_rule : {"province", "none"}
        Whether the province column is released before the risk rule.
    address_keeps : {"none", "province"}
        What stays of an address found in text.
    min_class_size : int
        k of the risk rule: smallest class of persons alike in age band, sex and province.

    Raises
    ------
    UserError
        If a value is outside what is accepted.
    """

    name: str = "shifted"
    date_mode: str = "shift"
    max_shift_weeks: int = 52
    age_band_years: int = 5
    age_top: int = 90
    region_rule: str = "province"
    address_keeps: str = "none"
    min_class_size: int = 5

    def __post_init__(self) -> None:
        for field, accepted in _CHOICES.items():
            if getattr(self, field) not in accepted:
                raise UserError(unknown_choice(field, str(getattr(self, field)), accepted))
        for field, (low, high) in _RANGES.items():
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise UserError(f"policy value {field} must be a whole number from {low} to {high}; correct the file")

    @property
    def digest(self) -> str:
        """SHA-256 over the policy's values, for manifests."""
        return hashlib.sha256(repr(sorted(asdict(self).items())).encode()).hexdigest()


def load_policy(name_or_path: str | Path = "shifted") -> DeidPolicy:
    """Read a de-identification policy by name or from a TOML file.

    Parameters
    ----------
    name_or_path : str or pathlib.Path
        A shipped name (``shifted``, ``safe_harbor``, ``limited``) or the path of a TOML file.

    Returns
    -------
    DeidPolicy
        The policy.

    Raises
    ------
    UserError
        If there is no such policy, the file is not TOML, or it has a key that is not known.

    Examples
    --------
    >>> load_policy("safe_harbor").date_mode
    'year'
    """
    shipped = {path.stem: path for path in POLICY_DIR.glob("*.toml")}
    path = shipped.get(str(name_or_path), Path(name_or_path))
    if not path.is_file():
        raise UserError(unknown_choice("de-identification policy", str(name_or_path), shipped))
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UserError("the policy file is not valid TOML in UTF-8; correct it and try again") from exc
    known = {field.name for field in fields(DeidPolicy)}
    for key in raw:
        if key not in known:
            raise UserError(unknown_choice("policy key", key, known))
    return DeidPolicy(**raw)
