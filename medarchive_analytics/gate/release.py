"""A release: an immutable folder of Parquet files, a manifest over every byte of it, and signatures over the manifest.

What the stewards sign is the *subject*: the hashes of all files, of the request, of the evidence and of the thresholds. The gate
signs the manifest, which holds the subject and the stewards' signatures. The store checks all of it again.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import ReleaseRefusedError
from ..core.files import canonical_json
from .trust import Trust, is_signed

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
FORMAT = "medarchive-release/1"
REQUIRED_APPROVALS = 2


@dataclass(frozen=True)
class VerifiedRelease:
    """A release whose every byte was checked; the tables are those very bytes. Made by :func:`verify_release` only."""

    release_id: str
    manifest: dict[str, Any]
    tables: dict[str, pl.DataFrame]


def subject_bytes(manifest: dict[str, Any]) -> bytes:
    """Return what stewards sign.

    Parameters
    ----------
    manifest : dict
        Manifest, or the part of it made so far.

    Returns
    -------
    bytes
        Canonical JSON of the subject.
    """
    return canonical_json({"format": manifest["format"], "subject": manifest["subject"]})


def verify_release(folder: Path, trust: Trust) -> VerifiedRelease:
    """Check a release folder from the first byte to the last approval.

    Parameters
    ----------
    folder : pathlib.Path
        Release folder.
    trust : Trust
        Keys this store trusts, and revoked releases.

    Returns
    -------
    VerifiedRelease
        The release with its tables, read from the checked bytes.

    Raises
    ------
    ReleaseRefusedError
        If anything is missing, added, changed, unsigned, signed by a stranger, approved by fewer than two stewards or by the
        requester, without passed evidence, or revoked.
    """
    manifest, signature = _read_manifest(folder)
    if not any(is_signed(canonical_json(manifest), signature, key) for key in trust.gate_keys):
        raise ReleaseRefusedError(
            "the manifest is not signed by a gate this store trusts; load only releases published by `medarchive extract publish`"
        )
    _check_approvals(manifest, trust)
    subject = manifest["subject"]
    if manifest["release_id"] != release_id_of(subject):
        raise ReleaseRefusedError("the release id does not belong to the approved content")
    if manifest["release_id"] in trust.revoked:
        raise ReleaseRefusedError(f"release {manifest['release_id']} was revoked; ask its stewards for the reason")
    if subject["evidence"].get("is_passed") is not True:
        raise ReleaseRefusedError("the evidence of this release did not pass")
    tables = _read_tables(folder, subject["files"])
    return VerifiedRelease(manifest["release_id"], manifest, tables)


def release_id_of(subject: dict[str, Any]) -> str:
    """Return the id that follows from the approved content.

    Parameters
    ----------
    subject : dict
        Subject of the manifest.

    Returns
    -------
    str
        ``R-`` and 16 hexadecimal digits.
    """
    return "R-" + hashlib.sha256(canonical_json(subject)).hexdigest()[:16]


def _read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    path, signature_path = folder / MANIFEST, folder / SIGNATURE
    if not path.is_file() or not signature_path.is_file():
        raise ReleaseRefusedError(
            f"no {MANIFEST} with {SIGNATURE} in the folder; only a published release can be loaded"
        )
    content = path.read_bytes()
    try:
        manifest = json.loads(content)
        signature = signature_path.read_text(encoding="ascii").strip()
    except (ValueError, UnicodeDecodeError):
        raise ReleaseRefusedError("the manifest or its signature is damaged") from None
    needed = {"format", "release_id", "subject", "approvals"}
    if not isinstance(manifest, dict) or set(manifest) != needed or manifest["format"] != FORMAT:
        raise ReleaseRefusedError("the manifest is not of a format this version reads")
    if canonical_json(manifest) != content:
        raise ReleaseRefusedError("the manifest was changed after it was written")
    return manifest, signature


def _check_approvals(manifest: dict[str, Any], trust: Trust) -> None:
    message = subject_bytes(manifest)
    requester = manifest["subject"]["request"]["requester"]
    stewards = set()
    for approval in manifest["approvals"]:
        name = approval["steward"]
        if name == requester:
            raise ReleaseRefusedError("the requester is among the approvers; nobody approves their own request")
        key = trust.stewards.get(name)
        if key is None:
            raise ReleaseRefusedError("an approver is no steward this store knows")
        if not is_signed(message, approval["signature"], key):
            raise ReleaseRefusedError("an approval does not belong to this content: its signature is wrong")
        stewards.add(name)
    keys = {trust.stewards[name] for name in stewards}
    if len(stewards) < REQUIRED_APPROVALS or len(keys) < REQUIRED_APPROVALS:
        raise ReleaseRefusedError(f"{len(stewards)} steward(s) approved; {REQUIRED_APPROVALS} different ones must")


def _read_tables(folder: Path, files: dict[str, Any]) -> dict[str, pl.DataFrame]:
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    expected = set(files) | {MANIFEST, SIGNATURE}
    if present != expected:
        added, missing = len(present - expected), len(expected - present)
        raise ReleaseRefusedError(
            f"the folder does not hold the files of the manifest: {added} added, {missing} missing"
        )
    tables = {}
    for name, facts in sorted(files.items()):
        content = (folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != facts["sha256"]:
            raise ReleaseRefusedError(f"file {name} differs from what the stewards approved")
        frame = pl.read_parquet(io.BytesIO(content))
        if frame.height != facts["rows"]:
            raise ReleaseRefusedError(f"file {name} does not have the approved number of rows")
        tables[name.removesuffix(".parquet")] = frame
    return tables
