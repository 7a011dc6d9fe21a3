"""Intake: one delivery in, and afterwards every received entry is filed or quarantined with a reason.

``received = filed + quarantined`` is checked inside the transaction that files the delivery; if it does not hold, nothing of it
is filed. A process that is killed leaves the vault as it was before the delivery.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from sqlalchemy import func, select

from ..core.clock import now_utc
from ..core.errors import IntegrityError
from ..core.filing import FilingStandard, Table, filing_standard
from ..security import audit
from ..security.accounts import Account
from ..security.database import writing
from ..security.permissions import Action, check_may
from .delivery import Reject, SourceBatch
from .sources import read_source
from .validation import judge, judge_keys
from .vault import AUDIT, BATCH, BATCH_RECORD, QUARANTINE, RECORD, RecordEntry, Vault

_FIRST = ("patient", "encounter")
_CLASS_OF = {
    "patient": "registration", "encounter": "front_page", "diagnosis": "front_page", "procedure": "operation_record",
    "drug_order": "order_sheet", "measurement": "laboratory_report", "observation": "observation", "follow_up": "follow_up",
    "staff": "staff_register", "organization": "institution_register", "administrative": "administrative",
}  # fmt: skip
# Registers name the same person or institution in many deliveries; each spelling is kept, since de-identification must know it.
_REGISTERS = ("staff", "organization")
_SITE = "\x00site"


@dataclass(frozen=True)
class IntakeReport:
    """What became of one delivery."""

    batch_id: str
    source: str
    received: int
    filed: int
    quarantined: int
    records_new: int
    reasons: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    is_repeat: bool = False

    @property
    def is_balanced(self) -> bool:
        """Whether received = filed + quarantined."""
        return self.received == self.filed + self.quarantined


def ingest(vault: Vault, source: str, path: Path, actor: Account, encoding: str = "utf-8") -> IntakeReport:
    """File one delivery of a source.

    Parameters
    ----------
    vault : Vault
        Where to file.
    source : str
        Kind of source, see :func:`~medarchive_analytics.archive.sources.available_sources`.
    path : pathlib.Path
        Folder, file or ZIP archive.
    actor : Account
        Archivist.
    encoding : str
        Text encoding of the delivery.

    Returns
    -------
    IntakeReport
        Counts; a delivery that was filed before returns its counts and files nothing.

    Raises
    ------
    UnknownSourceError, SourceFormatError, SourceEncodingError, UnsafeInputError
        If the delivery as a whole cannot be read.
    IntegrityError
        If received = filed + quarantined would not hold; nothing is filed then.
    """
    check_may(actor.role, Action.INGEST)
    batch = read_source(source, path, encoding)
    return file_batch(vault, batch, actor)


def file_batch(vault: Vault, batch: SourceBatch, actor: Account) -> IntakeReport:
    """Validate and file what an adapter has read; see :func:`ingest`.

    Parameters
    ----------
    vault : Vault
        Where to file.
    batch : SourceBatch
        All of one delivery.
    actor : Account
        Archivist.

    Returns
    -------
    IntakeReport
        Counts.
    """
    check_may(actor.role, Action.INGEST)
    batch_id = hashlib.sha256(f"{batch.source}|{batch.digest}|{filing_standard().version}".encode()).hexdigest()
    done = _finished(vault, batch_id)
    if done:
        return done
    accepted, rejects = _sort_out(vault, batch)
    received, quarantined = batch.received, len(rejects)
    with writing(vault.engine) as connection:
        connection.execute(
            BATCH.insert().values(
                batch_id=batch_id,
                source=batch.source,
                state="filing",
                received=received,
                filed=0,
                quarantined=0,
                started=now_utc(),
            )
        )
        new_records, filed = 0, 0
        for part in _in_parts(_records(batch.source, accepted), 2000):
            new, entries = vault.file_records(connection, batch_id, part, actor.username)
            new_records, filed = new_records + new, filed + entries
        vault.quarantine(connection, batch_id, [_reject_row(i, r) for i, r in enumerate(rejects)])
        stored = connection.execute(
            select(func.count()).select_from(QUARANTINE).where(QUARANTINE.c.batch_id == batch_id)
        ).scalar_one()
        linked = connection.execute(
            select(func.coalesce(func.sum(BATCH_RECORD.c.entries), 0)).where(BATCH_RECORD.c.batch_id == batch_id)
        ).scalar_one()
        if received != linked + stored or filed != linked or quarantined != stored:
            raise IntegrityError(
                f"intake of {batch.source} does not balance: received {received}, filed {linked}, quarantined {stored}; "
                "nothing was filed. Report this delivery."
            )
        detail = {"batch": batch_id[:16], "received": received, "filed": filed, "quarantined": quarantined}
        connection.execute(
            BATCH.update()
            .where(BATCH.c.batch_id == batch_id)
            .values(state="finished", filed=filed, quarantined=quarantined, finished=now_utc())
        )
        event = audit.AuditEvent(actor.username, actor.role.value, "ingest_batch", batch.source, "filing", detail)
        audit.append(connection, AUDIT, event)
    reasons = dict(Counter(r.reason for r in rejects))
    rows = {table: frame.height for table, frame in accepted.items()}
    return IntakeReport(batch_id, batch.source, received, filed, quarantined, new_records, reasons, rows)


def _finished(vault: Vault, batch_id: str) -> IntakeReport | None:
    with vault.engine.connect() as connection:
        row = connection.execute(select(BATCH).where(BATCH.c.batch_id == batch_id)).mappings().first()
        if row is None or row["state"] != "finished":
            return None
        reasons = connection.execute(
            select(QUARANTINE.c.reason, func.count())
            .where(QUARANTINE.c.batch_id == batch_id)
            .group_by(QUARANTINE.c.reason)
        )
        counts = {r[0]: r[1] for r in reasons}
    return IntakeReport(batch_id, row["source"], row["received"], row["filed"], row["quarantined"], 0, counts, {}, True)


def _sort_out(vault: Vault, batch: SourceBatch) -> tuple[dict[str, pl.DataFrame], list[Reject]]:
    """Judge patients first, then encounters, then what hangs on them; an entry falls whole if one of its rows falls."""
    standard = filing_standard()
    rejects = list(batch.rejects)
    accepted: dict[str, pl.DataFrame] = {}
    order = [*(t for t in _FIRST if t in batch.frames), *(t for t in batch.frames if t not in _FIRST)]
    for name in order:
        table, frame = standard.table(name), batch.frames[name]
        frame = pl.concat([frame, judge(frame, table)], how="horizontal")
        frame = _judge_links(vault, batch.source, frame, table, accepted)
        fits = frame.filter(pl.col("_reason").is_null())
        if name not in _REGISTERS:
            fits = fits.with_columns(judge_keys(fits, table).alias("_reason"))
        frame = pl.concat([frame.filter(pl.col("_reason").is_not_null()), fits])
        frame = frame.filter(pl.col("_entry").is_not_null() | pl.col("_reason").is_null())
        bad = frame.filter(pl.col("_reason").is_not_null())
        # An entry may have several rows in one table (components of an observation): it is filed whole or not at all.
        bad_entries = bad.select("_entry", "_reason", "_column").unique("_entry", keep="first", maintain_order=True)
        if bad_entries.height:
            whole = frame.drop("_reason", "_column").join(bad_entries, on="_entry", how="inner")
            rejects += _as_rejects(whole, name)
            frame = frame.join(bad_entries.select("_entry"), on="_entry", how="anti", nulls_equal=False)
        accepted[name] = frame.drop("_reason", "_column").sort("_entry", nulls_last=True)
    return accepted, rejects


def _judge_links(
    vault: Vault, source: str, frame: pl.DataFrame, table: Table, accepted: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    if not table.is_released or table.name == "patient":
        return frame
    frame = _mark_unknown(vault, source, frame, "mrn", "unknown_patient", accepted.get("patient"), "patient")
    if "encounter_id" in table.columns and table.name != "encounter":
        frame = _mark_unknown(
            vault, source, frame, "encounter_id", "unknown_encounter", accepted.get("encounter"), "encounter"
        )
    return frame


def _mark_unknown(
    vault: Vault, source: str, frame: pl.DataFrame, column: str, reason: str, known: pl.DataFrame | None, table: str
) -> pl.DataFrame:
    keys = ["mrn"] if column == "mrn" else ["mrn", column]
    pairs = frame.select(keys).unique().drop_nulls()
    if known is not None:
        pairs = pairs.join(known.select(keys).unique(), on=keys, how="anti")
    # What this delivery does not hold may have been filed by an earlier one.
    unknown = [row for row in pairs.iter_rows() if not _is_filed(vault, source, table, row)]
    if not unknown:
        return frame
    missing = pl.DataFrame(unknown, schema=dict.fromkeys(keys, pl.String), orient="row").with_columns(
        _missing=pl.lit(True)
    )
    frame = frame.join(missing, on=keys, how="left", maintain_order="left")
    hit = pl.col("_missing").fill_null(False) & pl.col("_reason").is_null()
    return frame.with_columns(
        pl.when(hit).then(pl.lit(reason)).otherwise(pl.col("_reason")).alias("_reason"),
        pl.when(hit).then(pl.lit(column)).otherwise(pl.col("_column")).alias("_column"),
    ).drop("_missing")


def _is_filed(vault: Vault, source: str, table: str, key: tuple[str, ...]) -> bool:
    place = "" if table == "patient" else key[1]
    record_id = vault.handle("record", source, table, key[0], place)
    with vault.engine.connect() as connection:
        return (
            connection.execute(select(RECORD.c.version).where(RECORD.c.record_id == record_id).limit(1)).first()
            is not None
        )


def _as_rejects(rows: pl.DataFrame, table: str) -> list[Reject]:
    declared = list(filing_standard().table(table).columns)
    content = rows.select(
        pl.coalesce(
            pl.col("_extra").filter(False).first(), pl.struct([*declared, "_extra"]).struct.json_encode()
        ).alias("c")
    )["c"]
    first: dict[int, Reject] = {}
    for row, text in zip(
        rows.select("_entry", "_file", "_row", "_reason", "_column").iter_rows(), content, strict=True
    ):
        if row[0] not in first:
            first[row[0]] = Reject(row[0], row[1], row[2], table, row[3], row[4] or "", text)
    return list(first.values())


def _reject_row(number: int, reject: Reject) -> dict[str, object]:
    return {
        "number": number,
        "file": reject.file,
        "row": reject.row,
        "filing_table": reject.filing_table,
        "reason": reject.reason,
        "column": reject.column,
        "content": reject.content,
    }


def _records(source: str, accepted: dict[str, pl.DataFrame]) -> Iterator[RecordEntry]:
    standard: FilingStandard = filing_standard()
    for name, frame in accepted.items():
        table = standard.table(name)
        if frame.is_empty():
            continue
        has_patient, has_visit = "mrn" in table.columns, "encounter_id" in table.columns
        patient = pl.col("mrn").fill_null(_SITE) if has_patient else pl.lit(_SITE)
        visit = pl.col("encounter_id").fill_null("") if has_visit else pl.lit("")
        # Notes and register entries are records of their own; other rows are filed by visit, as a front page or a report is.
        place = pl.col(table.key) if name == "note" or not has_patient else visit
        record_class = pl.col("record_class") if name == "note" else pl.lit(_CLASS_OF[name])
        coded = frame.select(
            patient.alias("patient"),
            place.alias("place"),
            record_class.alias("record_class"),
            pl.col("_entry").is_not_null().cast(pl.Int64).alias("entries"),
            pl.col("_entry").alias("entry"),
            pl.struct([*table.columns, "_extra"]).struct.json_encode().alias("json"),
        )
        grouped = coded.group_by("patient", "place", "record_class", maintain_order=True).agg(
            pl.col("entry").drop_nulls().n_unique().alias("entries"), pl.col("json").str.join(",").alias("json")
        )
        for patient_, place_, class_, entries, text in grouped.iter_rows():
            yield RecordEntry(name, class_, source, patient_, place_, f"[{text}]".encode(), entries)


def _in_parts(entries: Iterator[RecordEntry], size: int) -> Iterator[list[RecordEntry]]:
    part: list[RecordEntry] = []
    for entry in entries:
        part.append(entry)
        if len(part) >= size:
            yield part
            part = []
    if part:
        yield part


def read_payload(content: bytes) -> list[dict[str, str | None]]:
    """Return the rows of an opened record.

    Parameters
    ----------
    content : bytes
        Content of a :class:`~medarchive_analytics.archive.vault.StoredRecord`.

    Returns
    -------
    list of dict
        Rows as text, as they were delivered.
    """
    return json.loads(content)
