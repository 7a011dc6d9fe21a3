"""The steward's desk: build an extract, gather evidence, approve, return, reject, publish, revoke."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import EvidenceFailedError, GateRefusedError, IntegrityError, UserError
from ..core.files import canonical_json, replace_folder, sha256_file, write_atomic
from ..core.filing import filing_standard
from ..security.accounts import Account, AccountBook
from ..security.permissions import Action, check_may
from .evidence import EvidenceContext, evidence_document, gather, read_thresholds
from .ledger import Extract, Ledger
from .release import FORMAT, MANIFEST, REQUIRED_APPROVALS, SIGNATURE, release_id_of, subject_bytes
from .states import ACTION_OF, State, Step, next_state
from .trust import GateKey, Trust


class Desk:
    """The gate of one home.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the gate: ledger, candidate extracts, signing key.
    releases : pathlib.Path
        Where published releases go.
    trust_path : pathlib.Path
        Trust file of the store.
    accounts : AccountBook
        Holds the stewards' sealed signing keys.
    """

    def __init__(self, folder: Path, releases: Path, trust_path: Path, accounts: AccountBook) -> None:
        self.folder, self.releases, self.trust_path, self.accounts = folder, releases, trust_path, accounts
        self.ledger = Ledger(folder / "ledger.sqlite")

    def candidate(self, request_id: str) -> Path:
        """Return the folder of the bytes that are being judged.

        Parameters
        ----------
        request_id : str
            The extract.

        Returns
        -------
        pathlib.Path
            Folder of Parquet files.
        """
        return self.folder / "candidates" / request_id

    def build(
        self, request_id: str, tables: dict[str, pl.DataFrame], attestation: dict[str, Any], actor: Account
    ) -> Extract:
        """Write the asked columns of de-identified tables as the bytes to be judged.

        Parameters
        ----------
        request_id : str
            The extract.
        tables : dict of str to polars.DataFrame
            De-identified tables in the released schema.
        attestation : dict
            What de-identification counted and found; plain objects, the same for the same run.
        actor : Account
            The de-identification service.

        Returns
        -------
        Extract
            The extract, now built.
        """
        extract = self.ledger.get(request_id)
        check_may(actor.role, Action.BUILD_EXTRACT)
        next_state(extract.state, Step.BUILD)
        work = self.folder / "candidates" / f".{request_id}.work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        files: dict[str, Any] = {}
        for name, columns in sorted(extract.request.columns.items()):
            key = filing_standard().table(name).columns[filing_standard().table(name).key].released_name
            frame = tables[name]
            frame = frame.sort([c for c in ("person_id", key) if c in frame.columns]).select(columns)
            buffer = io.BytesIO()
            frame.write_parquet(buffer, compression="zstd", statistics=False)
            write_atomic(work / f"{name}.parquet", buffer.getvalue())
            files[f"{name}.parquet"] = {"sha256": hashlib.sha256(buffer.getvalue()).hexdigest(), "rows": frame.height}
        replace_folder(work, self.candidate(request_id))
        detail = {"files": files, "attestation": attestation}
        return self.ledger.take(request_id, Step.BUILD, actor, detail, len(extract.events))

    def gather_evidence(self, request_id: str, actor: Account) -> Extract:
        """Run all evidence checks on the candidate bytes.

        Parameters
        ----------
        request_id : str
            The extract.
        actor : Account
            The de-identification service.

        Returns
        -------
        Extract
            In review when all checks passed, else with failed evidence.
        """
        extract = self.ledger.get(request_id)
        check_may(actor.role, Action.BUILD_EXTRACT)
        next_state(extract.state, Step.PASS_EVIDENCE)
        built = extract.since_build()[0].detail
        thresholds, thresholds_hash = read_thresholds()
        tables = self._read_candidate(request_id, built["files"])
        document = evidence_document(gather(EvidenceContext(extract.request, tables, built["attestation"], thresholds)))
        subject = {
            "request_id": request_id,
            "request": extract.request.to_dict(),
            "files": built["files"],
            "attestation": built["attestation"],
            "evidence": document,
            "thresholds": thresholds_hash,
            "filing_standard": filing_standard().version,
        }
        step = Step.PASS_EVIDENCE if document["is_passed"] else Step.FAIL_EVIDENCE
        return self.ledger.take(request_id, step, actor, {"subject": subject}, len(extract.events))

    def subject(self, extract: Extract) -> dict[str, Any]:
        """Return what is to be approved: hashes of files and thresholds, request, attestation and evidence.

        Parameters
        ----------
        extract : Extract
            From the ledger.

        Returns
        -------
        dict
            The subject; its canonical form is what stewards sign.

        Raises
        ------
        EvidenceFailedError
            If there is no evidence yet.
        """
        for event in reversed(extract.since_build()):
            if event.step in (Step.PASS_EVIDENCE, Step.FAIL_EVIDENCE):
                return event.detail["subject"]
        raise EvidenceFailedError(
            f"extract {extract.request_id} has no evidence yet; run `medarchive extract evidence` first"
        )

    def check_approve(self, extract: Extract, actor: Account) -> None:
        """Raise unless this steward may approve this extract now.

        Parameters
        ----------
        extract : Extract
            From the ledger.
        actor : Account
            Who wants to approve.

        Raises
        ------
        AccessDeniedError
            If the actor is no steward.
        GateRefusedError
            If the actor is the requester, approved already, or the state does not allow it.
        EvidenceFailedError
            If the evidence did not pass.
        """
        check_may(actor.role, Action.APPROVE_EXTRACT)
        if extract.state is State.EVIDENCE_FAILED:
            raise EvidenceFailedError("the evidence did not pass; return the request, or build it again")
        if actor.username == extract.request.requester:
            raise GateRefusedError("nobody approves their own request; two other stewards must")
        if any(e.actor == actor.username for e in extract.approvals):
            raise GateRefusedError("you approved this extract already; a second, different steward must")
        next_state(extract.state, self._approval_step(extract))

    def can_approve(self, extract: Extract, actor: Account) -> bool:
        """Answer whether this steward may approve this extract now, by the rule of :meth:`check_approve`.

        Parameters
        ----------
        extract : Extract
            From the ledger.
        actor : Account
            Who wants to approve.

        Returns
        -------
        bool
            True when :meth:`check_approve` would not raise.
        """
        try:
            self.check_approve(extract, actor)
        except UserError:
            return False
        return True

    @staticmethod
    def _approval_step(extract: Extract) -> Step:
        return Step.APPROVE_LAST if len(extract.approvals) + 1 >= REQUIRED_APPROVALS else Step.APPROVE_FIRST

    def approve(self, request_id: str, actor: Account, password: str, reason: str) -> Extract:
        """Approve the exact bytes and evidence; the steward's password opens the signing key.

        Parameters
        ----------
        request_id : str
            The extract.
        actor : Account
            Steward.
        password : str
            The steward's.
        reason : str
            Why it is fit to leave; kept.

        Returns
        -------
        Extract
            Partly or fully approved.

        Raises
        ------
        AccessDeniedError, GateRefusedError, EvidenceFailedError
            See :meth:`check_approve`.
        IntegrityError
            If the candidate bytes or the thresholds changed since the evidence was gathered.
        """
        extract = self.ledger.get(request_id)
        self.check_approve(extract, actor)
        if not reason.strip():
            raise UserError("an approval needs a reason")
        subject = self.subject(extract)
        self._read_candidate(request_id, subject["files"])
        if read_thresholds()[1] != subject["thresholds"]:
            raise IntegrityError("the thresholds were changed after the evidence was gathered; build the extract again")
        signature = self.accounts.sign(actor.username, password, subject_bytes({"format": FORMAT, "subject": subject}))
        detail = {"reason": reason, "signature": signature.hex()}
        return self.ledger.take(request_id, self._approval_step(extract), actor, detail, len(extract.events))

    def send_back(self, request_id: str, actor: Account, reason: str, is_final: bool = False) -> Extract:
        """Return an extract to its requester, or reject it for good.

        Parameters
        ----------
        request_id : str
            The extract.
        actor : Account
            Steward.
        reason : str
            What would have to change; kept.
        is_final : bool
            True rejects.

        Returns
        -------
        Extract
            Returned or rejected.
        """
        extract = self.ledger.get(request_id)
        step = Step.REJECT if is_final else Step.RETURN
        check_may(actor.role, ACTION_OF[step])
        if not reason.strip():
            raise UserError("say what would have to change; the requester reads it")
        return self.ledger.take(request_id, step, actor, {"reason": reason}, len(extract.events))

    def publish(self, request_id: str, actor: Account) -> Path:
        """Publish an approved extract as a signed release.

        Parameters
        ----------
        request_id : str
            The extract.
        actor : Account
            Steward.

        Returns
        -------
        pathlib.Path
            Folder of the release. Publishing again after a kill finishes what was begun.
        """
        extract = self.ledger.get(request_id)
        check_may(actor.role, Action.PUBLISH_EXTRACT)
        subject = self.subject(extract)
        release_id = release_id_of(subject)
        target = self.releases / release_id
        if extract.state is State.PUBLISHED and target.is_dir():
            return target
        next_state(extract.state, Step.PUBLISH)
        self._read_candidate(request_id, subject["files"])
        manifest = {
            "format": FORMAT,
            "release_id": release_id,
            "subject": subject,
            "approvals": [
                {"steward": e.actor, "time": e.time, "reason": e.detail["reason"], "signature": e.detail["signature"]}
                for e in extract.approvals
            ],
        }
        work = self.releases / f".{release_id}.work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(self.candidate(request_id), work)
        write_atomic(work / MANIFEST, canonical_json(manifest))
        key = GateKey(self.folder / "keys" / "gate.key")
        write_atomic(work / SIGNATURE, key.sign(canonical_json(manifest)).encode())
        replace_folder(work, target)
        self.ledger.take(request_id, Step.PUBLISH, actor, {"release_id": release_id}, len(extract.events))
        return target

    def revoke(self, request_id: str, actor: Account, reason: str) -> str:
        """Revoke a published release: no store will load it any more.

        Parameters
        ----------
        request_id : str
            The extract.
        actor : Account
            Steward.
        reason : str
            Why; kept, and shown to who tries to load it.

        Returns
        -------
        str
            Release id; the caller removes it from the stores.
        """
        extract = self.ledger.get(request_id)
        check_may(actor.role, Action.REVOKE_EXTRACT)
        if not reason.strip():
            raise UserError("a revocation needs a reason")
        next_state(extract.state, Step.REVOKE)
        release_id = release_id_of(self.subject(extract))
        trust = Trust.read(self.trust_path)
        Trust(trust.gate_keys, trust.stewards, {**trust.revoked, release_id: reason}).write(self.trust_path)
        self.ledger.take(
            request_id, Step.REVOKE, actor, {"reason": reason, "release_id": release_id}, len(extract.events)
        )
        return release_id

    def _read_candidate(self, request_id: str, files: dict[str, Any]) -> dict[str, pl.DataFrame]:
        folder = self.candidate(request_id)
        present = {p.name for p in folder.glob("*")} if folder.is_dir() else set()
        if present != set(files):
            raise IntegrityError(f"the files of extract {request_id} are not those that were built; build it again")
        tables = {}
        for name, facts in files.items():
            if sha256_file(folder / name) != facts["sha256"]:
                raise IntegrityError(
                    f"file {name} of extract {request_id} was changed after it was built; build it again"
                )
            tables[name.removesuffix(".parquet")] = pl.read_parquet(folder / name)
        return tables


def evidence_json(subject: dict[str, Any]) -> str:
    """Return the evidence of an extract as indented JSON, for a person to read.

    Parameters
    ----------
    subject : dict
        From :meth:`Desk.subject`.

    Returns
    -------
    str
        JSON text.
    """
    return json.dumps(subject["evidence"], ensure_ascii=False, indent=2)
