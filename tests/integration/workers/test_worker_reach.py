"""A store that is away, or refuses one worker alone: no step pays for it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from rushes.states import Pool, StepState
from rushes.workers.reach import Reach
from tests.integration.workers.conftest import Works, until
from tests.services.faulty import Answer, BlackHole, Proxy, faulty
from tests.services.swift import Swift


@pytest.fixture
def trouble(s3: Swift) -> Iterator[Proxy]:
    with faulty(s3.port) as proxy:
        yield proxy


@pytest.fixture
def url(s3: Swift, trouble: Proxy) -> str:
    address = s3.url(s3.shared, f"reach/{secrets.token_hex(6)}").replace(f":{s3.port}", f":{trouble.port}")
    return f"{address}&attempts=1"


async def test_an_outage_longer_than_all_attempts_costs_none_of_them(
    tmp_path: Path, url: str, trouble: Proxy, quick_clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    works = Works(tmp_path / "data", slots=2, storage_url=url, max_attempts=1)
    asset = works.ingest(quick_clip)
    trouble.fault = Answer(status=503)
    async with works.working((Pool.IO,)):
        await until(lambda: "nothing is claimed" in caplog.text)
        before = trouble.fault.hits
        await until(lambda: trouble.fault and trouble.fault.hits > before)  # it looks again
        # and what was under way when it noticed is given back
        await until(lambda: {step.state for step in works.catalog.steps(asset)} == {StepState.READY})
        trouble.fault = None
        await until(lambda: (step := works.step(asset, "probe")) and step.state is StepState.DONE)
    probe = works.step(asset, "probe")
    assert probe
    outcomes = [outcome for outcome, _ in works.attempts(probe.id)]
    assert set(outcomes[:-1]) == {"released"}
    assert (outcomes[-1], probe.attempts) == ("done", 1)


async def test_an_object_that_cannot_be_had_from_a_store_that_works_is_the_steps_own_failure(
    tmp_path: Path, url: str, trouble: Proxy, quick_clip: Path
) -> None:
    works = Works(tmp_path / "data", slots=2, storage_url=url, max_attempts=1)
    asset = works.ingest(quick_clip)
    trouble.fault = Answer(status=500, method=f"GET /{works.settings.storage_url[5:].partition('?')[0]}/sources/")
    async with works.working((Pool.IO,)):
        await until(lambda: (step := works.step(asset, "probe")) and step.state is StepState.FAILED)
    probe = works.step(asset, "probe")
    assert probe
    assert works.attempts(probe.id) == [("failed", "storage_unavailable")]


async def test_wrong_keys_are_told_apart_from_a_step_and_not_told_to_anybody(
    s3: Swift, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-our-key")
    reach = Reach(s3.url(s3.shared))
    assert await reach.is_lost(10.0)
    assert not reach.there
    assert "SignatureDoesNotMatch" in caplog.text
    assert "not-our-key" not in caplog.text


async def test_a_store_that_says_nothing_is_lost_within_the_patience(url: str, trouble: Proxy) -> None:
    trouble.fault = BlackHole()
    reach = Reach(url)
    assert await reach.is_lost(0.2)
    assert not reach.there


async def test_a_local_store_is_never_away(tmp_path: Path) -> None:
    reach = Reach(f"file://{tmp_path}/nowhere")
    assert not await reach.is_lost(1.0)
    assert reach.there
