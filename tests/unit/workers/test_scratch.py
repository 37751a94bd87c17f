"""Workers on one disk do not take each other's files, and what dead ones left goes."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from rushes.workers.scratch import Own


def own_scratch(root: Path, worker: str) -> AbstractContextManager[Path]:
    return Own(root, worker).held()


def test_it_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    with own_scratch(tmp_path / "scratch", "w") as mine:
        assert list(mine.iterdir()) == []
        (mine / "half.mp4").write_bytes(b"x")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_that_of_a_living_worker_stays(tmp_path: Path) -> None:
    with own_scratch(tmp_path, "one") as first:
        (first / "half.mp4").write_bytes(b"x")
        with own_scratch(tmp_path, "two") as second:
            assert (first / "half.mp4").exists()
            assert first != second
        assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "one.lock"]


def test_that_of_a_dead_worker_goes(tmp_path: Path) -> None:
    (tmp_path / "dead").mkdir()
    (tmp_path / "dead" / "half.mp4").write_bytes(b"x")
    (tmp_path / "dead.lock").touch()
    (tmp_path / "older").mkdir()
    (tmp_path / "lost.lock").touch()
    with own_scratch(tmp_path, "w"):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["w", "w.lock"]


def test_a_name_is_held_once(tmp_path: Path) -> None:
    with own_scratch(tmp_path, "w"), pytest.raises(BlockingIOError), own_scratch(tmp_path, "w"):
        pass


def test_what_somebody_removed_is_made_and_held_again(tmp_path: Path) -> None:
    root = tmp_path / "scratch"
    own = Own(root, "one")
    with own.held() as mine:
        shutil.rmtree(root)
        own.renew()
        (mine / "half.mp4").write_bytes(b"x")
        own.renew()
        with own_scratch(root, "two"):
            assert (mine / "half.mp4").exists()
    assert list(root.iterdir()) == []
