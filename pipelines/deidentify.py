"""Arrow 2: sealed records become de-identified partitions. A partition that is done is known by the hash of what it was made of."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from medarchive_analytics import __version__
from medarchive_analytics.archive.reading_room import read_for_deidentification, read_registers
from medarchive_analytics.core.files import canonical_json, replace_folder, sha256_file, write_atomic
from medarchive_analytics.core.workers import process_pool
from medarchive_analytics.deid import DeidPolicy, SiteKnowledge, SurrogateKey, deidentify_tables

from .context import SERVICE, IdentifiedZone

_CHUNK = 250
_worker: dict[str, Any] = {}


@dataclass(frozen=True)
class DeidentifiedRun:
    """De-identified partitions and what was counted while making them."""

    partitions: tuple[Path, ...]
    attestation: dict[str, Any]

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return all partitions as one frame per released table.

        Returns
        -------
        dict of str to polars.DataFrame
            Released schema.
        """
        names = sorted({p.stem for folder in self.partitions for p in folder.glob("*.parquet")})
        return {n: pl.concat([pl.read_parquet(f / f"{n}.parquet") for f in self.partitions]) for n in names}


def deidentified_run(
    zone: IdentifiedZone,
    intake_reports: tuple,
    policy: DeidPolicy,
    purpose: str,
    workers: int,
) -> DeidentifiedRun:
    """De-identify all records of the vault, partition by partition.

    Parameters
    ----------
    zone : IdentifiedZone
        Vault and linkage key.
    intake_reports : tuple of IntakeReport
        What was filed before; intake comes first.
    policy : DeidPolicy
        What happens to dates, ages and text.
    purpose : str
        Kept in the audit log with every read.
    workers : int
        Processes.

    Returns
    -------
    DeidentifiedRun
        Partitions in a fixed order with their counts.
    """
    registers = read_registers(zone.vault, SERVICE, purpose)
    site = SiteKnowledge.from_frames(registers["staff"], registers["organization"])
    base = hashlib.sha256()
    base.update(f"{__version__}|{policy.digest}|{_code_digest()}".encode())
    base.update(zone.surrogate_key.digest("run", "partition"))
    for frame in registers.values():
        base.update(frame.write_json().encode())
    folders = []
    running: set[Future[None]] = set()
    with process_pool(workers, _prepare, (zone.surrogate_key, policy, site)) as pool:
        for handles, frames in _chunks(zone, purpose):
            digest = base.copy()
            digest.update(zone.vault.content_digest(handles).encode())
            folder = zone.home.deidentified / digest.hexdigest()[:24]
            folders.append(folder)
            if not (folder / "report.json").exists():
                running.add(pool.submit(_deidentify_partition, frames, folder))
            if len(running) > workers:  # a bounded queue: identified frames do not pile up in memory
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
        for future in running:
            future.result()
    _remove_others(zone.home.deidentified, folders)
    return DeidentifiedRun(tuple(folders), _attest(folders, policy))


def _chunks(zone: IdentifiedZone, purpose: str) -> Iterator[tuple[list[str], dict[str, pl.DataFrame]]]:
    yield from read_for_deidentification(zone.vault, SERVICE, purpose, _CHUNK)


def _code_digest() -> str:
    # A change in the rules must not leave partitions standing that older rules made.
    import medarchive_analytics.deid as package

    digest = hashlib.sha256()
    root = Path(package.__file__).parent
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".toml", ".csv", ".txt"):
            digest.update(sha256_file(path).encode())
    return digest.hexdigest()


def _prepare(key: SurrogateKey, policy: DeidPolicy, site: SiteKnowledge) -> None:
    _worker.update(key=key, policy=policy, site=site)


def _deidentify_partition(frames: dict[str, pl.DataFrame], folder: Path) -> None:
    frames = {n: f for n, f in frames.items() if n not in ("staff", "organization", "administrative")}
    result = deidentify_tables(frames, _worker["key"], _worker["policy"], _worker["site"], workers=1)
    work = folder.with_name(f".{folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name, frame in result.tables.items():
        frame.write_parquet(work / f"{name}.parquet", compression="zstd")
    report = {
        "counts": result.report,
        "notes_in": frames["note"].height if "note" in frames else 0,
        "notes_quarantined": dict(Counter(result.quarantined_notes["reason"].to_list())),
        "rows_in": {n: f.height for n, f in frames.items()},
        "rows_out": {n: f.height for n, f in result.tables.items()},
        "files": {p.name: sha256_file(p) for p in sorted(work.glob("*.parquet"))},
    }
    write_atomic(work / "report.json", canonical_json(report))
    replace_folder(work, folder)


def _remove_others(root: Path, keep: list[Path]) -> None:
    names = {f.name for f in keep}
    for folder in root.iterdir():
        if folder.is_dir() and folder.name not in names:
            shutil.rmtree(folder, ignore_errors=True)


def _attest(folders: list[Path], policy: DeidPolicy) -> dict[str, Any]:
    reports = [json.loads((f / "report.json").read_text(encoding="utf-8")) for f in folders]
    quarantined: Counter[str] = Counter()
    rows_in: Counter[str] = Counter()
    rows_out: Counter[str] = Counter()
    digest = hashlib.sha256()
    for report in reports:
        quarantined.update(report["notes_quarantined"])
        rows_in.update(report["rows_in"])
        rows_out.update(report["rows_out"])
        digest.update(canonical_json(report["files"]))
    return {
        "policy": policy.name,
        "policy_digest": policy.digest,
        "partitions": len(folders),
        "rows_in": dict(sorted(rows_in.items())),
        "rows_out": dict(sorted(rows_out.items())),
        "notes_quarantined": dict(sorted(quarantined.items())),
        "spans": _sum_spans(reports),
        "known_identifier_audit": "every text was scanned again for its patient's known identifiers; what failed is quarantined",
        "output_digest": digest.hexdigest(),
    }


def _sum_spans(reports: list[dict[str, Any]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report["counts"].get("spans", {}))
    return dict(sorted(total.items()))
