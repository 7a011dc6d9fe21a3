"""Envelope encryption: each record version is sealed under its own key, and that key is wrapped by a master key.

Rotation re-wraps the small keys and leaves the content alone; deleting a wrapped key makes the content unreadable for good.
The record id, version and master key id are authenticated with the content, so that ciphertexts cannot be swapped between
records, versions or keys.

References
----------
AES-GCM: NIST SP 800-38D. Key wrap: RFC 3394.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from ..core.errors import IntegrityError, KeyUnavailableError
from ..core.files import write_atomic

_KEY_BYTES = 32


@dataclass(frozen=True)
class Sealed:
    """One sealed content: everything but the master key that is needed to open it."""

    key_id: str
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


class MasterKeys:
    """The master keys of one zone, by key id; the newest seals, all of them open.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of ``<key id>.key`` files, readable by the owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys = {p.stem: p.read_bytes() for p in sorted(folder.glob("master-*.key"))}

    def __repr__(self) -> str:
        """Show how many keys there are, never their bytes."""
        return f"MasterKeys({len(self._keys)} keys)"

    @classmethod
    def create(cls, folder: Path) -> MasterKeys:
        """Create the first master key unless there is one already.

        Parameters
        ----------
        folder : pathlib.Path
            Folder of the keys.

        Returns
        -------
        MasterKeys
            The keys found or made.
        """
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not any(folder.glob("master-*.key")):
            write_atomic(folder / "master-0001.key", os.urandom(_KEY_BYTES), mode=0o600)
        return cls(folder)

    def add(self) -> str:
        """Create a newer master key, which seals from now on.

        Returns
        -------
        str
            Id of the new key.
        """
        number = max((int(k.split("-")[1]) for k in self._keys), default=0) + 1
        key_id = f"master-{number:04d}"
        write_atomic(self._folder / f"{key_id}.key", os.urandom(_KEY_BYTES), mode=0o600)
        self._keys[key_id] = (self._folder / f"{key_id}.key").read_bytes()
        return key_id

    @property
    def newest(self) -> str:
        """Id of the key that seals new content."""
        if not self._keys:
            raise KeyUnavailableError(
                "no master key in the key folder; a home is made with `medarchive init`, a lost key folder comes from its backup"
            )
        return max(self._keys)

    def get(self, key_id: str) -> bytes:
        """Return one master key.

        Parameters
        ----------
        key_id : str
            As stored beside the sealed content.

        Returns
        -------
        bytes
            32 bytes.

        Raises
        ------
        KeyUnavailableError
            If the key is not in the folder.
        """
        if key_id not in self._keys:
            raise KeyUnavailableError(f"master key {key_id} is not in the key folder; restore it from the key backup")
        return self._keys[key_id]

    def derive(self, purpose: str) -> bytes:
        """Derive a key for another purpose from the FIRST master key, so that it survives rotation.

        Parameters
        ----------
        purpose : str
            Domain separation, e.g. ``"catalogue"``.

        Returns
        -------
        bytes
            32 bytes.
        """
        first = self.get(min(self._keys, default="master-0001"))
        return hmac.new(first, b"medarchive/derive/" + purpose.encode(), hashlib.sha256).digest()


def _associated(record_id: str, version: int) -> bytes:
    return f"medarchive/1|{record_id}|{version}".encode()


def seal(keys: MasterKeys, record_id: str, version: int, content: bytes) -> Sealed:
    """Compress and seal the content of one record version.

    Parameters
    ----------
    keys : MasterKeys
        Master keys of the zone.
    record_id : str
        Id of the record; authenticated.
    version : int
        Version of the record, from 1; authenticated.
    content : bytes
        Plain content.

    Returns
    -------
    Sealed
        Ciphertext with its wrapped key.
    """
    key_id = keys.newest
    record_key = AESGCM.generate_key(256)
    nonce = os.urandom(12)
    ciphertext = AESGCM(record_key).encrypt(nonce, zlib.compress(content, 1), _associated(record_id, version))
    return Sealed(key_id, aes_key_wrap(keys.get(key_id), record_key), nonce, ciphertext)


def unseal(keys: MasterKeys, record_id: str, version: int, sealed: Sealed) -> bytes:
    """Open the content of one record version.

    Parameters
    ----------
    keys : MasterKeys
        Master keys of the zone.
    record_id, version : str, int
        Must be those the content was sealed for.
    sealed : Sealed
        What :func:`seal` returned.

    Returns
    -------
    bytes
        Plain content.

    Raises
    ------
    KeyUnavailableError
        If the record key was destroyed, or the master key is not there.
    IntegrityError
        If a byte of it was changed, or it belongs to another record or version.
    """
    if not sealed.wrapped_key:
        raise KeyUnavailableError("the key of this record was destroyed; its content cannot be read any more")
    try:
        record_key = aes_key_unwrap(keys.get(sealed.key_id), sealed.wrapped_key)
        plain = AESGCM(record_key).decrypt(sealed.nonce, sealed.ciphertext, _associated(record_id, version))
    except (InvalidTag, InvalidUnwrap, ValueError) as error:
        raise IntegrityError(
            f"version {version} of a record does not open: its bytes, its key or its place were changed; restore it from a backup"
        ) from error
    return zlib.decompress(plain)


def rewrap(keys: MasterKeys, sealed: Sealed) -> Sealed:
    """Wrap a record key under the newest master key; the content stays as it is.

    Parameters
    ----------
    keys : MasterKeys
        Must hold the old and the new master key.
    sealed : Sealed
        Content sealed under any of them.

    Returns
    -------
    Sealed
        Same ciphertext, new wrapped key.
    """
    record_key = aes_key_unwrap(keys.get(sealed.key_id), sealed.wrapped_key)
    return Sealed(keys.newest, aes_key_wrap(keys.get(keys.newest), record_key), sealed.nonce, sealed.ciphertext)
