"""The conformance suite over our own server: every clause of both protocols, and what is beyond their text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.clause import Clause, Level
from tests.conformance.score import Outcome, discover, every_clause, judge
from tests.conformance.servers import rushes
from tests.conformance.session import Target
from tests.services.swift import Swift

CLAUSES = every_clause()
ENOUGH = 100
"""A suite of fewer clauses has lost some."""


@pytest.fixture(scope="module", params=["local", pytest.param("s3", marks=pytest.mark.nightly)])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Once with files; by night, as it takes minutes, with S3 and leases in the catalog too."""
    options: dict[str, Any] = {}
    if request.param == "s3":
        service: Swift = request.getfixturevalue("s3_keys")
        options = {"storage": service.url(service.bucket(), "videos"), "fleet": True}
    with rushes(tmp_path_factory.mktemp("conformance"), **options) as served:
        yield discover(Target(served.url, read=served.read))


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.key)
def test_the_clause_is_kept(target: Target, clause: Clause) -> None:
    verdict = judge(clause, target)
    if verdict.outcome is Outcome.UNSEEN:
        pytest.skip(verdict.why)
    assert verdict.outcome is Outcome.PASSED, f"{clause.says} ({clause.source})\n{verdict.why}\n{verdict.exchange}"


def test_every_clause_is_cited_and_has_a_name_of_its_own() -> None:
    assert len({one.key for one in CLAUSES}) == len(CLAUSES)
    assert [one.key for one in CLAUSES if not one.source or not one.says.endswith((".", "!"))] == []
    assert len({one.name for one in CLAUSES if one.level is not Level.WISH}) >= ENOUGH
