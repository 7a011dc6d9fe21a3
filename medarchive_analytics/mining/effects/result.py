"""What came out: tables, figures and one verdict, with what may not be shown left out."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl

from ...core.errors import UserError, unknown_choice
from .trial import TargetTrial

if TYPE_CHECKING:
    import altair


class Verdict(StrEnum):
    """Whether the estimate may inform a decision."""

    FIT = "fit"
    CAUTION = "caution"
    NOT_FIT = "not_fit"


_WORDS = {
    Verdict.FIT: ("可用于决策参考", "fit for decision"),
    Verdict.CAUTION: ("谨慎解读", "interpret with caution"),
    Verdict.NOT_FIT: ("不可用于决策", "not fit for decision"),
}
FIGURES = ("km", "love", "overlap", "forest")
"""Figures a study result can draw."""


@dataclass(frozen=True)
class StudyResult:
    """An emulated trial: estimates never without their diagnostics.

    Parameters
    ----------
    trial : TargetTrial
        The card.
    verdict : Verdict
        fit, caution or not_fit.
    n_treated, n_comparator : int
        Persons per arm.
    exact : dict of str to polars.DataFrame
        Tables with exact counts, for the estimators and tests; show ``table(name)`` instead.
    provenance : dict
        Protocol hash, releases, versions, seed.
    """

    trial: TargetTrial
    verdict: Verdict
    n_treated: int
    n_comparator: int
    exact: dict[str, pl.DataFrame] = field(repr=False)
    provenance: dict[str, Any] = field(repr=False)

    @property
    def tables(self) -> list[str]:
        """Names that ``table`` accepts."""
        return sorted(self.exact)

    def table(self, name: str) -> pl.DataFrame:
        """Return one table with small counts left out.

        Parameters
        ----------
        name : str
            One of ``tables``.

        Returns
        -------
        polars.DataFrame
            Counts from 1 to ``min_cell - 1``, and what would reveal them, are null.

        Raises
        ------
        UserError
            If there is no such table.
        """
        if name not in self.exact:
            raise UserError(unknown_choice("table", name, self.exact))
        frame, least = self.exact[name], self.trial.thresholds.min_cell
        match name:
            case "attrition":
                return suppress_steps(frame, least)
            case "baseline":
                return self._suppress_baseline(frame, least)
            case "scores":
                small = pl.col("persons").is_between(1, least - 1)
                return frame.with_columns(pl.when(~small).then(c).alias(c) for c in ("persons", "share"))
            case "survival":
                return frame.filter(pl.col("persons_at_risk") >= least).drop("persons_at_risk")
            case "at_risk":
                risk = pl.col("persons_at_risk")
                shown = ~risk.is_between(1, least - 1)
                frame = frame.with_columns(
                    pl.when(shown).then("persons_at_risk").alias("persons_at_risk"),
                    pl.when(shown).then("weighted_at_risk").alias("weighted_at_risk"),
                )
                # Two cumulative counts that differ by a few would tell the few.
                step = pl.col("events").diff().over("arm").fill_null(pl.col("events"))
                return frame.with_columns(pl.when(~step.is_between(1, least - 1)).then("events").alias("events"))
            case "diagnostics":
                few = (pl.col("check") == "events_per_arm") & pl.col("value").is_between(1, least - 1)
                return frame.with_columns(pl.when(~few).then("value").alias("value"))
            case _:
                return frame

    def _suppress_baseline(self, frame: pl.DataFrame, least: int) -> pl.DataFrame:
        expressions = []
        for role, total in (("treatment", self.n_treated), ("comparator", self.n_comparator)):
            count = pl.col(f"n_{role}")
            few = pl.col("is_binary") & (count.is_between(1, least - 1) | (total - count).is_between(1, least - 1))
            names = (f"n_{role}", f"mean_{role}", f"sd_{role}", f"weighted_mean_{role}")
            expressions += [pl.when(~few).then(name).alias(name) for name in names]
        return frame.with_columns(expressions)

    def effect(self, measure: str) -> dict[str, Any]:
        """Return one row of the effects table.

        Parameters
        ----------
        measure : str
            E.g. ``risk_difference``.

        Returns
        -------
        dict
            estimate, lower, upper, unit, method and labels.

        Raises
        ------
        UserError
            If the measure was not estimated.
        """
        rows = {row["measure"]: row for row in self.exact["effects"].to_dicts()}
        if measure not in rows:
            raise UserError(unknown_choice("measure", measure, rows))
        return rows[measure]

    @property
    def failed_checks(self) -> pl.DataFrame:
        """Checks that did not pass, with value and threshold."""
        return self.table("diagnostics").filter(~pl.col("pass"))

    def reason(self, lang: str = "zh") -> str:
        """Say in one line why the verdict is what it is.

        Parameters
        ----------
        lang : str
            ``zh`` or ``en``.

        Returns
        -------
        str
            The verdict and the first failing number.
        """
        words = _WORDS[self.verdict][0 if lang == "zh" else 1]
        failed = self.failed_checks.sort(pl.col("on_failure") != "not_fit", maintain_order=True)
        if failed.is_empty():
            return words
        row = failed.row(0, named=True)
        value = "—" if row["value"] is None else f"{row['value']:.3g}"
        return f"{words}: {row[f'label_{lang}']} {value} ({row['sign']} {row['threshold']:g})"

    def figure(self, name: str, lang: str = "zh") -> altair.LayerChart | altair.Chart | altair.VConcatChart:
        """Draw one figure.

        Parameters
        ----------
        name : str
            ``km``, ``love``, ``overlap`` or ``forest``.
        lang : str
            ``zh`` or ``en``.

        Returns
        -------
        altair chart
            Drawn from ``table`` only, so nothing is shown that the tables leave out.

        Raises
        ------
        UserError
            If there is no such figure or language.
        """
        from .figures import draw

        if name not in FIGURES:
            raise UserError(unknown_choice("figure", name, FIGURES))
        if lang not in ("zh", "en"):
            raise UserError(unknown_choice("language", lang, ("zh", "en")))
        return draw(self, name, lang)

    def to_dict(self) -> dict[str, Any]:
        """Return everything that may be shown as plain, JSON-safe values."""
        hidden = self.trial.thresholds.min_cell
        return {
            "name": self.trial.name,
            "title": {"zh": self.trial.title_zh, "en": self.trial.title_en},
            "verdict": self.verdict.value,
            "reason": {"zh": self.reason("zh"), "en": self.reason("en")},
            "n_treated": self.n_treated if self.n_treated >= hidden else None,
            "n_comparator": self.n_comparator if self.n_comparator >= hidden else None,
            "protocol": self.trial.to_dict(),
            "tables": {name: [_plain(row) for row in self.table(name).to_dicts()] for name in self.tables},
            **self.provenance,
        }

    def __str__(self) -> str:
        rd, crude = self.effect("risk_difference"), self.effect("crude_risk_difference")
        return (
            f"{self.trial.title_en}\n  verdict: {self.reason('en')}\n"
            f"  adjusted risk difference {_interval(rd)}; crude {_interval(crude)}\n"
            f"  horizon {self.trial.follow_up.horizon_days} days; releases {', '.join(self.provenance['release_ids'])}"
        )

    def _repr_html_(self) -> str:
        parts = [
            f"<h3>{html.escape(self.trial.title_zh)}<br><small>{html.escape(self.trial.title_en)}</small></h3>",
            f"<p><b>{html.escape(self.reason('zh'))}</b><br>{html.escape(self.reason('en'))}</p>",
        ]
        for name, zh, en in (
            ("effects", "效应", "Effects"),
            ("diagnostics", "诊断", "Diagnostics"),
            ("balance", "均衡性", "Balance"),
            ("attrition", "入组流程", "Who was left out"),
        ):
            parts.append(f"<h4>{zh} / {en}</h4>{_html_table(self.table(name))}")
        releases = html.escape(", ".join(self.provenance["release_ids"]))
        parts.append(f"<p><small>release {releases}; protocol {self.trial.protocol_hash[:12]}</small></p>")
        return "".join(parts)


def suppress_steps(attrition: pl.DataFrame, least: int) -> pl.DataFrame:
    """Show who was left out at each step without revealing a few persons.

    Steps are joined until the persons left out together are none or enough; a joined step shows its number in its last row.

    Parameters
    ----------
    attrition : polars.DataFrame
        step_zh, step_en, persons.
    least : int
        Smallest count shown.

    Returns
    -------
    polars.DataFrame
        With ``left_out``; null where a step was joined to the next.
    """
    persons = attrition["persons"].to_list()
    drops = [0, *(before - after for before, after in pairwise(persons))]
    groups: list[list[int]] = []
    current: list[int] = []
    for i in range(1, len(persons)):
        current.append(i)
        total = sum(drops[j] for j in current)
        if total == 0 or total >= least:
            groups.append(current)
            current = []
    if current:  # the last steps leave out too few: join them to the last group that left out enough
        while groups and 0 < sum(drops[j] for j in current) < least:
            current = groups.pop() + current
        groups.append(current)
    left_out: list[int | None] = [None] * len(persons)
    shown: list[int | None] = [None] * len(persons)
    if persons:
        shown[0] = persons[0]
    for group in groups:
        total = sum(drops[j] for j in group)
        if total == 0 or total >= least:
            shown[group[-1]], left_out[group[-1]] = persons[group[-1]], total
    shown = [None if v is not None and 0 < v < least else v for v in shown]
    return attrition.with_columns(
        pl.Series("persons", shown, dtype=pl.Int64), pl.Series("left_out", left_out, dtype=pl.Int64)
    )


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}


def _interval(row: dict[str, Any]) -> str:
    if row["lower"] is None:
        return f"{row['estimate']:.4f}"
    return f"{row['estimate']:.4f} (95 % CI {row['lower']:.4f} to {row['upper']:.4f})"


def _html_table(frame: pl.DataFrame) -> str:
    def cell(value: Any) -> str:
        if value is None:
            return "–"
        return f"{value:.4g}" if isinstance(value, float) else html.escape(str(value))

    head = "".join(f"<th>{html.escape(c)}</th>" for c in frame.columns)
    body = "".join("<tr>" + "".join(f"<td>{cell(v)}</td>" for v in row) + "</tr>" for row in frame.rows())
    return f"<table><tr>{head}</tr>{body}</table>"
