"""How many persons share the combination of released age band, sex and region?

Numerator: persons in classes smaller than ``min_k``. Denominator: persons. Threshold: 0. Prosecutor risk is 1/k of the smallest
class, marketer risk is classes per person. When it fails: generalise or suppress, then build again.

References
----------
Sweeney 2002 (k-anonymity); GB/T 37964-2019; GB/T 42460-2023 Annex D.
"""

from __future__ import annotations

import polars as pl

from ..evidence import CheckResult, EvidenceContext, Outcome

NAME = "k_anonymity"
TITLE = {"zh": "重标识风险：k-匿名", "en": "Re-identification risk: k-anonymity"}
REMEDY = {
    "zh": "抑制地区或加宽年龄段后重新生成。",
    "en": "Suppress the region or widen the age bands, then build again.",
}


def run(context: EvidenceContext) -> CheckResult:
    """Count the classes of the quasi-identifiers in the exact bytes.

    Parameters
    ----------
    context : EvidenceContext
        Exact tables and thresholds.

    Returns
    -------
    CheckResult
        Fails when a class is smaller than ``min_k``.
    """
    patient = context.tables["patient"]
    encounter = context.tables.get("encounter")
    if encounter is not None and {"age_years", "admit_time"} <= set(encounter.columns):
        first = (
            encounter.sort("admit_time", "visit_id").group_by("person_id").agg(pl.col("age_years").drop_nulls().first())
        )
        patient = patient.join(first, on="person_id", how="left")
    quasi = [c for c in ("age_years", "sex", "province") if c in patient.columns]
    classes = patient.group_by(quasi).len() if quasi else pl.DataFrame({"len": [patient.height]})
    threshold = int(context.thresholds["k_anonymity"]["min_k"])
    smallest = int(classes["len"].min() or 0)  # type: ignore[arg-type]
    below = int(classes.filter(pl.col("len") < threshold)["len"].sum())
    persons = patient.height
    figures = {
        "quasi_identifiers": quasi,
        "persons": persons,
        "classes": classes.height,
        "smallest_class": smallest,
        "threshold": threshold,
        "persons_below_threshold": below,
        "prosecutor_risk_max": round(1 / smallest, 6) if smallest else None,
        "marketer_risk": round(classes.height / persons, 6) if persons else None,
        "region_suppressed": int(patient["province"].is_null().sum()) if "province" in patient.columns else None,
        "withheld_persons": context.attestation.get("risk", {}).get("withheld_persons"),
    }
    outcome = Outcome.PASS if persons and smallest >= threshold else Outcome.FAIL
    return CheckResult(NAME, outcome, figures)
