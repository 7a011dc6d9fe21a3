"""Writing files so that a killed process leaves either the old file or the new one, never half of one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a file by way of a temporary neighbour and a rename.

    Parameters
    ----------
    path : pathlib.Path
        Final place; its folder is created.
    content : bytes
        The whole content.
    mode : int
        Permission bits of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def replace_folder(finished: Path, target: Path) -> None:
    """Put a finished folder in its final place, replacing an older one.

    Parameters
    ----------
    finished : pathlib.Path
        Complete folder on the same file system.
    target : pathlib.Path
        Final place. An existing folder is moved aside first and removed last, so a kill in between leaves a whole copy.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    if target.exists():
        target.rename(aside)
    finished.rename(target)
    shutil.rmtree(aside, ignore_errors=True)


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text.

    Parameters
    ----------
    path : pathlib.Path
        An existing file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def canonical_json(value: Any) -> bytes:
    """Encode a value as JSON in the one form that is hashed and signed.

    Parameters
    ----------
    value : Any
        Plain objects: dict, list, str, int, float, bool, None.

    Returns
    -------
    bytes
        UTF-8, sorted keys, no white space.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": "病"})
    b'{"a":"\\xe7\\x97\\x85","b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
