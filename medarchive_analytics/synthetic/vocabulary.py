"""The shipped vocabulary as look-ups by code and by English name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import polars as pl

from ..core.paths import data_dir


@dataclass(frozen=True)
class Term:
    """One vocabulary row: a code and every surface form in both languages."""

    code: str
    code_system: str
    zh: str
    en: str
    forms_zh: tuple[str, ...]
    forms_en: tuple[str, ...]
    row: dict

    def name(self, english: bool) -> str:
        """Return the preferred name in one language."""
        return self.en if english else self.zh

    def forms(self, english: bool) -> tuple[str, ...]:
        """Return the preferred name and the synonyms in one language."""
        return self.forms_en if english else self.forms_zh


@cache
def vocabulary(table: str) -> dict[str, Term]:
    """Return one vocabulary file, by code and by English name.

    Parameters
    ----------
    table : str
        ``conditions``, ``drugs``, ``measurements`` or ``procedures``.

    Returns
    -------
    dict of str to Term
        Two keys per row: its code, and its English name.
    """
    frame = pl.read_csv(data_dir() / "vocab" / f"{table}.csv", infer_schema_length=0)
    terms: dict[str, Term] = {}
    for row in frame.iter_rows(named=True):
        forms = [
            (row[f"name_{lang}"], *(s for s in (row[f"synonyms_{lang}"] or "").split("|") if s))
            for lang in ("zh", "en")
        ]
        term = Term(row["code"], row["code_system"], row["name_zh"], row["name_en"], *map(tuple, forms), row)
        terms[row["code"]] = term
        terms.setdefault(row["name_en"], term)
    return terms
