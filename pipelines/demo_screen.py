"""What a person sees while the demonstration runs, and where it tells them to go next."""

from __future__ import annotations

from typing import Any

from medarchive_analytics.reporting.run_report import write_run_report
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from medarchive_analytics.core.home import Home
from medarchive_analytics.synthetic import HospitalConfig

from .demo import DEMO_ACCOUNTS, DEMO_PASSWORD, DemoOutcome, run_demo
from .run import STAGES

_EXTRA = {
    "set_up": ("建立主目录与账户", "Set up home and accounts"),
    "synthetic_hospital": ("生成合成医院", "Synthetic hospital"),
}
_WORDS = {
    "title": (
        "MedArchive 演示：从医院档案到疗效结论",
        "MedArchive demo: from a hospital's archive to a treatment-outcome finding",
    ),
    "stage": ("阶段", "stage"),
    "counts": ("数量", "counts"),
    "seconds": ("秒", "s"),
    "memory": ("峰值 MiB", "peak MiB"),
    "finding": ("结论", "Finding"),
    "crude": ("粗风险差", "crude risk difference"),
    "adjusted": ("调整后风险差", "adjusted risk difference"),
    "truth": ("植入的真实效应", "planted true effect"),
    "next": ("接下来打开", "Open next"),
    "report": ("报告", "report"),
    "accounts": ("演示账户的口令", "password of the demo accounts"),
}


def show_demo(home: Home, config: HospitalConfig, workers: int, lang: str, out: Console) -> DemoOutcome:
    """Run the demonstration with a progress bar, write the report, and print counts and what to open next.

    Parameters
    ----------
    home : Home
        Home folder.
    config : HospitalConfig
        Synthetic hospital.
    workers : int
        Processes.
    lang : str
        ``zh`` or ``en``.
    out : rich.console.Console
        Where to print.

    Returns
    -------
    DemoOutcome
        What the run ended with.
    """
    names = {**_EXTRA, **STAGES}
    pick = 0 if lang == "zh" else 1
    out.rule(_WORDS["title"][pick])
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=out) as progress:
        task = progress.add_task("", total=len(names))

        def started(name: str) -> None:
            if name in names:
                progress.update(task, description=names[name][pick])

        def ended(name: str, seconds: float, result: Any) -> None:
            progress.advance(task)
            progress.console.print(f"  ✓ {names[name][pick]}  {seconds:.1f} s")

        outcome = run_demo(home, config, workers, started, ended)
    truth = outcome.summary.get("truth")
    report = write_run_report(home.reports / "report.html", outcome.summary, outcome.result, outcome.stages.rows, truth)
    _print_table(outcome, names, pick, out)
    _print_finding(outcome.summary, pick, lang, out)
    out.print(f"\n[bold]{_WORDS['next'][pick]}[/]")
    out.print(f"  {_WORDS['report'][pick]}: {report}", soft_wrap=True)
    out.print(f"  medarchive dashboard outcomes --home {home.root} --lang {lang}", soft_wrap=True, highlight=False)
    out.print(f"  medarchive dashboard steward --home {home.root} --lang {lang}", soft_wrap=True, highlight=False)
    out.print(f"  medarchive lab --home {home.root}", soft_wrap=True, highlight=False)
    people = ", ".join(n for n, _ in DEMO_ACCOUNTS)
    out.print(f"  {_WORDS['accounts'][pick]} ({people}): {DEMO_PASSWORD}", soft_wrap=True, highlight=False)
    return outcome


def _print_table(outcome: DemoOutcome, names: dict[str, tuple[str, str]], pick: int, out: Console) -> None:
    table = Table(*(_WORDS[k][pick] for k in ("stage", "counts", "seconds", "memory")))
    for row in outcome.stages.rows:
        counts = stage_counts(row["stage"], outcome.summary)
        table.add_row(names[row["stage"]][pick], counts, f"{row['seconds']:.1f}", f"{row['peak_mib']:,}")
    out.print(table)


def stage_counts(stage: str, summary: dict[str, Any]) -> str:
    """Say in one line what went in and out of a stage.

    Parameters
    ----------
    stage : str
        Name of the stage.
    summary : dict
        Summary of the run.

    Returns
    -------
    str
        Counts; empty for stages that count nothing.
    """
    match stage:
        case "intake_reports":
            parts = summary["intake"]
            received, filed, held = (sum(p[k] for p in parts) for k in ("received", "filed", "quarantined"))
            sign = "=" if received == filed + held else "≠"
            return f"{received:,} {sign} {filed:,} + {held:,}"
        case "deidentified_run":
            part = summary["deidentified"]
            return f"{part['rows_in'].get('note', 0):,} → {part['rows_out'].get('note', 0):,} notes"
        case "built_extract":
            risk = summary["risk"]
            return f"{risk['n_persons']:,} → {risk['n_released']:,} persons, k {risk['min_k_before']} → {risk['min_k']}"
        case "evidenced_extract":
            checks = summary["evidence"]["checks"]
            return f"{sum(c['outcome'] == 'pass' for c in checks)}/{len(checks)} checks passed"
        case "approved_extract":
            return " + ".join(summary["approved_by"])
        case "published_release" | "verified_release":
            return summary["release"]
        case "facts":
            return f"{summary['facts']:,} facts"
        case "loaded_release":
            return f"{sum(summary['released_rows'].values()):,} rows, {summary['store_hash'][:12]}"
        case "study_result":
            return summary["finding"]["verdict"]
        case _:
            return ""


def _print_finding(summary: dict[str, Any], pick: int, lang: str, out: Console) -> None:
    finding = summary["finding"]
    out.print(f"\n[bold]{_WORDS['finding'][pick]}[/]: {finding['reason'][lang]}")
    for key in ("crude", "adjusted"):
        row = finding[key]
        out.print(
            f"  {_WORDS[key][pick]}: {row['estimate']:+.3f} ({row['lower']:+.3f}, {row['upper']:+.3f})", highlight=False
        )
    if "truth" in summary:
        out.print(f"  {_WORDS['truth'][pick]}: {summary['truth']['risk_difference']:+.3f}", highlight=False)
