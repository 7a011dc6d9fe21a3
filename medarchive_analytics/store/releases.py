"""How does a release get into the store, out of it, and how do we know it is whole?

Layout: ``store/<release id>/omop/<table>.parquet`` and ``store/<release id>/store.json``.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import HomeError, IntegrityError, ReleaseRefusedError, UserError, unknown_choice
from .content import table_hash
from .mapping import CONCEPT_SCHEMA, FIRST_UNMAPPED_ID
from .schema import CDM_VERSION, conform, empty_omop_frame, omop_table, omop_tables

STORE_FORMAT = 1
"""Version of the folder layout and of ``store.json``."""

_RELEASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")


def write_cdm(frames: Mapping[str, pl.DataFrame], folder: Path, release_info: Mapping[str, Any]) -> Path:
    """Put the OMOP tables of one release into the store.

    Parameters
    ----------
    frames : mapping of str to polars.DataFrame
        OMOP tables by name; absent tables are written empty.
    folder : pathlib.Path
        ``<store>/<release id>``; its parent is made when missing.
    release_info : mapping
        Plain facts about the release (JSON-safe), e.g. ``release_id``, ``manifest_sha256``, ``policy_version``.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    ReleaseRefusedError
        If a frame does not fit its table, the name is unsafe, or other content is already loaded under this name.

    Notes
    -----
    Files are written to a hidden folder beside the target and moved into place in one step, so a killed run leaves no half
    release. Loading the same content again changes nothing.
    """
    folder = Path(folder)
    if not _RELEASE_ID.fullmatch(folder.name):
        raise ReleaseRefusedError(
            "a release is named with letters, digits, '.', '_' and '-', and starts with one of the first two"
        )
    ready = {name: conform(frames.get(name, empty_omop_frame(name)), name) for name in omop_tables()}
    for name in frames:
        omop_table(name)
    hashes = {name: table_hash(frame, name) for name, frame in ready.items()}
    manifest = {
        "format": STORE_FORMAT,
        "cdm_version": CDM_VERSION,
        "release_id": folder.name,
        "content_sha256": _combined(hashes),
        "release": dict(release_info),
        "tables": {name: {"rows": ready[name].height, "sha256": hashes[name]} for name in ready},
    }
    if folder.exists():
        if read_manifest(folder)["content_sha256"] == manifest["content_sha256"]:
            return folder
        raise ReleaseRefusedError(
            f"release {folder.name} is already loaded with other content; revoke it before loading again"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    try:
        (partial / "omop").mkdir()
        for name, frame in ready.items():
            frame.write_parquet(partial / "omop" / f"{name}.parquet", compression="zstd", statistics=True)
        text = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
        (partial / "store.json").write_text(text + "\n", encoding="utf-8")
        partial.chmod(0o755)
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _combined(hashes: Mapping[str, str]) -> str:
    lines = "\n".join(f"{name} {hashes[name]}" for name in sorted(hashes))
    return hashlib.sha256(lines.encode("utf-8")).hexdigest()


def content_hash(folder: Path) -> str:
    """Which content does a loaded release have now, read from its files?

    Parameters
    ----------
    folder : pathlib.Path
        ``<store>/<release id>``.

    Returns
    -------
    str
        SHA-256 over the content of all tables; equals ``content_sha256`` in ``store.json`` unless a file was changed.

    Raises
    ------
    IntegrityError
        If a file is missing or is no longer Parquet of the declared shape.
    """
    hashes = {}
    for name in omop_tables():
        path = Path(folder) / "omop" / f"{name}.parquet"
        try:
            hashes[name] = table_hash(pl.read_parquet(path), name)
        except (OSError, pl.exceptions.PolarsError, ReleaseRefusedError) as error:
            raise IntegrityError(
                f"release {Path(folder).name}: table {name} cannot be read as written; load it again"
            ) from error
    return _combined(hashes)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What does ``store.json`` say about a loaded release?

    Parameters
    ----------
    folder : pathlib.Path
        ``<store>/<release id>``.

    Returns
    -------
    dict
        The parsed manifest.

    Raises
    ------
    HomeError
        If the folder is no loaded release, or was written by another version.
    """
    try:
        manifest: dict[str, Any] = json.loads((Path(folder) / "store.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HomeError(
            f"{Path(folder).name} is no loaded release (store.json missing or broken); load it again"
        ) from error
    if manifest.get("format") != STORE_FORMAT:
        raise HomeError(
            f"release {Path(folder).name} has another store format; this version reads format {STORE_FORMAT}"
        )
    return manifest


def loaded_releases(store: Path) -> list[str]:
    """Which releases are loaded?

    Parameters
    ----------
    store : pathlib.Path
        Folder of the store.

    Returns
    -------
    list of str
        Release ids, sorted; half-written folders are not among them.
    """
    if not Path(store).is_dir():
        return []
    return sorted(
        p.name for p in Path(store).iterdir() if _RELEASE_ID.fullmatch(p.name) and (p / "store.json").is_file()
    )


def remove_release(store: Path, release_id: str) -> None:
    """Take a revoked release out of the store.

    Parameters
    ----------
    store : pathlib.Path
        Folder of the store.
    release_id : str
        Release to remove.

    Raises
    ------
    UserError
        If no such release is loaded.

    Notes
    -----
    The folder is renamed to a hidden name first, so no reader that opens the store later meets half of it.
    """
    if release_id not in loaded_releases(store):
        raise UserError(unknown_choice("release", release_id, loaded_releases(store)))
    hidden = Path(tempfile.mkdtemp(prefix=f".{release_id}.removed-", dir=store))
    (Path(store) / release_id).replace(hidden)
    shutil.rmtree(hidden)


def allocated_concepts(store: Path) -> pl.DataFrame | None:
    """Which ids have loaded releases given to unmapped codes?

    Parameters
    ----------
    store : pathlib.Path
        Folder of the store.

    Returns
    -------
    polars.DataFrame or None
        Columns of ``CONCEPT_SCHEMA``, to be passed to ``build_cdm(earlier_concepts=...)``; None for an empty store.
    """
    frames = []
    for release in loaded_releases(store):
        concepts = pl.read_parquet(Path(store) / release / "omop" / "concept.parquet")
        frames.append(concepts.filter(pl.col("concept_id") >= FIRST_UNMAPPED_ID))
    if not frames:
        return None
    return (
        pl.concat(frames)
        .unique("concept_id")
        .sort("concept_id")
        .select(
            "concept_id",
            pl.col("concept_code").alias("code"),
            pl.col("vocabulary_id").alias("code_system"),
            pl.col("domain_id").alias("domain"),
            pl.lit(None, dtype=pl.String).alias("name_zh"),
            pl.col("concept_name").alias("name_en"),
            pl.lit(None, dtype=pl.String).alias("synonyms_zh"),
            pl.lit(None, dtype=pl.String).alias("synonyms_en"),
        )
        .cast(CONCEPT_SCHEMA)  # type: ignore[arg-type]
    )
