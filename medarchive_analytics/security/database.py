"""SQLite as we open it: write-ahead log, full synchronisation, foreign keys, and write transactions that start as such."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event


def open_database(path: Path) -> Engine:
    """Open (or create) a SQLite database with the settings the archive relies on.

    Parameters
    ----------
    path : pathlib.Path
        Database file; its folder is created for the owner alone.

    Returns
    -------
    sqlalchemy.Engine
        Engine whose connections use WAL, ``synchronous=FULL`` and enforced foreign keys.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 60}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _configure(connection, _record):  # type: ignore[no-untyped-def]
        connection.isolation_level = None  # we say BEGIN ourselves, see `writing`
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open one write transaction; it commits as a whole or not at all.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From :func:`open_database`.

    Yields
    ------
    sqlalchemy.Connection
        Connection inside ``BEGIN IMMEDIATE``: a second writer waits instead of failing halfway.
    """
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")
