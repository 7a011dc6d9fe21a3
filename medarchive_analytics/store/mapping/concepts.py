"""Which concept does a source code stand for, and which key does a derived row get?

Codes of the shipped vocabularies (``data/vocab/*.csv``) and of ``local_concepts.csv`` keep their fixed local ids. Any other
code is first class too: it gets an id from 2,100,000,000 on, in sorted order of (code system, code), with
``*_concept_id`` 0. An allocation made by an earlier release of the same store is passed in and kept, so that ids do not move
between loads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import StringIO

import polars as pl

from ...core.errors import ReleaseRefusedError
from ...core.paths import data_dir

FIRST_UNMAPPED_ID = 2_100_000_000
"""First concept id given to a source code that no vocabulary of ours explains."""

_DOMAINS = {
    "conditions": "Condition",
    "drugs": "Drug",
    "procedures": "Procedure",
    "measurements": "Measurement",
    "observations": "Observation",
}
CONCEPT_SCHEMA: dict[str, pl.DataType] = {
    "concept_id": pl.Int64(),
    "code": pl.String(),
    "code_system": pl.String(),
    "domain": pl.String(),
    "name_zh": pl.String(),
    "name_en": pl.String(),
    "synonyms_zh": pl.String(),
    "synonyms_en": pl.String(),
}
"""Columns of a concept frame inside the mapping."""

_UNMAPPED_BIT = 1 << 62


def _read(text: str, domain: str | None) -> pl.DataFrame:
    frame = pl.read_csv(StringIO(text), infer_schema=False)
    if domain is not None and "domain" not in frame.columns:
        frame = frame.with_columns(pl.lit(domain).alias("domain"))
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None, dtype=pl.String)).cast(dtype).alias(name)
        for name, dtype in CONCEPT_SCHEMA.items()
    )


@cache
def known_concepts() -> pl.DataFrame:
    """Which concepts have a fixed local id?

    Returns
    -------
    polars.DataFrame
        Columns of ``CONCEPT_SCHEMA``, sorted by ``concept_id``.

    Raises
    ------
    ReleaseRefusedError
        If two rows claim one id, or one code has two ids.
    """
    local = resources.files(__package__.rpartition(".")[0]).joinpath("local_concepts.csv").read_text(encoding="utf-8")
    frames = [_read(local, None)]
    for path in sorted((data_dir() / "vocab").glob("*.csv")):
        header = path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")
        if {"concept_id", "code", "code_system"} <= set(header):
            frames.append(_read(path.read_text(encoding="utf-8"), _DOMAINS.get(path.stem, "Observation")))
    book = pl.concat(frames).sort("concept_id")
    if book["concept_id"].n_unique() != book.height or book.select("code_system", "code").n_unique() != book.height:
        raise ReleaseRefusedError("the vocabulary files give one concept id or one code twice; each must be unique")
    return book


def surrogate_key(*parts: pl.Expr | str) -> pl.Expr:
    """Which key does a row get that the source did not number?

    The key is a hash of what the row is derived from, so that neither load order nor other rows can move it.

    Parameters
    ----------
    *parts : polars.Expr or str
        Literal labels (str) and key columns (expressions) that make the row unique.

    Returns
    -------
    polars.Expr
        Int64 in [2^62, 2^63), a range no 53-bit pseudonym reaches.
    """
    joined = pl.concat_str(
        [pl.lit(p) if isinstance(p, str) else p.cast(pl.String).fill_null("") for p in parts], separator="\x1f"
    )
    return joined.map_elements(hashed_key, return_dtype=pl.Int64)


def hashed_key(text: str) -> int:
    """Which surrogate key belongs to one joined text?

    Parameters
    ----------
    text : str
        Parts joined by the unit separator.

    Returns
    -------
    int
        In [2^62, 2^63).
    """
    digest = hashlib.blake2b(text.encode("utf-8"), digest_size=8).digest()
    return _UNMAPPED_BIT | (int.from_bytes(digest, "big") & (_UNMAPPED_BIT - 1))


@dataclass(frozen=True)
class ConceptBook:
    """Every concept of one load: fixed, kept from earlier loads, and newly allocated.

    Parameters
    ----------
    fixed : polars.DataFrame
        Concepts with a fixed id.
    allocated : polars.DataFrame
        Source codes without a mapping, ids from ``FIRST_UNMAPPED_ID``.
    """

    fixed: pl.DataFrame
    allocated: pl.DataFrame

    def local_id(self, system: str, code: str) -> int:
        """Which fixed id does a concept of our own have?

        Parameters
        ----------
        system : str
            E.g. ``LOCALTYPE``.
        code : str
            Code in ``local_concepts.csv``.

        Returns
        -------
        int
            Concept id.
        """
        return int(self.fixed.filter(pl.col("code_system") == system, pl.col("code") == code)["concept_id"].item())

    def attach(self, frame: pl.DataFrame, prefix: str, code: str = "code", system: str = "code_system") -> pl.DataFrame:
        """Which concepts do the codes of a column stand for?

        Parameters
        ----------
        frame : polars.DataFrame
            Rows with a code and its code system.
        prefix : str
            ``<prefix>_concept_id`` and ``<prefix>_source_concept_id`` are added.
        code, system : str
            Names of the two columns.

        Returns
        -------
        polars.DataFrame
            The frame with two Int64 columns more; 0 where unmapped, and source concept 0 where the row has no code.
        """
        both = pl.concat(
            [
                self.fixed.select("code", "code_system", pl.col("concept_id").alias("_known"), "concept_id"),
                self.allocated.select("code", "code_system", pl.lit(0, dtype=pl.Int64).alias("_known"), "concept_id"),
            ]
        ).rename({"code": "_code", "code_system": "_system", "concept_id": "_source"})
        return (
            frame.with_columns(pl.col(code).alias("_code"), pl.col(system).fill_null("UNKNOWN").alias("_system"))
            .join(both, on=["_code", "_system"], how="left", maintain_order="left")
            .with_columns(
                pl.col("_known").fill_null(0).alias(f"{prefix}_concept_id"),
                pl.col("_source").fill_null(0).alias(f"{prefix}_source_concept_id"),
            )
            .drop("_code", "_system", "_known", "_source")
        )

    @property
    def all(self) -> pl.DataFrame:
        """Fixed and allocated concepts, sorted by id."""
        return pl.concat([self.fixed, self.allocated]).sort("concept_id")


def concept_book(coded: Iterable[pl.DataFrame], earlier: pl.DataFrame | None) -> ConceptBook:
    """Which id does every code of this load get?

    Parameters
    ----------
    coded : iterable of polars.DataFrame
        Frames with ``code``, ``code_system`` and ``domain``; null codes are passed over.
    earlier : polars.DataFrame or None
        Allocation of earlier releases (``CONCEPT_SCHEMA`` columns), kept as it is.

    Returns
    -------
    ConceptBook
        Fixed and allocated concepts.
    """
    fixed = known_concepts()
    kept = earlier.select(list(CONCEPT_SCHEMA)).cast(CONCEPT_SCHEMA) if earlier is not None else None  # type: ignore[arg-type]
    kept = pl.DataFrame(schema=CONCEPT_SCHEMA) if kept is None else kept
    key = ["code_system", "code"]
    seen = (
        pl.concat(
            [f.select(pl.col("code").cast(pl.String), pl.col("code_system").cast(pl.String), "domain") for f in coded]
        )
        .filter(pl.col("code").is_not_null())
        .with_columns(pl.col("code_system").fill_null("UNKNOWN"))
        .group_by(key)
        .agg(pl.col("domain").min())
        .join(fixed, on=key, how="anti")
        .join(kept, on=key, how="anti")
        .sort(key)
    )
    highest = kept["concept_id"].max()
    start = FIRST_UNMAPPED_ID if highest is None else int(str(highest)) + 1
    fresh = seen.select(
        pl.int_range(start, start + pl.len(), dtype=pl.Int64).alias("concept_id"),
        "code",
        "code_system",
        "domain",
        pl.lit(None, dtype=pl.String).alias("name_zh"),
        pl.col("code").alias("name_en"),
        pl.lit(None, dtype=pl.String).alias("synonyms_zh"),
        pl.lit(None, dtype=pl.String).alias("synonyms_en"),
    )
    return ConceptBook(fixed, pl.concat([kept, fresh]))
