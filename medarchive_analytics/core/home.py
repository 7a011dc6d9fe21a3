"""The home folder: where each zone keeps its things. Paths only; making and opening them is the business of each zone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from .errors import HomeError
from .files import canonical_json, write_atomic

_VERSION = 1


@dataclass(frozen=True)
class Home:
    """Folders of one installation.

    Attributes
    ----------
    root : pathlib.Path
        Home folder.
    """

    root: Path

    @property
    def identified(self) -> Path:
        """Identified zone: vault and its keys; for the owner alone."""
        return self.root / "identified"

    @property
    def keys(self) -> Path:
        """Master keys of the identified zone."""
        return self.identified / "keys"

    @property
    def linkage_key(self) -> Path:
        """Sealed key of the pseudonyms, apart from the master keys."""
        return self.identified / "linkage" / "linkage.sealed"

    @property
    def vault(self) -> Path:
        """Database of the vault."""
        return self.identified / "vault.sqlite"

    @property
    def accounts(self) -> Path:
        """Database of the accounts."""
        return self.root / "accounts" / "accounts.sqlite"

    @property
    def deidentified(self) -> Path:
        """De-identified partitions, before the gate."""
        return self.root / "deidentified"

    @property
    def gate(self) -> Path:
        """Ledger, candidates and signing key of the gate."""
        return self.root / "gate"

    @property
    def releases(self) -> Path:
        """Published releases."""
        return self.root / "releases"

    @property
    def trust(self) -> Path:
        """Trust file of the store."""
        return self.root / "trust" / "trust.json"

    @property
    def store(self) -> Path:
        """Curated store."""
        return self.root / "store"

    @property
    def reports(self) -> Path:
        """Reports for people."""
        return self.root / "reports"

    @property
    def logs(self) -> Path:
        """Log files; counts and durations only."""
        return self.root / "logs"

    @property
    def marker(self) -> Path:
        """File that says this is a home, and of which version."""
        return self.root / "home.json"

    def create(self) -> None:
        """Make the folders; harmless when they are there.

        Raises
        ------
        HomeError
            If the folder holds something else.
        """
        if self.root.exists() and not self.marker.exists() and any(self.root.iterdir()):
            known = {"identified", "accounts", "gate", "trust", "logs"}
            if not {p.name for p in self.root.iterdir()} <= known:
                raise HomeError(f"{self.root} is not empty and no MedArchive home; give an empty or new folder")
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in (self.identified, self.accounts.parent, self.gate, self.deidentified):
            folder.mkdir(exist_ok=True, mode=0o700)
            os.chmod(folder, 0o700)  # noqa: PTH101 - an older folder keeps its rights otherwise
        for folder in (self.trust.parent, self.releases, self.store, self.reports, self.logs):
            folder.mkdir(exist_ok=True)
        if not self.marker.exists():
            write_atomic(self.marker, canonical_json({"version": _VERSION}))

    def check(self) -> None:
        """Raise unless this is a finished home of this version.

        Raises
        ------
        HomeError
            If it is missing, unfinished or of another version.
        """
        if not self.marker.exists():
            raise HomeError(f"{self.root} is no MedArchive home; `medarchive init --home {self.root}` makes one")
        version = json.loads(self.marker.read_text(encoding="utf-8")).get("version")
        if version != _VERSION:
            raise HomeError(f"{self.root} is a home of version {version}; this program reads version {_VERSION}")
