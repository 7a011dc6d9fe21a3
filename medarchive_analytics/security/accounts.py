"""Local accounts: a name, one role, an argon2 password hash, and for stewards a signing key only their password opens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import Boolean, Column, LargeBinary, MetaData, String, Table, select

from ..core.clock import now_utc
from ..core.errors import AuthenticationError, UserError
from .audit import AuditEvent, append, audit_table
from .database import open_database, writing
from .permissions import Action, Role, check_may

_METADATA = MetaData()
_ACCOUNT = Table(
    "account",
    _METADATA,
    Column("username", String(80), primary_key=True),
    Column("role", String(40), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("is_active", Boolean, nullable=False, default=True),
    Column("public_key", String(64)),
    Column("sealed_private_key", LargeBinary),
    Column("created", String(40), nullable=False),
)
_AUDIT = audit_table(_METADATA)
_HASHER = PasswordHasher()
# Verified when the account is unknown, so that an unknown name takes as long as a wrong password.
_DUMMY_HASH = "$argon2id$v=19$m=65536,t=3,p=4$E83XP6Sm2JD/IXanSdVyPQ$4HI9/YXZgIgsh07B+fBwL9mzqBJZCp23F/uvFcJq23k"


@dataclass(frozen=True)
class Account:
    """A signed-in person: the name and the role, nothing secret."""

    username: str
    role: Role
    public_key: str = ""


class AccountBook:
    """The accounts of one home.

    Parameters
    ----------
    path : pathlib.Path
        SQLite file; created when absent.
    """

    def __init__(self, path: Path) -> None:
        self._engine = open_database(path)
        _METADATA.create_all(self._engine)

    def add(self, username: str, role: Role, password: str, actor: Account | None = None) -> Account:
        """Create an account.

        Parameters
        ----------
        username : str
            1-80 characters; letters, digits, ``.``, ``-``, ``_``.
        role : Role
            The one role of the account.
        password : str
            At least 8 characters.
        actor : Account, optional
            Administrator who creates it. None is accepted only for the very first account, which must be an administrator.

        Returns
        -------
        Account
            The new account.

        Raises
        ------
        UserError
            If the name is taken or malformed, or the password too short.
        AccessDeniedError
            If the actor is no administrator.
        """
        if not username or len(username) > 80 or not all(c.isalnum() or c in ".-_" for c in username):
            raise UserError("an account name has 1-80 letters, digits, dots, hyphens or underscores")
        if len(password) < 8:
            raise UserError("a password has at least 8 characters")
        public, sealed = (None, None)
        if role is Role.STEWARD:
            public, sealed = _new_signing_key(password)
        with writing(self._engine) as connection:
            if actor is None:
                first = connection.execute(select(_ACCOUNT.c.username).limit(1)).first() is None
                if not (first and role is Role.ADMIN):
                    check_may(Role.RESEARCHER, Action.MANAGE_ACCOUNTS)
            else:
                check_may(actor.role, Action.MANAGE_ACCOUNTS)
            taken = connection.execute(select(_ACCOUNT.c.username).where(_ACCOUNT.c.username == username)).first()
            if taken:
                raise UserError(f"account {username!r} exists already")
            connection.execute(
                _ACCOUNT.insert().values(
                    username=username,
                    role=role.value,
                    password_hash=_HASHER.hash(password),
                    is_active=True,
                    public_key=public,
                    sealed_private_key=sealed,
                    created=now_utc(),
                )
            )
            by = actor.username if actor else "init"
            append(connection, _AUDIT, AuditEvent(by, "admin", "add_account", username, "", {"role": role.value}))
        return Account(username, role, public or "")

    def get(self, username: str) -> Account | None:
        """Return an active account without signing in, or None.

        Parameters
        ----------
        username : str
            Account name.

        Returns
        -------
        Account or None
            None when unknown or deactivated.
        """
        with self._engine.connect() as connection:
            row = connection.execute(select(_ACCOUNT).where(_ACCOUNT.c.username == username)).mappings().first()
        if row is None or not row["is_active"]:
            return None
        return Account(username, Role.parse(row["role"]), row["public_key"] or "")

    def sign_in(self, username: str, password: str) -> Account:
        """Check a password.

        Parameters
        ----------
        username, password : str
            As typed.

        Returns
        -------
        Account
            The account, when the password is right and the account active.

        Raises
        ------
        AuthenticationError
            Otherwise; the message does not say which of the two was wrong.
        """
        with self._engine.connect() as connection:
            row = connection.execute(select(_ACCOUNT).where(_ACCOUNT.c.username == username)).mappings().first()
        try:
            _HASHER.verify(row["password_hash"] if row else _DUMMY_HASH, password)
            is_right = row is not None and bool(row["is_active"])
        except (VerificationError, InvalidHashError):
            is_right = False
        if row is None or not is_right:
            raise AuthenticationError("account name or password is wrong; an administrator can reset a password")
        return Account(username, Role.parse(row["role"]), row["public_key"] or "")

    def sign(self, username: str, password: str, message: bytes) -> bytes:
        """Sign a message with a steward's own key.

        Parameters
        ----------
        username, password : str
            The steward's; the password opens the key.
        message : bytes
            What is signed.

        Returns
        -------
        bytes
            Ed25519 signature, 64 bytes.

        Raises
        ------
        AuthenticationError
            If the password is wrong.
        UserError
            If the account has no signing key (it is no steward).
        """
        self.sign_in(username, password)
        with self._engine.connect() as connection:
            sealed = connection.execute(
                select(_ACCOUNT.c.sealed_private_key).where(_ACCOUNT.c.username == username)
            ).scalar()
        if not sealed:
            raise UserError(f"account {username!r} has no signing key; only stewards sign approvals")
        key = load_pem_private_key(sealed, password.encode())
        if not isinstance(key, Ed25519PrivateKey):
            raise UserError(f"the signing key of account {username!r} is of an unknown kind; create the account anew")
        return key.sign(message)

    def all(self) -> list[Account]:
        """Return all active accounts, by name.

        Returns
        -------
        list of Account
            Active accounts.
        """
        with self._engine.connect() as connection:
            rows = connection.execute(select(_ACCOUNT).where(_ACCOUNT.c.is_active).order_by(_ACCOUNT.c.username))
            return [Account(r["username"], Role.parse(r["role"]), r["public_key"] or "") for r in rows.mappings()]

    def deactivate(self, username: str, actor: Account) -> None:
        """Close an account; it stays on record and can do nothing.

        Parameters
        ----------
        username : str
            Account to close.
        actor : Account
            Administrator.
        """
        check_may(actor.role, Action.MANAGE_ACCOUNTS)
        with writing(self._engine) as connection:
            connection.execute(_ACCOUNT.update().where(_ACCOUNT.c.username == username).values(is_active=False))
            append(connection, _AUDIT, AuditEvent(actor.username, actor.role, "deactivate_account", username))


def _new_signing_key(password: str) -> tuple[str, bytes]:
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    return public, sealed
