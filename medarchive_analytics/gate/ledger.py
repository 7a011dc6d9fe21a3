"""The ledger of the gate: every request and every step on it, as events that are only ever added.

The state of an extract is what its events say; there is no state column that could disagree with them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, select

from ..core.clock import now_utc
from ..core.errors import GateRefusedError, UserError
from ..security import audit
from ..security.accounts import Account
from ..security.database import open_database, writing
from ..security.permissions import Action, check_may
from .requests import ExtractRequest
from .states import ACTION_OF, State, Step, next_state

_METADATA = MetaData()
_REQUEST = Table(
    "extract_request",
    _METADATA,
    Column("request_id", String(20), primary_key=True),
    Column("requester", String(80), nullable=False),
    Column("content", Text, nullable=False),
    Column("time", String(40), nullable=False),
)
_EVENT = Table(
    "extract_event",
    _METADATA,
    Column("request_id", String(20), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("step", String(40), nullable=False),
    Column("actor", String(80), nullable=False),
    Column("role", String(40), nullable=False),
    Column("time", String(40), nullable=False),
    Column("detail", Text, nullable=False),
)
_AUDIT = audit.audit_table(_METADATA)
_TRIGGERS = tuple(
    f"""CREATE TRIGGER IF NOT EXISTS {table}_is_{verb} BEFORE {action} ON {table}
        BEGIN SELECT RAISE(ABORT, 'the ledger of the gate is only added to'); END"""
    for table in ("extract_request", "extract_event", "audit_event")
    for verb, action in (("kept", "DELETE"), ("fixed", "UPDATE"))
)


@dataclass(frozen=True)
class Event:
    """One step that was taken."""

    step: Step
    actor: str
    role: str
    time: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class Extract:
    """A request with everything that happened to it."""

    request_id: str
    request: ExtractRequest
    events: tuple[Event, ...]

    @property
    def state(self) -> State:
        """State that follows from the events."""
        state = State.SUBMITTED
        for event in self.events:
            state = next_state(state, event.step)
        return state

    def since_build(self) -> tuple[Event, ...]:
        """Return the events since the extract was last built; what came before is void.

        Returns
        -------
        tuple of Event
            From the last build on; empty when it was never built.
        """
        for index in range(len(self.events) - 1, -1, -1):
            if self.events[index].step is Step.BUILD:
                return self.events[index:]
        return ()

    @property
    def approvals(self) -> tuple[Event, ...]:
        """Approvals of what was built last."""
        return tuple(e for e in self.since_build() if e.step in (Step.APPROVE_FIRST, Step.APPROVE_LAST))

    def last(self, step: Step) -> Event | None:
        """Return the newest event of a kind.

        Parameters
        ----------
        step : Step
            Kind of event.

        Returns
        -------
        Event or None
            None when it did not happen.
        """
        return next((e for e in reversed(self.events) if e.step is step), None)


class Ledger:
    """Requests and events of one gate.

    Parameters
    ----------
    path : pathlib.Path
        SQLite file; made when absent.
    """

    def __init__(self, path: Path) -> None:
        self.engine = open_database(path)
        _METADATA.create_all(self.engine)
        with writing(self.engine) as connection:
            for trigger in _TRIGGERS:
                connection.exec_driver_sql(trigger)

    def submit(self, request: ExtractRequest, actor: Account) -> str:
        """Take a request in.

        Parameters
        ----------
        request : ExtractRequest
            What is asked for; the requester is the actor.
        actor : Account
            Researcher or doctor.

        Returns
        -------
        str
            Request id, ``X0001`` and on.
        """
        check_may(actor.role, Action.REQUEST_EXTRACT)
        request.check()
        if request.requester != actor.username:
            raise UserError("a request is submitted by its requester")
        with writing(self.engine) as connection:
            count = len(connection.execute(select(_REQUEST.c.request_id)).all())
            request_id = f"X{count + 1:04d}"
            content = json.dumps(request.to_dict(), ensure_ascii=False, sort_keys=True)
            connection.execute(
                _REQUEST.insert().values(
                    request_id=request_id, requester=actor.username, content=content, time=now_utc()
                )
            )
            event = audit.AuditEvent(actor.username, actor.role.value, "submit_request", request_id, request.purpose)
            audit.append(connection, _AUDIT, event)
        return request_id

    def get(self, request_id: str) -> Extract:
        """Return a request with its events.

        Parameters
        ----------
        request_id : str
            E.g. ``X0001``.

        Returns
        -------
        Extract
            The request as it stands.

        Raises
        ------
        UserError
            If there is no such request.
        """
        with self.engine.connect() as connection:
            row = connection.execute(select(_REQUEST).where(_REQUEST.c.request_id == request_id)).mappings().first()
            if row is None:
                raise UserError(f"there is no extract request {request_id!r}; list them with `medarchive extract list`")
            return Extract(
                request_id, ExtractRequest.from_dict(json.loads(row["content"])), self._events(connection, request_id)
            )

    @staticmethod
    def _events(connection: Any, request_id: str) -> tuple[Event, ...]:
        rows = connection.execute(select(_EVENT).where(_EVENT.c.request_id == request_id).order_by(_EVENT.c.number))
        return tuple(
            Event(Step(r["step"]), r["actor"], r["role"], r["time"], json.loads(r["detail"])) for r in rows.mappings()
        )

    def all(self) -> list[Extract]:
        """Return all requests, oldest first.

        Returns
        -------
        list of Extract
            Requests as they stand.
        """
        with self.engine.connect() as connection:
            ids = list(connection.execute(select(_REQUEST.c.request_id).order_by(_REQUEST.c.request_id)).scalars())
        return [self.get(i) for i in ids]

    def take(
        self, request_id: str, step: Step, actor: Account, detail: dict[str, Any], expected_events: int
    ) -> Extract:
        """Add one event, if the actor may, the state allows it, and nobody was faster.

        Parameters
        ----------
        request_id : str
            The extract.
        step : Step
            What is done.
        actor : Account
            Who does it.
        detail : dict
            Hashes, signatures, reasons; nothing from a record.
        expected_events : int
            Number of events the actor had seen.

        Returns
        -------
        Extract
            The extract afterwards.

        Raises
        ------
        AccessDeniedError, GateRefusedError
            If the role may not, the state does not allow it, or the extract changed meanwhile.
        """
        check_may(actor.role, ACTION_OF[step])
        with writing(self.engine) as connection:
            extract = self.get(request_id)
            if len(extract.events) != expected_events:
                raise GateRefusedError(
                    f"extract {request_id} changed meanwhile; look at it again and decide on what it is now"
                )
            next_state(extract.state, step)
            connection.execute(
                _EVENT.insert().values(
                    request_id=request_id,
                    number=len(extract.events) + 1,
                    step=step.value,
                    actor=actor.username,
                    role=actor.role.value,
                    time=now_utc(),
                    detail=json.dumps(detail, sort_keys=True, ensure_ascii=False),
                )
            )
            event = audit.AuditEvent(
                actor.username, actor.role.value, f"extract_{step.value}", request_id, str(detail.get("reason", ""))
            )
            audit.append(connection, _AUDIT, event)
        return self.get(request_id)

    def verify_audit(self) -> int:
        """Check the audit chain of the gate.

        Returns
        -------
        int
            Number of events, all linked.
        """
        with self.engine.connect() as connection:
            return audit.verify_chain(connection, _AUDIT)
