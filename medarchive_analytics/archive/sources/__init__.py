"""Sources: one file per kind of hospital system, found by scanning this package.

A source module has ``NAME`` (what the command line calls it), ``TITLE`` and ``read(path, encoding) -> SourceBatch``. One more
source is one more file here, one test, one line in the docs.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

from ...core.errors import UnknownSourceError, unknown_choice
from ..delivery import SourceBatch, opened_delivery


def available_sources() -> dict[str, ModuleType]:
    """Return the source modules by name.

    Returns
    -------
    dict of str to module
        Every module of this package that declares ``NAME``.
    """
    found = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        if hasattr(module, "NAME"):
            found[module.NAME] = module
    return found


def read_source(name: str, path: Path, encoding: str = "utf-8") -> SourceBatch:
    """Read one delivery of a source.

    Parameters
    ----------
    name : str
        Kind of source, e.g. ``"csv"``, ``"synthea"`` or ``"fhir"``.
    path : pathlib.Path
        Folder, single file or ZIP archive.
    encoding : str
        Text encoding the delivery was written in.

    Returns
    -------
    SourceBatch
        Rows as text, by filing table, with what could not be read at all.

    Raises
    ------
    UnknownSourceError
        If there is no such source.
    SourceFormatError, SourceEncodingError, UnsafeInputError
        If the delivery as a whole cannot be read; nothing of it is filed then.
    """
    sources = available_sources()
    if name not in sources:
        raise UnknownSourceError(unknown_choice("source", name, sources))
    with opened_delivery(path) as opened:
        return sources[name].read(opened, encoding)
