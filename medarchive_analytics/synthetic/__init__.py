"""The bilingual synthetic hospital: known treatment effects, known identifiers, known defects."""

from __future__ import annotations

from .config import HospitalConfig, SyntheticHospital, eligible_mrns, true_effect
from .generate import generate_hospital
from .write_emr import write_emr_csv
from .write_fhir import write_fhir_ndjson
from .write_other import write_dicom, write_hl7v2, write_pages, write_truth

__all__ = [
    "HospitalConfig",
    "SyntheticHospital",
    "eligible_mrns",
    "generate_hospital",
    "true_effect",
    "write_dicom",
    "write_emr_csv",
    "write_fhir_ndjson",
    "write_hl7v2",
    "write_pages",
    "write_truth",
]
