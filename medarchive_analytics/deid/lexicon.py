"""Word lists of the recognisers, read from ``lexicon.toml`` beside this file."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path


@cache
def lexicon() -> dict:
    """Return all word lists.

    Returns
    -------
    dict
        List name to a string of single characters or a list of words.
    """
    return tomllib.loads(Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8"))


@cache
def word_set(name: str) -> frozenset[str]:
    """Return one list as a set.

    Parameters
    ----------
    name : str
        Key of ``lexicon.toml``.

    Returns
    -------
    frozenset of str
        Its words, or its characters where the list is a string.
    """
    return frozenset(lexicon()[name])
