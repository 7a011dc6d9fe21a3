"""Are there exactly the columns that were asked for, and are those needed?

Numerator: columns in the bytes that nobody asked for, or that are never released. Threshold: 0. Columns asked for and not used by
the attached protocol are listed for the steward to judge; they do not fail by themselves. When it fails: build the extract again
from the request.
"""

from __future__ import annotations

from ...core.filing import filing_standard
from ..evidence import CheckResult, EvidenceContext, Outcome

NAME = "columns"
TITLE = {"zh": "数据最小化：申请的列与实际的列", "en": "Data minimisation: columns asked for and present"}
REMEDY = {
    "zh": "按申请重新生成提取数据；删去方案未使用的列。",
    "en": "Build again from the request; leave out columns the protocol does not use.",
}


def run(context: EvidenceContext) -> CheckResult:
    """Compare columns asked for, present and used.

    Parameters
    ----------
    context : EvidenceContext
        Request and exact tables.

    Returns
    -------
    CheckResult
        Fails when a column is there that was not asked for or may never be released.
    """
    released = filing_standard().released_tables
    present = {t: set(f.columns) for t, f in context.tables.items()}
    unasked = sorted(f"{t}.{c}" for t, cs in present.items() for c in cs if c not in context.request.columns.get(t, ()))
    forbidden = sorted(
        f"{t}.{c}" for t, cs in present.items() for c in cs if t not in released or c not in released[t].released_schema
    )
    used = {f"{t}.{c}" for t, cs in context.request.used.items() for c in cs}
    asked = {f"{t}.{c}" for t, cs in context.request.columns.items() for c in cs}
    figures = {
        "asked": len(asked),
        "present": sum(len(c) for c in present.values()),
        "used_by_protocol": len(asked & used),
        "not_asked": unasked,
        "never_released": forbidden,
        "asked_but_not_used": sorted(asked - used) if used else [],
    }
    return CheckResult(NAME, Outcome.FAIL if unasked or forbidden else Outcome.PASS, figures)
