"""The vault: sealed record versions, quarantined entries, treatment relationships and the audit chain, in one database.

A record is the rows one source delivered for one visit and one filing table (each note is a record of its own). Content is
sealed; what stays readable beside it is a keyed handle of the patient, the filing class and the filing time, so that an
archivist can manage records without being able to read them. Versions are only ever added: triggers in the database refuse to
change or delete them.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    func,
    select,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from ..core.clock import now_utc
from ..core.errors import UserError
from ..security import audit
from ..security.database import open_database, writing
from ..security.sealing import MasterKeys, Sealed, rewrap, seal, unseal

METADATA = MetaData()
RECORD = Table(
    "record_version",
    METADATA,
    Column("record_id", String(32), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("filing_table", String(40), nullable=False),
    Column("record_class", String(40), nullable=False),
    Column("source", String(80), nullable=False),
    Column("patient_handle", String(32), nullable=False),
    Column("content_digest", String(64), nullable=False),
    Column("filed_at", String(40), nullable=False),
    Column("filed_by", String(120), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Index("ix_record_patient", "patient_handle"),
)
BATCH = Table(
    "batch",
    METADATA,
    Column("batch_id", String(64), primary_key=True),
    Column("source", String(80), nullable=False),
    Column("state", String(20), nullable=False),
    Column("received", Integer, nullable=False),
    Column("filed", Integer, nullable=False),
    Column("quarantined", Integer, nullable=False),
    Column("started", String(40), nullable=False),
    Column("finished", String(40)),
)
BATCH_RECORD = Table(
    "batch_record",
    METADATA,
    Column("batch_id", String(64), primary_key=True),
    Column("record_id", String(32), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("entries", Integer, nullable=False),
    ForeignKeyConstraint(["record_id", "version"], ["record_version.record_id", "record_version.version"]),
)
QUARANTINE = Table(
    "quarantine",
    METADATA,
    Column("batch_id", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("file", String(200), nullable=False),
    Column("row", Integer, nullable=False),
    Column("filing_table", String(40), nullable=False),
    Column("reason", String(80), nullable=False),
    Column("column", String(80), nullable=False),
    Column("key_id", String(40), nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
)
CARE = Table(
    "treatment_relationship",
    METADATA,
    Column("username", String(80), primary_key=True),
    Column("patient_handle", String(32), primary_key=True),
    Column("since", String(40), nullable=False),
    Column("until", String(40)),
)
AUDIT = audit.audit_table(METADATA)

_TRIGGERS = (
    """CREATE TRIGGER IF NOT EXISTS record_version_is_kept BEFORE DELETE ON record_version
       BEGIN SELECT RAISE(ABORT, 'record versions are never deleted'); END""",
    """CREATE TRIGGER IF NOT EXISTS record_version_is_fixed
       BEFORE UPDATE OF record_id, version, filing_table, record_class, source, patient_handle, content_digest, filed_at,
       filed_by, nonce, ciphertext ON record_version
       BEGIN SELECT RAISE(ABORT, 'record versions are never changed; file a new version'); END""",
    """CREATE TRIGGER IF NOT EXISTS audit_event_is_kept BEFORE DELETE ON audit_event
       BEGIN SELECT RAISE(ABORT, 'audit events are never deleted'); END""",
    """CREATE TRIGGER IF NOT EXISTS audit_event_is_fixed BEFORE UPDATE ON audit_event
       BEGIN SELECT RAISE(ABORT, 'audit events are never changed'); END""",
)


@dataclass(frozen=True)
class RecordEntry:
    """What is filed as one record: plain content on its way into the vault."""

    filing_table: str
    record_class: str
    source: str
    patient: str
    place: str
    content: bytes
    entries: int

    def __repr__(self) -> str:
        """Show the kind of record only; patient, place and content stay out of logs."""
        return f"RecordEntry({self.filing_table}, {self.record_class}, entries={self.entries})"


@dataclass(frozen=True)
class StoredRecord:
    """One opened record version."""

    record_id: str
    version: int
    filing_table: str
    record_class: str
    source: str
    patient_handle: str
    content: bytes

    def __repr__(self) -> str:
        """Show metadata only."""
        return f"StoredRecord({self.record_id}, v{self.version}, {self.filing_table})"


class Vault:
    """The sealed store of one home.

    Parameters
    ----------
    path : pathlib.Path
        SQLite file.
    keys : MasterKeys
        Master keys of the identified zone.
    """

    def __init__(self, path: Path, keys: MasterKeys) -> None:
        self.engine = open_database(path)
        self.keys = keys
        self._handle_key = keys.derive("patient-handle")
        self._digest_key = keys.derive("content-digest")
        METADATA.create_all(self.engine)
        with writing(self.engine) as connection:
            for trigger in _TRIGGERS:
                connection.exec_driver_sql(trigger)

    def close(self) -> None:
        """Close the database connections."""
        self.engine.dispose()

    def handle(self, *parts: str) -> str:
        """Return the keyed handle of a patient or record: the same for the same parts, telling nothing without the key.

        Parameters
        ----------
        *parts : str
            E.g. the record number of a patient.

        Returns
        -------
        str
            32 hexadecimal digits.
        """
        message = "\x1f".join(parts).encode()
        return hmac.new(self._handle_key, message, hashlib.sha256).hexdigest()[:32]

    def file_records(
        self, connection: Connection, batch_id: str, entries: Iterable[RecordEntry], filed_by: str
    ) -> tuple[int, int]:
        """File records inside the caller's transaction.

        A record whose content is already there is not filed again; changed content becomes the next version.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            Write transaction, see :func:`~medarchive_analytics.security.database.writing`.
        batch_id : str
            The delivery they came in.
        entries : iterable of RecordEntry
            What to file.
        filed_by : str
            Account name.

        Returns
        -------
        tuple of (int, int)
            Number of records that are new or changed, and number of source entries they and the unchanged ones hold.
        """
        entries = list(entries)
        ids = [self.handle("record", e.source, e.filing_table, e.patient, e.place) for e in entries]
        latest = self._latest_digests(connection, ids)
        rows, links = [], []
        now = now_utc()
        for record_id, entry in zip(ids, entries, strict=True):
            digest = hmac.new(self._digest_key, entry.content, hashlib.sha256).hexdigest()
            version, known = latest.get(record_id, (0, ""))
            if known != digest:
                version += 1
                sealed = seal(self.keys, record_id, version, entry.content)
                rows.append(
                    {
                        "record_id": record_id,
                        "version": version,
                        "filing_table": entry.filing_table,
                        "record_class": entry.record_class,
                        "source": entry.source,
                        "patient_handle": self.handle("patient", entry.patient),
                        "content_digest": digest,
                        "filed_at": now,
                        "filed_by": filed_by,
                        **_sealed_columns(sealed),
                    }
                )
                latest[record_id] = (version, digest)
            links.append({"batch_id": batch_id, "record_id": record_id, "version": version, "entries": entry.entries})
        if rows:
            connection.execute(RECORD.insert(), rows)
        if links:
            statement = sqlite_insert(BATCH_RECORD)
            statement = statement.on_conflict_do_update(
                index_elements=["batch_id", "record_id"],
                set_={"version": statement.excluded.version, "entries": statement.excluded.entries},
            )
            connection.execute(statement, links)
        return len(rows), sum(link["entries"] for link in links)

    def _latest_digests(self, connection: Connection, ids: list[str]) -> dict[str, tuple[int, str]]:
        found: dict[str, tuple[int, str]] = {}
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            query = select(RECORD.c.record_id, RECORD.c.version, RECORD.c.content_digest).where(
                RECORD.c.record_id.in_(part)
            )
            for row in connection.execute(query):
                if row.version > found.get(row.record_id, (0, ""))[0]:
                    found[row.record_id] = (row.version, row.content_digest)
        return found

    def add_version(self, connection: Connection, record: StoredRecord, content: bytes, filed_by: str) -> int:
        """Add the next version of one record inside the caller's transaction.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            Write transaction.
        record : StoredRecord
            The version that was read and is amended.
        content : bytes
            New content.
        filed_by : str
            Account name.

        Returns
        -------
        int
            Number of the new version.

        Raises
        ------
        UserError
            If somebody filed a version after this one was read.
        """
        newest = self._latest_digests(connection, [record.record_id])[record.record_id][0]
        if newest != record.version:
            raise UserError(f"the record was amended meanwhile (version {newest}); read it again and amend that")
        digest = hmac.new(self._digest_key, content, hashlib.sha256).hexdigest()
        sealed = seal(self.keys, record.record_id, newest + 1, content)
        connection.execute(
            RECORD.insert().values(
                record_id=record.record_id,
                version=newest + 1,
                filing_table=record.filing_table,
                record_class=record.record_class,
                source=record.source,
                patient_handle=record.patient_handle,
                content_digest=digest,
                filed_at=now_utc(),
                filed_by=filed_by,
                **_sealed_columns(sealed),
            )
        )
        return newest + 1

    def quarantine(self, connection: Connection, batch_id: str, rejects: list[dict[str, object]]) -> None:
        """Seal entries that do not fit the filing standard, with the reason in the clear.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            Write transaction.
        batch_id : str
            The delivery they came in.
        rejects : list of dict
            Keys ``number, file, row, filing_table, reason, column, content``.
        """
        rows = []
        for reject in rejects:
            sealed = seal(
                self.keys, f"quarantine/{batch_id}", int(str(reject["number"])), str(reject["content"]).encode()
            )
            kept = {k: reject[k] for k in ("number", "file", "row", "filing_table", "reason", "column")}
            rows.append({"batch_id": batch_id, **kept, **_sealed_columns(sealed)})
        if rows:
            connection.execute(sqlite_insert(QUARANTINE).on_conflict_do_nothing(), rows)

    def patient_handles(self) -> list[str]:
        """Return the handles of all patients that have a registration record, sorted.

        Returns
        -------
        list of str
            Handles.
        """
        query = select(RECORD.c.patient_handle).where(RECORD.c.filing_table == "patient").distinct()
        with self.engine.connect() as connection:
            return sorted(connection.execute(query).scalars())

    def read_latest(
        self, connection: Connection, handles: list[str] | None = None, tables: Iterable[str] | None = None
    ) -> Iterator[StoredRecord]:
        """Open the latest version of records. Callers in the reading room have checked the right and written the audit event.

        Parameters
        ----------
        connection : sqlalchemy.Connection
            Open connection.
        handles : list of str, optional
            Patients; all when None.
        tables : iterable of str, optional
            Filing tables; all when None.

        Yields
        ------
        StoredRecord
            In the order of record id.
        """
        newest = select(RECORD.c.record_id, func.max(RECORD.c.version).label("version")).group_by(RECORD.c.record_id)
        conditions = []
        if tables is not None:
            conditions.append(RECORD.c.filing_table.in_(sorted(tables)))
        parts = [None] if handles is None else [handles[i : i + 500] for i in range(0, len(handles), 500)]
        for part in parts:
            where = [*conditions, RECORD.c.patient_handle.in_(part)] if part is not None else conditions
            inner = (newest.where(*where) if where else newest).subquery()
            query = (
                select(RECORD)
                .join(inner, and_(RECORD.c.record_id == inner.c.record_id, RECORD.c.version == inner.c.version))
                .order_by(RECORD.c.record_id)
            )
            for row in connection.execute(query).mappings():
                sealed = Sealed(row["key_id"], row["wrapped_key"], row["nonce"], row["ciphertext"])
                yield StoredRecord(
                    row["record_id"],
                    row["version"],
                    row["filing_table"],
                    row["record_class"],
                    row["source"],
                    row["patient_handle"],
                    unseal(self.keys, row["record_id"], row["version"], sealed),
                )

    def content_digest(self, handles: list[str]) -> str:
        """Return a digest of the latest versions of some patients' records: equal digests mean equal content.

        Parameters
        ----------
        handles : list of str
            Patients.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        digest = hashlib.sha256()
        with self.engine.connect() as connection:
            for start in range(0, len(handles), 500):
                part = handles[start : start + 500]
                query = (
                    select(RECORD.c.record_id, func.max(RECORD.c.version).label("version"), RECORD.c.content_digest)
                    .where(RECORD.c.patient_handle.in_(part))
                    .group_by(RECORD.c.record_id)
                    .order_by(RECORD.c.record_id)
                )
                for row in connection.execute(query):
                    digest.update(f"{row.record_id}|{row.version}|{row.content_digest}\n".encode())
        return digest.hexdigest()

    def state_digest(self) -> str:
        """Return a digest of which record versions there are; equal digests mean equal content.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        digest = hashlib.sha256()
        query = select(RECORD.c.record_id, RECORD.c.version, RECORD.c.content_digest).order_by(
            RECORD.c.record_id, RECORD.c.version
        )
        with self.engine.connect() as connection:
            for row in connection.execute(query):
                digest.update(f"{row.record_id}|{row.version}|{row.content_digest}\n".encode())
        return digest.hexdigest()

    def rotate_keys(self, event: audit.AuditEvent) -> int:
        """Make a new master key and re-wrap every record key under it; no content is touched.

        Parameters
        ----------
        event : AuditEvent
            Who rotates and why.

        Returns
        -------
        int
            Number of keys re-wrapped, quarantined entries included.
        """
        self.keys.add()
        count = 0
        with writing(self.engine) as connection:
            for table, keys in ((RECORD, ("record_id", "version")), (QUARANTINE, ("batch_id", "number"))):
                columns = [table.c[k] for k in keys]
                for row in connection.execute(select(*columns, table.c.key_id, table.c.wrapped_key)).mappings().all():
                    if not row["wrapped_key"] or row["key_id"] == self.keys.newest:
                        continue
                    fresh = rewrap(self.keys, Sealed(row["key_id"], row["wrapped_key"], b"", b""))
                    connection.execute(
                        table.update()
                        .where(*(table.c[k] == row[k] for k in keys))
                        .values(key_id=fresh.key_id, wrapped_key=fresh.wrapped_key)
                    )
                    count += 1
            audit.append(connection, AUDIT, event)
        return count

    def destroy_keys(self, patient: str, event: audit.AuditEvent) -> int:
        """Destroy the keys of all records of one patient: their content can never be read again from this database.

        Parameters
        ----------
        patient : str
            Record number of the patient.
        event : AuditEvent
            Who destroys and why.

        Returns
        -------
        int
            Number of record versions made unreadable. Copies in backups stay readable until their key backups expire.
        """
        handle = self.handle("patient", patient)
        with writing(self.engine) as connection:
            result = connection.execute(
                RECORD.update().where(RECORD.c.patient_handle == handle).values(wrapped_key=b"", key_id="destroyed")
            )
            audit.append(connection, AUDIT, event)
        return result.rowcount


def _sealed_columns(sealed: Sealed) -> dict[str, object]:
    return {
        "key_id": sealed.key_id,
        "wrapped_key": sealed.wrapped_key,
        "nonce": sealed.nonce,
        "ciphertext": sealed.ciphertext,
    }
