"""Keyed pseudonyms and date shifts: HMAC-SHA256 with separate domains, so that no list of numbers can be inverted."""

from __future__ import annotations

import hashlib
import hmac

from medarchive_analytics.core.errors import UserError

_MIN_BYTES = 16
_DOMAIN = b"medarchive/deid/v1/"


class SurrogateKey:
    """The secret all pseudonyms, surrogates and date shifts come from.

    Whoever holds it can link a release back to the archive by trying identifiers, so it stays in the vault.

    Parameters
    ----------
    secret : bytes
        At least 16 random bytes.

    Raises
    ------
    UserError
        If the secret is shorter.

    Notes
    -----
    Each use has its own HMAC domain: knowing pseudonyms of one kind says nothing of another kind.

    References
    ----------
    RFC 2104 (HMAC); GB/T 37964-2019, pseudonymisation.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if not isinstance(secret, bytes) or len(secret) < _MIN_BYTES:
            raise UserError(f"a surrogate key needs at least {_MIN_BYTES} bytes; generate one with secrets.token_bytes")
        self._secret = secret

    def __repr__(self) -> str:
        return "SurrogateKey(<hidden>)"

    def digest(self, domain: str, *values: str) -> bytes:
        """Return 32 keyed bytes for a domain and its values.

        Parameters
        ----------
        domain : str
            Purpose of the bytes.
        *values : str
            What is hashed; the boundaries between values count.

        Returns
        -------
        bytes
            HMAC-SHA256.
        """
        parts = [_DOMAIN, domain.encode()]
        for value in values:
            raw = value.encode("utf-8", "surrogatepass")
            parts += [b"\0", len(raw).to_bytes(8, "big"), raw]
        return hmac.digest(self._secret, b"".join(parts), hashlib.sha256)

    def number(self, domain: str, *values: str) -> int:
        """Return a keyed integer of 256 bits.

        Parameters
        ----------
        domain : str
            Purpose.
        *values : str
            What is hashed.

        Returns
        -------
        int
            0 to 2**256 - 1.
        """
        return int.from_bytes(self.digest(domain, *values), "big")

    def pseudonym(self, kind: str, value: str) -> int:
        """Return the keyed 53-bit pseudonym of a value.

        Parameters
        ----------
        kind : str
            What the value is (``person``, ``visit``, ``staff`` or a record table); kinds never collide on purpose.
        value : str
            The identifier.

        Returns
        -------
        int
            1 to 2**53 - 1, exact in a double.
        """
        return (int.from_bytes(self.digest("pseudonym/" + kind, value)[:8], "big") >> 11) or 1

    def shift_days(self, mrn: str, max_weeks: int = 52) -> int:
        """Return the person's date shift: a non-zero whole number of weeks.

        Parameters
        ----------
        mrn : str
            Medical record number.
        max_weeks : int
            Largest shift in weeks.

        Returns
        -------
        int
            Days, a multiple of 7 within plus or minus ``7 * max_weeks``, never 0.
        """
        step = self.number("shift", mrn) % (2 * max_weeks) + 1
        return 7 * (step if step <= max_weeks else max_weeks - step)
