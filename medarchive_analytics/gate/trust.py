"""Whom a store trusts: the gate's signing keys and the stewards' public keys, and which releases were revoked.

The trust file is the root of the store's protection: who can write it can decide what the store accepts. File rights keep it
apart from the gate; this module only reads and writes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from ..core.errors import KeyUnavailableError
from ..core.files import canonical_json, write_atomic


@dataclass(frozen=True)
class Trust:
    """Public keys, hexadecimal, and revoked release ids with their reasons."""

    gate_keys: tuple[str, ...] = ()
    stewards: dict[str, str] = field(default_factory=dict)
    revoked: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Trust:
        """Read the trust file.

        Parameters
        ----------
        path : pathlib.Path
            ``trust.json``.

        Returns
        -------
        Trust
            What it holds.

        Raises
        ------
        KeyUnavailableError
            If there is no trust file: an unknown signer is never trusted.
        """
        if not path.exists():
            raise KeyUnavailableError(
                "the store has no trust file, so no release can be verified; `medarchive init` writes it"
            )
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(raw["gate_keys"]), dict(raw["stewards"]), dict(raw["revoked"]))

    def write(self, path: Path) -> None:
        """Write the trust file.

        Parameters
        ----------
        path : pathlib.Path
            ``trust.json``.
        """
        content = {"gate_keys": list(self.gate_keys), "stewards": self.stewards, "revoked": self.revoked}
        write_atomic(path, canonical_json(content))


class GateKey:
    """The gate's own signing key.

    Parameters
    ----------
    path : pathlib.Path
        Raw Ed25519 private key, readable by the gate alone; made when absent.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raw = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            write_atomic(path, raw, mode=0o600)
        self._key = Ed25519PrivateKey.from_private_bytes(path.read_bytes())

    def __repr__(self) -> str:
        """Show the public half only."""
        return f"GateKey({self.public[:8]}…)"

    @property
    def public(self) -> str:
        """Public key, hexadecimal."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def sign(self, message: bytes) -> str:
        """Sign a message.

        Parameters
        ----------
        message : bytes
            What is signed.

        Returns
        -------
        str
            Signature, hexadecimal.
        """
        return self._key.sign(message).hex()


def is_signed(message: bytes, signature: str, public_key: str) -> bool:
    """Answer whether a signature is right.

    Parameters
    ----------
    message : bytes
        What was signed.
    signature, public_key : str
        Hexadecimal.

    Returns
    -------
    bool
        False for any malformed or wrong signature.
    """
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
