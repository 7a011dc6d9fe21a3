"""What a pipeline run holds open: the home, the vault, the gate, and who acts. Made once at the edge and passed on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from medarchive_analytics.archive.vault import Vault
from medarchive_analytics.core.errors import HomeError, UserError
from medarchive_analytics.core.files import write_atomic
from medarchive_analytics.core.home import Home
from medarchive_analytics.deid import SurrogateKey
from medarchive_analytics.gate.desk import Desk
from medarchive_analytics.gate.trust import GateKey, Trust
from medarchive_analytics.security.accounts import Account, AccountBook
from medarchive_analytics.security.permissions import Role
from medarchive_analytics.security.sealing import MasterKeys, Sealed, seal, unseal

SERVICE = Account("service.deidentifier", Role.DEIDENTIFIER)


@dataclass(frozen=True)
class IdentifiedZone:
    """The identified side of a home; only intake, de-identification and the archive desk may have one."""

    home: Home
    vault: Vault
    accounts: AccountBook
    surrogate_key: SurrogateKey


def initialise(home: Home) -> None:
    """Make a home: folders, master keys, linkage key, gate key, account book and trust file; harmless when they are there.

    Parameters
    ----------
    home : Home
        Where to make it.
    """
    home.create()
    keys = MasterKeys.create(home.keys)
    if not home.linkage_key.exists():
        sealed = seal(keys, "linkage-key", 1, os.urandom(32))
        home.linkage_key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        parts = [sealed.key_id.encode(), sealed.wrapped_key, sealed.nonce, sealed.ciphertext]
        write_atomic(home.linkage_key, b"\n".join(p.hex().encode() for p in parts), mode=0o600)
    AccountBook(home.accounts)
    GateKey(home.gate / "keys" / "gate.key")
    refresh_trust(home)


def refresh_trust(home: Home) -> None:
    """Write the public keys of the gate and of all active stewards to the store's trust file.

    Parameters
    ----------
    home : Home
        An initialised home.
    """
    revoked = Trust.read(home.trust).revoked if home.trust.exists() else {}
    stewards = {a.username: a.public_key for a in AccountBook(home.accounts).all() if a.role is Role.STEWARD}
    Trust((GateKey(home.gate / "keys" / "gate.key").public,), stewards, revoked).write(home.trust)


def open_identified(home: Home) -> IdentifiedZone:
    """Open the identified zone of a home.

    Parameters
    ----------
    home : Home
        An initialised home.

    Returns
    -------
    IdentifiedZone
        Vault, accounts and linkage key.
    """
    home.check()
    keys = MasterKeys(home.keys)
    return IdentifiedZone(
        home, Vault(home.vault, keys), AccountBook(home.accounts), SurrogateKey(_linkage_secret(home, keys))
    )


def _linkage_secret(home: Home, keys: MasterKeys) -> bytes:
    if not home.linkage_key.exists():
        raise HomeError(
            f"{home.root} has no linkage key; `medarchive init` makes one, a lost one comes from its backup"
        )
    parts = [bytes.fromhex(line) for line in home.linkage_key.read_text(encoding="ascii").split("\n")]
    return unseal(keys, "linkage-key", 1, Sealed(parts[0].decode(), parts[1], parts[2], parts[3]))


def open_desk(home: Home) -> Desk:
    """Open the gate of a home.

    Parameters
    ----------
    home : Home
        An initialised home.

    Returns
    -------
    Desk
        The steward's desk.
    """
    home.check()
    return Desk(home.gate, home.releases, home.trust, AccountBook(home.accounts))


def account(home: Home, username: str) -> Account:
    """Return an active account of a home.

    Parameters
    ----------
    home : Home
        An initialised home.
    username : str
        Account name.

    Returns
    -------
    Account
        The account.

    Raises
    ------
    UserError
        If there is no such active account.
    """
    found = AccountBook(home.accounts).get(username)
    if found is None:
        raise UserError(
            f"there is no active account {username!r}; an administrator adds one with `medarchive account add`"
        )
    return found


def default_home() -> Path:
    """Return the home folder the environment names, or ``medarchive-home`` here.

    Returns
    -------
    pathlib.Path
        Value of ``MEDARCHIVE_HOME`` if set.
    """
    return Path(os.environ.get("MEDARCHIVE_HOME", "medarchive-home"))
