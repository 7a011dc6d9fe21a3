"""The demonstration: a synthetic hospital through every arrow, to a finding with a verdict, on embedded defaults.

Everything a second run finds done, it leaves: a run that was killed at any moment is finished by running it again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from medarchive_analytics.archive.care import grant_care
from medarchive_analytics.core.files import canonical_json, replace_folder, write_atomic
from medarchive_analytics.core.home import Home
from medarchive_analytics.core.paths import trials_dir
from medarchive_analytics.deid import DeidPolicy, load_policy
from medarchive_analytics.gate.desk import Desk
from medarchive_analytics.gate.requests import ExtractRequest, all_released_columns
from medarchive_analytics.gate.states import State
from medarchive_analytics.security.accounts import Account, AccountBook
from medarchive_analytics.security.permissions import Role
from medarchive_analytics.store import content_hash
from medarchive_analytics.synthetic import (
    HospitalConfig,
    generate_hospital,
    true_effect,
    write_emr_csv,
    write_fhir_ndjson,
    write_truth,
)

from . import approve, curate, deidentify, intake, mine, release
from .approve import StewardSession
from .context import IdentifiedZone, initialise, open_desk, open_identified, refresh_trust
from .intake import Delivery
from .run import STAGES, StageLog, run_graph

DEMO_PASSWORD = "demo-only-password"  # noqa: S105 - printed on purpose: a demonstration home holds nobody's data
DEMO_ACCOUNTS: tuple[tuple[str, Role], ...] = (
    ("admin", Role.ADMIN),
    ("archivist.zhao", Role.ARCHIVIST),
    ("researcher.chen", Role.RESEARCHER),
    ("steward.li", Role.STEWARD),
    ("steward.wang", Role.STEWARD),
    ("doctor.sun", Role.DOCTOR),
    ("auditor.qian", Role.AUDITOR),
)
_NOT_ASKED = {"encounter": {"payer", "total_cost"}, "patient": {"marital_status"}}
PROTOCOL = "ticagrelor_acs.toml"


@dataclass(frozen=True)
class DemoOutcome:
    """What a demonstration ended with."""

    home: Home
    summary: dict[str, Any]
    result: Any
    stages: StageLog = field(default_factory=StageLog)


def run_demo(
    home: Home,
    config: HospitalConfig,
    workers: int,
    on_start: Callable[[str], None] = lambda name: None,
    on_end: Callable[[str, float, Any], None] = lambda name, seconds, result: None,
) -> DemoOutcome:
    """Run the demonstration, or finish one that was interrupted.

    Parameters
    ----------
    home : Home
        Home folder, empty or of an earlier run with the same configuration.
    config : HospitalConfig
        Size and seed of the synthetic hospital.
    workers : int
        Processes.
    on_start, on_end : callable
        Told of each stage.

    Returns
    -------
    DemoOutcome
        Counts per stage and the study result.
    """
    log = StageLog()

    def ended(name: str, seconds: float, result: Any) -> None:
        if name in (*STAGES, "set_up", "synthetic_hospital"):
            log.add(name, seconds)
            on_end(name, seconds, result)

    def timed(name: str, step: Callable[[], Any]) -> Any:
        on_start(name)
        begin = time.perf_counter()
        value = step()
        ended(name, time.perf_counter() - begin, value)
        return value

    accounts = timed("set_up", lambda: set_up(home))
    exports = home.identified / "deliveries"
    truth = timed("synthetic_hospital", lambda: write_exports(config, exports))
    deliveries = tuple(Delivery(kind, exports / kind) for kind in ("csv", "fhir") if (exports / kind).is_dir())
    return carry_through(home, deliveries, accounts, workers, truth, on_start, ended, log)


def carry_through(
    home: Home,
    deliveries: tuple[Delivery, ...],
    accounts: dict[str, Account],
    workers: int,
    truth: dict[str, Any] | None = None,
    on_start: Callable[[str], None] = lambda name: None,
    on_end: Callable[[str, float, Any], None] = lambda name, seconds, result: None,
    log: StageLog | None = None,
    protocol: Path | None = None,
) -> DemoOutcome:
    """Carry deliveries through all five arrows.

    Parameters
    ----------
    home : Home
        An initialised home with the demonstration accounts.
    deliveries : tuple of Delivery
        What to file; exports of the synthetic hospital, or any others.
    accounts : dict of str to Account
        Demonstration accounts.
    workers : int
        Processes.
    truth : dict, optional
        Planted effect, when it is known.
    on_start, on_end : callable
        Told of each stage.
    log : StageLog, optional
        Where seconds are kept.
    protocol : pathlib.Path, optional
        Trial protocol; without one that fits, the run ends at the loaded store.

    Returns
    -------
    DemoOutcome
        Counts per stage and the study result, if a protocol was given or a truth is known.
    """
    zone, desk, policy = open_identified(home), open_desk(home), load_policy("shifted")
    try:
        request_id = submit_request(desk, accounts["researcher.chen"], policy)
        inputs: dict[str, Any] = {
            "zone": zone,
            "deliveries": deliveries,
            "archivist": accounts["archivist.zhao"],
            "policy": policy,
            "purpose": f"extract {request_id}",
            "workers": workers,
            "desk": desk,
            "request_id": request_id,
            "stewards": tuple(StewardSession(accounts[n], DEMO_PASSWORD) for n in ("steward.li", "steward.wang")),
            "publisher": accounts["steward.li"],
            "trust_path": home.trust,
            "store_folder": home.store,
            "protocol": protocol or trials_dir() / PROTOCOL,
        }
        modules = [intake, deidentify, release, approve, curate, mine]
        wanted = [
            "intake_reports",
            "deidentified_run",
            "approved_extract",
            "verified_release",
            "facts",
            "loaded_release",
        ]
        if truth is not None or protocol is not None:
            wanted.append("study_result")
        found = run_graph(modules, wanted, inputs, on_start, on_end)
        if truth is not None:
            _put_patients_in_care(zone, accounts)
    finally:
        zone.vault.close()
    summary = summarise(found, desk, home, truth)
    write_atomic(home.reports / "summary.json", json.dumps(summary, ensure_ascii=False, indent=2).encode())
    return DemoOutcome(home, summary, found.get("study_result"), log or StageLog())


def set_up(home: Home) -> dict[str, Account]:
    """Make the home and the demonstration accounts; harmless when they are there.

    Parameters
    ----------
    home : Home
        Home folder.

    Returns
    -------
    dict of str to Account
        Accounts by name.
    """
    initialise(home)
    book = AccountBook(home.accounts)
    admin = book.get("admin") or book.add("admin", Role.ADMIN, DEMO_PASSWORD)
    accounts = {"admin": admin}
    for name, role in DEMO_ACCOUNTS[1:]:
        accounts[name] = book.get(name) or book.add(name, role, DEMO_PASSWORD, admin)
    refresh_trust(home)
    return accounts


def write_exports(config: HospitalConfig, folder: Path) -> dict[str, Any]:
    """Generate the synthetic hospital and write what its two systems export; skipped when that is done.

    Parameters
    ----------
    config : HospitalConfig
        Size and seed.
    folder : pathlib.Path
        Gets ``csv/`` (EMR), ``fhir/`` and ``truth/``.

    Returns
    -------
    dict
        Planted effect and counts.
    """
    digest = hashlib.sha256(repr(config).encode()).hexdigest()
    marker = folder / "done.json"
    if marker.exists():
        done = json.loads(marker.read_text(encoding="utf-8"))
        if done["config"] == digest:
            return done
    work = folder.with_name(f".{folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    hospital = generate_hospital(config)
    write_emr_csv(hospital, work / "csv", list(hospital.emr_mrns))
    if hospital.fhir_mrns:
        write_fhir_ndjson(hospital, work / "fhir", list(hospital.fhir_mrns))
    write_truth(hospital, work / "truth")
    done = {
        "config": digest,
        "patients": hospital.tables["patient"].height,
        "notes": hospital.tables["note"].height,
        "defects": hospital.defects.height,
        "true_risk_difference": true_effect(hospital, "ticagrelor_acs"),
    }
    write_atomic(work / "done.json", canonical_json(done))
    replace_folder(work, folder)
    return done


def submit_request(desk: Desk, researcher: Account, policy: DeidPolicy) -> str:
    """Submit the demonstration's extract request, or find the one an earlier run submitted.

    Parameters
    ----------
    desk : Desk
        The gate.
    researcher : Account
        Requester.
    policy : DeidPolicy
        De-identification policy.

    Returns
    -------
    str
        Request id.
    """
    columns = {t: tuple(c for c in cs if c not in _NOT_ASKED.get(t, ())) for t, cs in all_released_columns().items()}
    request = ExtractRequest(
        title="Ticagrelor against clopidogrel after acute myocardial infarction",
        purpose="Compare one-year mortality of two treatments after acute myocardial infarction (teaching demonstration)",
        legal_basis="synthetic_data",
        reference="DEMO-2026-01",
        requester=researcher.username,
        columns=columns,
        policy=policy.name,
    )
    for extract in desk.ledger.all():
        if extract.request == request and extract.state not in (State.REJECTED, State.REVOKED):
            return extract.request_id
    return desk.ledger.submit(request, researcher)


def _put_patients_in_care(zone: IdentifiedZone, accounts: dict[str, Account], count: int = 5) -> None:
    path = zone.home.identified / "deliveries" / "csv" / "patient.csv"
    if not path.exists():
        return
    mrns = pl.read_csv(path, columns=["mrn"], n_rows=count, infer_schema=False)["mrn"].drop_nulls().to_list()
    for mrn in mrns:
        grant_care(zone.vault, "doctor.sun", mrn, accounts["admin"])


def summarise(found: dict[str, Any], desk: Desk, home: Home, truth: dict[str, Any] | None) -> dict[str, Any]:
    """Collect the counts of a run as plain numbers.

    Parameters
    ----------
    found : dict
        Results of the graph.
    desk : Desk
        The gate.
    home : Home
        The home.
    truth : dict or None
        Planted effect.

    Returns
    -------
    dict
        Fit for JSON; nothing from a record.
    """
    run, verified = found["deidentified_run"], found["verified_release"]
    subject = verified.manifest["subject"]
    facts = found["facts"]
    out: dict[str, Any] = {
        "intake": [
            {
                "source": r.source,
                "received": r.received,
                "filed": r.filed,
                "quarantined": r.quarantined,
                "reasons": r.reasons,
            }
            for r in found["intake_reports"]
        ],
        "deidentified": {
            "rows_in": run.attestation["rows_in"],
            "rows_out": run.attestation["rows_out"],
            "notes_quarantined": run.attestation["notes_quarantined"],
            "replaced": run.attestation["spans"],
        },
        "risk": subject["attestation"]["risk"],
        "evidence": subject["evidence"],
        "request": subject["request_id"],
        "approved_by": [a["steward"] for a in verified.manifest["approvals"]],
        "release": verified.release_id,
        "released_rows": {n: f.height for n, f in verified.tables.items()},
        "facts": facts.height,
        "facts_by_label": dict(sorted(facts["label"].value_counts().iter_rows())) if facts.height else {},
        "store_hash": content_hash(home.store),
    }
    result = found.get("study_result")
    if result is not None:
        out["finding"] = {
            "verdict": result.verdict.value,
            "reason": {"zh": result.reason("zh"), "en": result.reason("en")},
            "crude": _effect(result, "crude_risk_difference"),
            "adjusted": _effect(result, "risk_difference"),
        }
    if truth is not None:
        out["truth"] = {"risk_difference": truth["true_risk_difference"]}
    return out


def _effect(result: Any, name: str) -> dict[str, float]:
    row = result.effect(name)
    return {k: row[k] for k in ("estimate", "lower", "upper")}
