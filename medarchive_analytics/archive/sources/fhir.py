"""HL7 FHIR R4: Bundles (``*.json``) and bulk export (``*.ndjson``).

Every resource is one received entry. A line of a bulk export that is cut short is quarantined; a bundle file that is cut short
refuses the delivery, since its resources cannot be told apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from ...core.errors import SourceFormatError
from ...core.filing import filing_standard
from ..delivery import Reject, SourceBatch, decode
from ..fhir_rows import References, UnusableResource, rows_of

NAME = "fhir"
TITLE = "HL7 FHIR R4 bundles and bulk NDJSON"
_EXPORT_LOG = "log.ndjson"


def read(path: Path, encoding: str = "utf-8") -> SourceBatch:
    """Read a folder (or one file) of FHIR R4 resources.

    Parameters
    ----------
    path : pathlib.Path
        Folder with ``*.json`` bundles and ``*.ndjson`` files, searched in depth, or one of them.
    encoding : str
        FHIR says UTF-8; another encoding is accepted when the user says so.

    Returns
    -------
    SourceBatch
        Rows as text.

    Raises
    ------
    SourceFormatError
        If there is no FHIR file, or a bundle is cut short.
    """
    paths = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in (".json", ".ndjson"))
    if not paths:
        raise SourceFormatError("no *.json or *.ndjson file found; give the folder of the FHIR export")
    batch = SourceBatch("fhir")
    digest = hashlib.sha256()
    refs = References()
    # Two passes, since a reference may point to a resource that comes later; the text is parsed again to keep memory flat.
    for file in paths:
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
        for resource, full_url, _row in _resources(file, encoding):
            if isinstance(resource, dict) and isinstance(resource.get("resourceType"), str):
                refs.learn(resource, full_url)
    collected: dict[str, list[dict[str, Any]]] = {}
    derived: set[tuple[str, str]] = set()
    for file in paths:
        for resource, _full_url, row in _resources(file, encoding):
            _take(resource, file.name, row, refs, batch, collected, derived)
    batch.digest = digest.hexdigest()
    for table, rows in collected.items():
        columns = [*filing_standard().table(table).columns, "_file", "_extra"]
        schema: dict[str, Any] = dict.fromkeys(columns, pl.String) | {"_entry": pl.Int64, "_row": pl.Int64}
        batch.frames[table] = pl.DataFrame(rows, schema=schema)
    return batch


def _resources(path: Path, encoding: str) -> Iterator[tuple[Any, str | None, int]]:
    text = decode(path.read_bytes(), encoding, path.name)
    if path.suffix == ".ndjson":
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    yield json.loads(line), None, number
                except json.JSONDecodeError:
                    yield line, None, number
        return
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise SourceFormatError(
            f"{path.name} is no complete JSON (line {error.lineno}); it may be cut short: export it again. "
            "Nothing of the delivery was filed."
        ) from None
    if isinstance(content, dict) and content.get("resourceType") == "Bundle":
        for number, entry in enumerate(content.get("entry", ()), start=1):
            yield entry.get("resource", entry), entry.get("fullUrl"), number
    else:
        yield content, None, 1


def _take(
    resource: Any,
    file: str,
    row: int,
    refs: References,
    batch: SourceBatch,
    collected: dict[str, list[dict[str, Any]]],
    derived: set[tuple[str, str]],
) -> None:
    entry, batch.received = batch.received, batch.received + 1
    raw = resource if isinstance(resource, str) else json.dumps(resource, ensure_ascii=False)
    if isinstance(resource, str):
        batch.rejects.append(Reject(entry, file, row, "", "broken_json", "", raw))
        return
    if file == _EXPORT_LOG and isinstance(resource, dict) and "eventId" in resource:
        rows = [("administrative", {"entry_id": f"{file}:{row}", "kind": "ExportLog", "content": raw})]
    else:
        try:
            if not isinstance(resource, dict):
                raise UnusableResource("not_a_resource", "")
            rows = rows_of(resource, refs)  # type: ignore[assignment]
        except UnusableResource as error:
            batch.rejects.append(Reject(entry, file, row, "", error.reason, error.element, raw))
            return
    for table, values in rows:
        if values.pop("_derived", None):
            key = (table, str(values.get("name")))
            if key in derived:
                continue
            derived.add(key)
            place: dict[str, Any] = {"_entry": None, "_file": file, "_row": row, "_extra": None}
        else:
            extra = None if table == "administrative" else raw
            place = {"_entry": entry, "_file": file, "_row": row, "_extra": extra}
        collected.setdefault(table, []).append({**values, **place})
