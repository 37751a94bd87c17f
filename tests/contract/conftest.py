"""The databases that keep the catalog's contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rushes.catalog.database import Database
from rushes.catalog.open import open_database
from tests.contract.shop import OpenDatabase, Shop

if TYPE_CHECKING:
    from tests.services.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenDatabase]:
    opened: list[tuple[Database, str]] = []
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None

    def fresh() -> Database:
        url = server.fresh() if server else f"sqlite:///{tmp_path / str(len(opened))}.db"
        database = open_database(url)
        opened.append((database, url))
        if not server:
            database.migrate()
        return database

    yield fresh
    for database, url in opened:
        database.close()
        if server:
            server.drop(url)


@pytest.fixture
def database(fresh_database: OpenDatabase) -> Database:
    return fresh_database()


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)
