from __future__ import annotations

from rushes.chaos.bounds import Bounds, broken
from rushes.chaos.faults import FAULTS
from rushes.chaos.rehearsal import Rehearsal, Trap, lay_out, read, sprung, write


def test_a_bound_that_does_not_hold_is_told() -> None:
    bounds = Bounds()
    bounds.within("its step elsewhere", 35.0, 34.9)
    bounds.true("it is deleted", said=True)
    assert bounds.held
    assert broken(bounds.found) == []
    bounds.within("its step elsewhere", 35.0, 35.1)
    bounds.at_most("results that were taken", 1, 2)
    bounds.true("its worker goes on", said=False)
    assert not bounds.held
    assert broken(bounds.found) == [
        "BROKEN  its step elsewhere: 35.1 s, bound 35 s",
        "BROKEN  results that were taken: 2, bound 1",
        "BROKEN  its worker goes on",
    ]


def test_there_are_seventeen_faults() -> None:
    assert [fault.number for fault in FAULTS.values()] == list(range(1, 18))


def test_a_trap_catches_its_step_so_often(tmp_path) -> None:
    trap = Trap(what="hang", key="encode.0", asset="a", times=2)
    assert [trap.fits("a", "encode.0"), trap.fits("b", "encode.0"), trap.fits("a", "encode.1")] == [True, False, False]
    assert Trap(what="hang", key="encode.0").fits("anybody", "encode.0")
    assert [sprung(tmp_path, 0, trap.times) for _ in range(4)] == [True, True, False, False]
    assert sprung(tmp_path, 1, 1)
    write(tmp_path, Rehearsal(traps=(trap,)))
    assert sprung(tmp_path, 0, trap.times)


def test_a_rehearsal_is_changed_while_others_read_it(tmp_path) -> None:
    assert lay_out(tmp_path / "planted").is_file()
    assert read(tmp_path / "planted") == Rehearsal()
    changed = Rehearsal(seconds={"encode": 1.5}, traps=(Trap(what="fail", key="audio"),))
    write(tmp_path / "planted", changed)
    assert read(tmp_path / "planted") == changed
