"""What a simulation is given, and the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rushes.catalog import trace
from rushes.catalog.change import Store
from rushes.catalog.open import open_database
from rushes.cli import app
from rushes.engine.simulate.videos import VIDEOS, facts_of
from rushes.errors import Refused
from rushes.model import ChecksumResult, ProbeResult
from rushes.rehearsal import GROUPS, Crowd, Terms, fitting, read_trace, typical
from rushes.settings import load_policy, load_profile
from rushes.states import Pool
from tests.contract.shop import FACTS, PLAN, Shop

TERMS = Terms(load_profile("fast"), load_policy("development"))
HEADING = json.dumps({"trace": 1})
UPLOAD = json.dumps({"at": 5.0, "tenant": "a", "facts": facts_of(VIDEOS[0], 10.0).model_dump(mode="json")})


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    database = open_database(f"sqlite:///{tmp_path / 'rushes.db'}")
    database.migrate()
    yield Shop(database)
    database.close()


def run(*arguments: str):
    return CliRunner().invoke(app, ["simulate", *arguments])


def test_what_is_recorded_is_what_came_and_what_it_took(shop: Shop):
    for _ in range(4):
        shop.clock.advance(10.0)
        shop.upload("acme")
        shop.probe()
        probe = shop.take("checksum")
        shop.clock.advance(2.0)
        assert shop.pipeline.complete(probe.job, ChecksumResult(sha256="0" * 64), 1.5)
    heading, *lines = trace.lines(Store(shop.database, shop.clock), 3600.0)
    assert [line["at"] - lines[0]["at"] for line in lines] == pytest.approx([0.0, 12.0, 24.0, 36.0])
    assert {line["tenant"] for line in lines} == {"tenant-1"}  # nobody's name
    pace = heading["paces"]["checksum"]
    assert (pace["n"], pace["cpu"], pace["wall"]) == (4, pytest.approx(3.0), pytest.approx(4.0))  # planned: 0.5 CPU-s
    assert heading["paces"]["checksum@enrich"]["seen"] == pytest.approx(4.0)  # the same work, by its urgency
    arrivals, costs = read_trace([json.dumps(line) for line in (heading, *lines)], TERMS)
    checksum = next(task for task in arrivals[0].shape.tasks if task.key == "checksum")
    assert (checksum.cpu, checksum.wall) == (pytest.approx(1.5), pytest.approx(2.0))
    assert len({id(one.shape) for one in arrivals}) == 1
    assert costs.paces["checksum"].n == 4


def test_facts_of_another_shop_are_read_back(shop: Shop):
    assert ProbeResult(facts=FACTS, plan=PLAN).facts == FACTS
    arrivals, _ = read_trace([HEADING, "", UPLOAD, UPLOAD.replace("5.0", "3.5")], TERMS)
    assert [one.at for one in arrivals] == [0.0, 1.5]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "first line"),
        (["{}"], "first line"),
        (["nonsense"], "Line 1 of the trace is no JSON"),
        (["[]"], "Line 1 of the trace is no object"),
        ([HEADING], "no upload"),
        ([HEADING, '{"at": 1}'], "Line 2 of the trace, tenant"),
        ([HEADING, UPLOAD.replace("5.0", '"soon"')], "Line 2 of the trace, at"),
    ],
)
def test_a_trace_that_is_wrong_is_refused_with_its_line(lines: list[str], said: str):
    with pytest.raises(Refused, match=said) as refused:
        read_trace(lines, TERMS)
    assert refused.value.code == "trace_invalid"


def test_the_workers_that_fit_serve_all_pools_of_an_upload():
    crowd = Crowd(10.0, 86_400.0, 10, typical(TERMS, 0.0))
    groups = fitting(crowd)
    assert {pool for pools in GROUPS for pool in pools} == set(Pool) - {Pool.PULL}
    video = next(group for group in groups if group.name == "video")
    assert video.count * video.cores > crowd.cpu(["video"])
    assert 0 < (video.least or 0) < video.count


def test_the_command_prints_times_cost_and_what_ifs():
    done = run(
        "--rate", "60/h", "--hours", "0.5", "--workers", "all=4x8", "--what-if", "all=8x8,loss=20", "--profile", "fast"
    )
    assert done.exit_code == 0, done.output
    assert [name in done.output for name in ("p99", "playable", "ready", "for a thousand uploads", "what if")] == [
        True
    ] * 5
    again = run("--rate", "60/h", "--hours", "0.5", "--workers", "all=4x8", "--profile", "fast", "--json")
    (case,) = json.loads(again.stdout)["cases"]
    assert case["unfinished"] == 0
    assert case["uploads"] == case["ready"]["count"] > 10
    assert case["playable"]["p50"] <= case["playable"]["p95"] <= case["playable"]["p99"]


def test_a_weight_is_tried_and_its_tenant_told_apart():
    crowded = (
        "--rate",
        "900/h",
        "--hours",
        "0.3",
        "--workers",
        "all=4x4",
        "--tenants",
        "2",
        "--profile",
        "fast",
        "--json",
    )
    heavy, plain = (
        json.loads(run(*crowded, "--weight", f"tenant-2={weight}").stdout)["cases"][0]["by_tenant"]["tenant-2"]
        for weight in (20, 1)
    )
    assert heavy["count"] == plain["count"] > 50
    assert heavy["p95"] < plain["p95"]


def test_a_trace_is_played(tmp_path: Path):
    path = tmp_path / "trace.jsonl"
    path.write_text(f"{HEADING}\n{UPLOAD}\n")
    done = run("--trace", str(path), "--workers", "all=1x4", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["cases"][0]["uploads"] == 1


def test_a_trace_is_played_without_what_its_own_workers_added(shop: Shop, tmp_path: Path):
    for _ in range(6):
        shop.upload("acme")
        shop.probe()
        checksum = shop.take("checksum")
        shop.clock.advance(2.0)
        assert shop.pipeline.complete(checksum.job, ChecksumResult(sha256="0" * 64), 1.5)
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in trace.lines(Store(shop.database, shop.clock), 3600.0)))
    done = run("--trace", str(path), "--recorded-on", "all=1x4", "--workers", "all=1x64", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["cases"][0]["unfinished"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rate", "many"], "1000000/d"),
        (["--workers", "film=3"], "no pool film"),
        (["--workers", "video=3"], "nobody serves"),
        (["--workers", "all=3", "--what-if", "loss=much"], "loss is a number"),
        (["--weight", "tenant-1"], "tenant-1=4"),
        (["--trace", "missing.jsonl"], "cannot be read"),
        (["--trace", "missing.jsonl", "--recorded-on", "all"], "no group"),
        (["--recorded-on", "all=1x4"], "--recorded-on goes with --trace"),
    ],
)
def test_what_cannot_be_tried_is_said_so(arguments: list[str], said: str):
    done = run("--hours", "0.1", *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.output.replace("│", " ").split())
