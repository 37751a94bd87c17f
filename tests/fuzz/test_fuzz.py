"""A short round of the fuzzer: a fixed seed, some thirty files. The long one is `python -m tests.fuzz --files 500`."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz import seeds
from tests.fuzz.mutations import boxes, mutate
from tests.fuzz.pipeline import run

SEED, FILES = 20261121, 30


@pytest.fixture(scope="session")
def clips(tmp_path_factory) -> list[bytes]:
    return [path.read_bytes() for path in seeds.make(tmp_path_factory.mktemp("seeds"))]


@pytest.mark.parametrize("number", range(FILES))
def test_a_damaged_file_ends_with_a_reason_or_as_a_video(clips: list[bytes], tmp_path: Path, number: int) -> None:
    random = Random(SEED + number)
    data, how = mutate(clips[number % len(clips)], clips, random)
    report = run(how, data, tmp_path / "work")
    assert report.faults == []
    assert report.outcome
    assert not (tmp_path / "work").exists()


def test_the_same_seed_damages_in_the_same_way(clips: list[bytes]) -> None:
    made = [mutate(clips[0], clips, Random(7)) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0][0] != clips[0]


def test_an_undamaged_clip_is_ready(clips: list[bytes], tmp_path: Path) -> None:
    report = run("whole", clips[0], tmp_path / "work")
    assert (report.outcome, report.faults, report.notes) == ("ready", [], [])


def test_boxes_are_found_below_their_parents(clips: list[bytes]) -> None:
    kinds = [kind for _, _, kind in boxes(clips[0])]
    assert {b"ftyp", b"moov", b"trak", b"stbl", b"stsz", b"avcC"} <= set(kinds)
