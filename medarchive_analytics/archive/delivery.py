"""A delivery: what a source adapter hands to intake, and how a delivered folder, file or archive is opened safely."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import polars as pl

from ..core.errors import SourceEncodingError, SourceFormatError, UnsafeInputError

MAX_UNPACKED_BYTES = 20 * 2**30
MAX_RATIO = 200
MAX_MEMBERS = 100_000
_SMALL = 2**20


@dataclass(frozen=True)
class Reject:
    """One received entry that could not be read into rows; intake quarantines it."""

    entry: int
    file: str
    row: int
    filing_table: str
    reason: str
    column: str = ""
    content: str = ""

    def __repr__(self) -> str:
        """Show place and reason, not the content."""
        return f"Reject({self.file}:{self.row}, {self.reason})"


@dataclass
class SourceBatch:
    """All of one delivery, as text.

    Attributes
    ----------
    source : str
        Name of the delivering system.
    frames : dict of str to polars.DataFrame
        By filing table: all declared columns as ``String``, plus ``_entry`` (number of the received entry, null for rows
        derived from a mention in another entry), ``_file``, ``_row`` and ``_extra`` (JSON of what has no column).
    rejects : list of Reject
        Entries that could not be read into rows.
    received : int
        Number of entries received: CSV rows, FHIR resources.
    digest : str
        SHA-256 over the delivered bytes; the same delivery again has the same digest.
    """

    source: str
    frames: dict[str, pl.DataFrame] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    received: int = 0
    digest: str = ""


@contextmanager
def opened_delivery(path: Path) -> Iterator[Path]:
    """Give a folder or file to read; a ZIP archive is unpacked to a private temporary folder first.

    Parameters
    ----------
    path : pathlib.Path
        What was delivered.

    Yields
    ------
    pathlib.Path
        Folder or file. An unpacked folder is removed afterwards.

    Raises
    ------
    SourceFormatError
        If nothing is there.
    UnsafeInputError
        If an archive would unpack to more than the limits, or outside its folder.
    """
    if not path.exists():
        raise SourceFormatError(f"no file or folder at {path}; give the folder the source system exported to")
    if path.is_file() and zipfile.is_zipfile(path):
        folder = Path(tempfile.mkdtemp(prefix="medarchive-delivery-"))
        try:
            _unpack(path, folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    else:
        if path.is_file() and path.suffix.lower() == ".zip":
            raise SourceFormatError(f"{path.name} is not a readable ZIP archive; it may be cut short: deliver it again")
        yield path


def _unpack(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        members = [m for m in opened.infolist() if not m.is_dir()]
        if len(members) > MAX_MEMBERS:
            raise UnsafeInputError(f"{archive.name} holds more than {MAX_MEMBERS:,} files; deliver it in parts")
        total = 0
        for member in members:
            name = PurePosixPath(member.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts:
                raise UnsafeInputError(f"{archive.name} holds a file that would be written outside its folder; refused")
            target = folder.joinpath(*name.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            allowance = max(_SMALL, member.compress_size * MAX_RATIO)
            try:
                total = _copy_member(opened, member, target, allowance, total, archive.name)
            except zipfile.BadZipFile as error:
                raise SourceFormatError(f"{archive.name} is damaged (checksum); deliver it again") from error


def _copy_member(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, allowance: int, total: int, name: str
) -> int:
    # Sizes in the archive's directory can lie, so what counts is what comes out.
    written = 0
    with opened.open(member) as source, target.open("wb") as sink:
        while chunk := source.read(_SMALL):
            written += len(chunk)
            if written > allowance or total + written > MAX_UNPACKED_BYTES:
                raise UnsafeInputError(
                    f"{name} unpacks to far more than its size (limit {MAX_RATIO} times, {MAX_UNPACKED_BYTES // 2**30} GiB in "
                    "all): it may be an archive bomb; unpack it yourself if you trust it, and ingest the folder"
                )
            sink.write(chunk)
    return total + written


def decode(content: bytes, encoding: str, file: str) -> str:
    """Decode the bytes of a delivered text file, strictly.

    Parameters
    ----------
    content : bytes
        File content.
    encoding : str
        Encoding the user said, or UTF-8.
    file : str
        File name for the message.

    Returns
    -------
    str
        The text, without a byte order mark.

    Raises
    ------
    SourceEncodingError
        If a byte does not fit; says where, and which of the usual encodings would fit.
    """
    try:
        return content.decode("utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding)
    except LookupError:
        raise SourceEncodingError(f"unknown encoding {encoding!r}; accepted: utf-8, gb18030, big5, latin-1") from None
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        fits = []
        for other in ("utf-8", "gb18030", "big5"):
            if other != encoding.lower():
                try:
                    content.decode(other)
                    fits.append(other)
                except UnicodeDecodeError:
                    continue
        hint = f"; it would read as {' or '.join(fits)}: say so with --encoding" if fits else ""
        raise SourceEncodingError(
            f"{file} line {line} is not {encoding}{hint}. Nothing of the delivery was filed."
        ) from None
