"""The ``medarchive`` command: parse, call the library, print a summary."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from medarchive_analytics import __version__
from medarchive_analytics.core.errors import MedArchiveError, UserError, unknown_choice
from medarchive_analytics.core.home import Home
from medarchive_analytics.core.workers import default_workers

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="病历档案研究工作台 / Research over medical-record archives",
)
deid_app = typer.Typer(no_args_is_help=True, help="De-identification")
extract_app = typer.Typer(no_args_is_help=True, help="The steward's gate")
store_app = typer.Typer(no_args_is_help=True, help="The curated store")
study_app = typer.Typer(no_args_is_help=True, help="Treatment effects")
audit_app = typer.Typer(no_args_is_help=True, help="The audit log")
account_app = typer.Typer(no_args_is_help=True, help="Local accounts")
for name, part in (
    ("deid", deid_app),
    ("extract", extract_app),
    ("store", store_app),
    ("study", study_app),
    ("audit", audit_app),
    ("account", account_app),
):
    app.add_typer(part, name=name)

out = Console()
err = Console(stderr=True)

HomeOption = Annotated[Path | None, typer.Option("--home", envvar="MEDARCHIVE_HOME", help="Home folder")]
AsOption = Annotated[
    str, typer.Option("--as", help="Account that acts; its password comes from MEDARCHIVE_PASSWORD or a prompt")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]


def _home(path: Path | None) -> Home:
    return Home((path or Path("medarchive-home")).expanduser().resolve())


def _password(username: str) -> str:
    return os.environ.get("MEDARCHIVE_PASSWORD") or typer.prompt(f"Password of {username}", hide_input=True, err=True)


def _sign_in(home: Home, username: str) -> tuple[Any, str]:
    from medarchive_analytics.security.accounts import AccountBook

    home.check()
    password = _password(username)
    return AccountBook(home.accounts).sign_in(username, password), password


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(rows, ensure_ascii=False, default=str))
        return
    if not rows:
        out.print("nothing")
        return
    table = Table(*rows[0].keys())
    for row in rows:
        table.add_row(*("" if v is None else str(v) for v in row.values()))
    out.print(table)


@app.command()
def version() -> None:
    """Print the version."""
    out.print(__version__)


@app.command()
def demo(
    patients: Annotated[int, typer.Option(min=50, help="Patients of the synthetic hospital")] = 2000,
    home: Annotated[Path, typer.Option(help="Home folder; an interrupted run is finished")] = Path("demo-home"),
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
    workers: Annotated[int, typer.Option(min=1, help="Processes; default: all cores, at most 8")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic hospital")] = 20260101,
) -> None:
    """Carry a synthetic hospital from its exports to an adjusted finding with a verdict, and write a report."""
    from medarchive_analytics.synthetic import HospitalConfig

    from .demo_screen import show_demo

    if lang not in ("zh", "en"):
        raise UserError(unknown_choice("language", lang, ("zh", "en")))
    config = HospitalConfig(n_patients=patients, seed=seed)
    show_demo(Home(home.expanduser().resolve()), config, workers or default_workers(), lang, out)


@app.command()
def init(home: HomeOption = None, admin: Annotated[str, typer.Option(help="First administrator")] = "admin") -> None:
    """Make a home folder with its keys and a first administrator."""
    from medarchive_analytics.security.accounts import AccountBook
    from medarchive_analytics.security.permissions import Role

    from .context import initialise

    place = _home(home)
    initialise(place)
    book = AccountBook(place.accounts)
    if not book.all():
        book.add(admin, Role.ADMIN, _password(admin))
    out.print(f"home ready: {place.root}")


@app.command()
def ingest(
    source: str,
    path: Path,
    user: AsOption,
    home: HomeOption = None,
    encoding: Annotated[str, typer.Option(help="Encoding of text files")] = "utf-8",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count, file nothing")] = False,
    as_json: JsonOption = False,
) -> None:
    """File one delivery of a hospital system: SOURCE is csv, synthea or fhir; PATH a folder, file or ZIP archive."""
    from medarchive_analytics.archive.intake import ingest as file_delivery
    from medarchive_analytics.archive.sources import read_source

    from .context import open_identified

    place = _home(home)
    account, _ = _sign_in(place, user)
    if dry_run:
        batch = read_source(source, path, encoding)
        rows = [{"table": t, "rows": f.height} for t, f in batch.frames.items()]
        _show(
            [*rows, {"table": "unreadable", "rows": len(batch.rejects)}, {"table": "received", "rows": batch.received}],
            as_json,
        )
        return
    zone = open_identified(place)
    try:
        report = file_delivery(zone.vault, source, path, account, encoding)
    finally:
        zone.vault.close()
    row = {
        "source": report.source,
        "received": report.received,
        "filed": report.filed,
        "quarantined": report.quarantined,
        "new records": report.records_new,
        "reasons": ", ".join(f"{k} {v}" for k, v in sorted(report.reasons.items())),
    }
    _show([row], as_json)


@deid_app.command("text")
def deid_text(
    lang: Annotated[str, typer.Option(help="auto, zh or en")] = "auto",
    spans_only: Annotated[bool, typer.Option("--spans-only", help="Leave the rewritten text out")] = False,
    home: HomeOption = None,
) -> None:
    """De-identify JSON Lines from standard input: {"id","text","known"?} in, {"id","text","spans"} out."""
    from .deid_text import stream

    failed = stream(sys.stdin, sys.stdout, lang, spans_only, _home(home) if home else None)
    if failed:
        err.print(f"{failed} line(s) could not be read; each has an error record in the output")
        raise typer.Exit(11)


@extract_app.command("list")
def extract_list(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List extract requests with their states."""
    from .context import open_desk

    rows = [
        {"request": e.request_id, "state": e.state.value, "requester": e.request.requester, "title": e.request.title}
        for e in open_desk(_home(home)).ledger.all()
    ]
    _show(rows, as_json)


@extract_app.command("show")
def extract_show(request_id: str, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show one request and what happened to it."""
    from .context import open_desk

    extract = open_desk(_home(home)).ledger.get(request_id)
    if as_json:
        out.print_json(
            json.dumps({"request": extract.request.to_dict(), "state": extract.state.value}, ensure_ascii=False)
        )
        return
    out.print(f"{extract.request_id} {extract.state.value}: {extract.request.title}\n{extract.request.purpose}")
    rows = [
        {"step": e.step.value, "actor": e.actor, "time": e.time, "reason": e.detail.get("reason", "")}
        for e in extract.events
    ]
    _show(rows, False)


@extract_app.command("request")
def extract_request(
    user: AsOption,
    title: Annotated[str, typer.Option()],
    purpose: Annotated[str, typer.Option()],
    legal_basis: Annotated[str, typer.Option()],
    reference: Annotated[str, typer.Option(help="Number of the ethics approval or agreement")] = "",
    columns: Annotated[
        Path | None, typer.Option(help="JSON file: table to list of columns; default: all releasable")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Ask for an extract."""
    from medarchive_analytics.gate.requests import ExtractRequest, all_released_columns

    from .context import open_desk

    place = _home(home)
    account, _ = _sign_in(place, user)
    asked = all_released_columns() if columns is None else _columns(columns)
    request = ExtractRequest(title, purpose, legal_basis, reference, account.username, asked)
    out.print(open_desk(place).ledger.submit(request, account))


def _columns(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return {str(t): tuple(str(c) for c in cs) for t, cs in raw.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        raise UserError(f"{path} is no JSON object of table names with lists of column names") from None


@extract_app.command("build")
def extract_build(request_id: str, home: HomeOption = None, workers: Annotated[int, typer.Option(min=0)] = 0) -> None:
    """De-identify the archive, build the extract and gather the evidence. Runs as the de-identification service."""
    from medarchive_analytics.deid import load_policy

    from .context import open_desk, open_identified
    from .deidentify import deidentified_run
    from .release import built_extract, evidenced_extract

    place = _home(home)
    zone, desk = open_identified(place), open_desk(place)
    try:
        policy = load_policy(desk.ledger.get(request_id).request.policy)
        run = deidentified_run(zone, (), policy, f"extract {request_id}", workers or default_workers())
    finally:
        zone.vault.close()
    extract = evidenced_extract(desk, built_extract(desk, request_id, run, policy))
    out.print(f"{request_id}: {extract.state.value}")


@extract_app.command("evidence")
def extract_evidence(request_id: str, home: HomeOption = None) -> None:
    """Print the evidence on the exact bytes, as JSON."""
    from medarchive_analytics.gate.desk import evidence_json

    from .context import open_desk

    desk = open_desk(_home(home))
    out.print_json(evidence_json(desk.subject(desk.ledger.get(request_id))))


@extract_app.command("approve")
def extract_approve(
    request_id: str, user: AsOption, reason: Annotated[str, typer.Option()], home: HomeOption = None
) -> None:
    """Approve the exact bytes and their evidence; two different stewards must."""
    from .context import open_desk

    place = _home(home)
    account, password = _sign_in(place, user)
    out.print(f"{request_id}: {open_desk(place).approve(request_id, account, password, reason).state.value}")


@extract_app.command("return")
def extract_return(
    request_id: str, user: AsOption, reason: Annotated[str, typer.Option()], home: HomeOption = None
) -> None:
    """Return a request to be changed."""
    _send_back(request_id, user, reason, home, False)


@extract_app.command("reject")
def extract_reject(
    request_id: str, user: AsOption, reason: Annotated[str, typer.Option()], home: HomeOption = None
) -> None:
    """Reject a request for good."""
    _send_back(request_id, user, reason, home, True)


def _send_back(request_id: str, user: str, reason: str, home: Path | None, is_final: bool) -> None:
    from .context import open_desk

    place = _home(home)
    account, _ = _sign_in(place, user)
    out.print(f"{request_id}: {open_desk(place).send_back(request_id, account, reason, is_final).state.value}")


@extract_app.command("publish")
def extract_publish(request_id: str, user: AsOption, home: HomeOption = None) -> None:
    """Publish an approved extract as a signed release."""
    from .context import open_desk

    place = _home(home)
    account, _ = _sign_in(place, user)
    out.print(str(open_desk(place).publish(request_id, account)))


@extract_app.command("revoke")
def extract_revoke(
    request_id: str, user: AsOption, reason: Annotated[str, typer.Option()], home: HomeOption = None
) -> None:
    """Revoke a release and take it out of the store."""
    from medarchive_analytics.store import loaded_releases, remove_release

    from .context import open_desk

    place = _home(home)
    account, _ = _sign_in(place, user)
    release_id = open_desk(place).revoke(request_id, account, reason)
    if release_id in loaded_releases(place.store):
        remove_release(place.store, release_id)
    out.print(f"{release_id} revoked and out of the store")


@store_app.command("load")
def store_load(
    release: Path, user: AsOption, home: HomeOption = None, workers: Annotated[int, typer.Option(min=0)] = 0
) -> None:
    """Verify a release folder from the first byte to the last approval, and load it."""
    from medarchive_analytics.security.permissions import Action, check_may

    from .curate import facts, loaded_release, verified_release

    place = _home(home)
    account, _ = _sign_in(place, user)
    check_may(account.role, Action.LOAD_STORE)
    verified = verified_release(release, place.trust)
    found = facts(verified, workers or default_workers())
    out.print(f"{loaded_release(verified, found, place.store)} loaded")


@store_app.command("info")
def store_info(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print what the store holds."""
    from medarchive_analytics import open_store
    from medarchive_analytics.store import content_hash

    place = _home(home)
    with open_store(place.store) as store:
        rows = [{"table": t, "rows": store.sql(f'select count(*) as n from "{t}"')["n"][0]} for t in store.tables]
    _show([r for r in rows if r["rows"]], as_json)
    if not as_json:
        out.print(f"content {content_hash(place.store)}")


@store_app.command("sql")
def store_sql(query: str, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Ask the store in SQL (DuckDB dialect, read-only)."""
    from medarchive_analytics import open_store

    with open_store(_home(home).store) as store:
        _show(store.sql(query).to_dicts(), as_json)


@study_app.command("run")
def study_run(
    protocol: Path,
    home: HomeOption = None,
    as_json: JsonOption = False,
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
) -> None:
    """Emulate a target trial on the store: TRIAL.toml, or the name of a shipped one."""
    from medarchive_analytics import TargetTrial, open_store
    from medarchive_analytics.core.paths import trials_dir

    path = protocol if protocol.exists() else trials_dir() / f"{protocol.name.removesuffix('.toml')}.toml"
    if not path.exists():
        raise UserError(unknown_choice("trial", str(protocol), [p.stem for p in trials_dir().glob("*.toml")]))
    with open_store(_home(home).store) as store:
        result = TargetTrial.from_toml(path).emulate(store)
    if as_json:
        out.print_json(json.dumps(result.to_dict(), ensure_ascii=False, default=str))
        return
    out.print(str(result))
    out.print(result.reason(lang))


@audit_app.command("verify")
def audit_verify(user: AsOption, home: HomeOption = None) -> None:
    """Check every link of the audit chains of archive and gate."""
    from medarchive_analytics.archive.catalogue import verify_audit

    from .context import open_desk, open_identified

    place = _home(home)
    account, _ = _sign_in(place, user)
    zone = open_identified(place)
    try:
        archive = verify_audit(zone.vault, account)
    finally:
        zone.vault.close()
    _show(
        [{"log": "archive", "events": archive}, {"log": "gate", "events": open_desk(place).ledger.verify_audit()}],
        False,
    )


@account_app.command("add")
def account_add(username: str, role: str, user: AsOption, home: HomeOption = None) -> None:
    """Add an account; its password comes from MEDARCHIVE_NEW_PASSWORD or a prompt."""
    from medarchive_analytics.security.accounts import AccountBook
    from medarchive_analytics.security.permissions import Role

    from .context import refresh_trust

    place = _home(home)
    admin, _ = _sign_in(place, user)
    fresh = os.environ.get("MEDARCHIVE_NEW_PASSWORD")
    fresh = fresh or typer.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    AccountBook(place.accounts).add(username, Role.parse(role), fresh, admin)
    refresh_trust(place)
    out.print(f"{username} added")


@app.command()
def dashboard(
    which: Annotated[str, typer.Argument(help="outcomes or steward")] = "outcomes",
    home: HomeOption = None,
    port: Annotated[int, typer.Option()] = 8501,
    lang: Annotated[str, typer.Option(help="zh or en")] = "zh",
) -> None:
    """Start a dashboard on this machine (loopback)."""
    # A process of its own: the dashboards never share one with the identified zone.
    place = _home(home)
    place.check()
    command = [
        sys.executable,
        "-m",
        "dashboards.launch",
        which,
        "--home",
        str(place.root),
        "--port",
        str(port),
        "--lang",
        lang,
    ]
    os.execv(sys.executable, command)  # noqa: S606


@app.command()
def lab(home: HomeOption = None) -> None:
    """Start JupyterLab with the store of this home."""
    place = _home(home)
    place.check()
    os.environ["MEDARCHIVE_HOME"] = str(place.root)
    os.execvp(sys.executable, [sys.executable, "-m", "jupyter", "lab", "--ip=127.0.0.1"])  # noqa: S606


def main() -> None:
    """Run the command; a user's mistake is printed without a traceback and ends with the exit code of its kind."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except MedArchiveError as error:
        err.print(f"[bold red]{type(error).__name__}[/]: ", end="")
        err.print(str(error), markup=False, highlight=False)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
