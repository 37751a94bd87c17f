"""A database whose troubles are counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rushes.catalog.database import Database, DatabaseUnavailable, Session
from rushes.catalog.telling import Tell, Trouble


class Watched:
    """Another database, and somebody who is told of each transaction that it did not take."""

    def __init__(self, database: Database, tell: Tell) -> None:
        self._database = database
        self._tell = tell

    @contextmanager
    def write(self) -> Iterator[Session]:
        with self._telling(), self._database.write() as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Session]:
        with self._telling(), self._database.read() as tx:
            yield tx

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except DatabaseUnavailable as error:
            self._tell(Trouble(getattr(error, "code", "database_unavailable")))
            raise

    def migrate(self) -> list[str]:
        return self._database.migrate()

    def ensure(self) -> None:
        self._database.ensure()

    def version(self) -> str | None:
        return self._database.version()

    def close(self) -> None:
        self._database.close()
