"""Is there anything left in the exact bytes that identifies somebody?

Numerator: findings of an independent pass over every text of the extract (checked numbers, unexplained digit runs, e-mail
addresses, names after labels), and text columns that de-identification never saw. Threshold: 0. What the hospital knows about
each patient was matched before, inside the identified zone; its counts are attested and shown. When it fails: quarantine the
notes named, correct the rules, build again.
"""

from __future__ import annotations

from collections import Counter

from ...deid import scan_residual
from ..evidence import CheckResult, EvidenceContext, Outcome

NAME = "residual_identifiers"
TITLE = {"zh": "残留标识符", "en": "Residual identifiers"}
REMEDY = {
    "zh": "隔离所列文书，修正规则后重新生成。",
    "en": "Quarantine the notes named, correct the rules, build again.",
}


def run(context: EvidenceContext) -> CheckResult:
    """Scan the exact bytes again, and require the attestation of the known-identifier audit.

    Parameters
    ----------
    context : EvidenceContext
        Exact tables, attestation and thresholds.

    Returns
    -------
    CheckResult
        Fails on a finding; unknown without an attestation.
    """
    attestation = context.attestation
    if not attestation.get("known_identifier_audit") or not attestation.get("output_digest"):
        return CheckResult(NAME, Outcome.UNKNOWN, {"attestation": "missing"})
    findings = scan_residual(context.tables, dates_stay=attestation.get("date_mode") == "keep")
    allowed = int(context.thresholds["residual_identifiers"]["max_findings"])
    notes = context.tables["note"].height if "note" in context.tables else 0
    figures = {
        "texts_scanned": sum(f.height for n, f in context.tables.items() if n != "patient"),
        "notes_scanned": notes,
        "findings": len(findings),
        "findings_by_type": dict(sorted(Counter(f.type for f in findings).items())),
        "threshold": allowed,
        "replaced_before": attestation.get("spans", {}),
        "notes_quarantined_before": attestation.get("notes_quarantined", {}),
    }
    rows = tuple({"where": f.where, "row": f.index, "type": f.type, "rule": f.rule} for f in findings[:100])
    return CheckResult(NAME, Outcome.PASS if len(findings) <= allowed else Outcome.FAIL, figures, rows)
