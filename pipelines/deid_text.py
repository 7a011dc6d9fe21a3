"""``medarchive deid text``: JSON Lines in, JSON Lines out, one line at a time."""

from __future__ import annotations

import os
from typing import TextIO

from medarchive_analytics.core.home import Home
from medarchive_analytics.deid import JsonlDeidentifier, SurrogateKey, load_policy

from .context import open_identified


def stream(source: TextIO, sink: TextIO, lang: str, spans_only: bool, home: Home | None) -> int:
    """De-identify lines as they come.

    Parameters
    ----------
    source, sink : file
        JSON Lines.
    lang : str
        ``auto``, ``zh`` or ``en``.
    spans_only : bool
        Leave the rewritten text out.
    home : Home or None
        Home whose linkage key makes the surrogates; without one they hold for this run only.

    Returns
    -------
    int
        Number of lines that could not be read; each has an error record in the output.
    """
    if home is None:
        key = SurrogateKey(os.urandom(32))
    else:
        zone = open_identified(home)
        key = zone.surrogate_key
        zone.vault.close()
    worker = JsonlDeidentifier(load_policy("shifted"), key, language=lang, is_spans_only=spans_only)
    for line in worker.run(source):
        sink.write(line + "\n")
    return worker.counts["errors"]
