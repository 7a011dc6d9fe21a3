"""The bilingual synthetic hospital: known treatment effects, known identifiers, known defects."""

from __future__ import annotations

from .config import HospitalConfig, SyntheticHospital, eligible_mrns, true_effect
from .generate import generate_hospital
from .write_emr import write_emr_csv

__all__ = ["HospitalConfig", "SyntheticHospital", "eligible_mrns", "generate_hospital", "true_effect", "write_emr_csv"]
