"""Arrow 4: a verified release becomes OMOP tables in the store, with facts read from the de-identified notes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from medarchive_analytics.core.files import canonical_json
from medarchive_analytics.gate.release import VerifiedRelease, verify_release
from medarchive_analytics.gate.trust import Trust
from medarchive_analytics.store import allocated_concepts, build_cdm, loaded_releases, remove_release, write_cdm
from medarchive_analytics.text import extract_facts


def verified_release(published_release: Path, trust_path: Path) -> VerifiedRelease:
    """Check a release from the first byte to the last approval.

    Parameters
    ----------
    published_release : pathlib.Path
        Release folder.
    trust_path : pathlib.Path
        Trust file of the store.

    Returns
    -------
    VerifiedRelease
        Tables read from the checked bytes.
    """
    return verify_release(published_release, Trust.read(trust_path))


def facts(verified_release: VerifiedRelease, workers: int) -> pl.DataFrame:
    """Read clinical facts from the de-identified notes.

    Parameters
    ----------
    verified_release : VerifiedRelease
        The release.
    workers : int
        Processes.

    Returns
    -------
    polars.DataFrame
        One row per mention with its span.
    """
    return extract_facts(verified_release.tables["note"], workers)


def loaded_release(verified_release: VerifiedRelease, facts: pl.DataFrame, store_folder: Path) -> str:
    """Map a release to OMOP and put it into the store.

    Parameters
    ----------
    verified_release : VerifiedRelease
        The release; nothing else is accepted here.
    facts : polars.DataFrame
        Facts from its notes.
    store_folder : pathlib.Path
        The store.

    Returns
    -------
    str
        Release id.
    """
    release_id = verified_release.release_id
    earlier = allocated_concepts(store_folder) if _other_releases(store_folder, release_id) else None
    frames = build_cdm(verified_release.tables, facts, load_id=release_id, earlier_concepts=earlier)
    manifest = verified_release.manifest
    info = {
        "release_id": release_id,
        "manifest_sha256": hashlib.sha256(canonical_json(manifest)).hexdigest(),
        "policy": manifest["subject"]["attestation"]["policy"],
        "title": manifest["subject"]["request"]["title"],
        "approved_by": [a["steward"] for a in manifest["approvals"]],
    }
    write_cdm(frames, store_folder / release_id, info)
    return release_id


def _other_releases(store_folder: Path, release_id: str) -> bool:
    return store_folder.is_dir() and any(r != release_id for r in loaded_releases(store_folder))


def superseded_removed(store_folder: Path, loaded_release: str, superseded: tuple[str, ...]) -> tuple[str, ...]:
    """Take releases out of the store that a newer one replaces.

    Parameters
    ----------
    store_folder : pathlib.Path
        The store.
    loaded_release : str
        The release that stays.
    superseded : tuple of str
        Releases to take out.

    Returns
    -------
    tuple of str
        What was taken out.
    """
    gone = tuple(r for r in superseded if r != loaded_release and r in loaded_releases(store_folder))
    for release in gone:
        remove_release(store_folder, release)
    return gone
