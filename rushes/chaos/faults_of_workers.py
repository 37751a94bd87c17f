"""Workers die, freeze, are told to leave, lose a child; their hosts run out of room, or have a wrong clock."""

from __future__ import annotations

import signal

import psutil

from rushes.chaos.bounds import Bounds
from rushes.chaos.fault import Fault
from rushes.chaos.member import Member, thaw, until
from rushes.chaos.rehearsal import Rehearsal, Trap
from rushes.chaos.stack import Stack
from rushes.chaos.stand_in import SKEW, STORED
from rushes.clock import pause
from rushes.states import AssetState

LONG = 1.0
"""Seconds of a stand-in's encode, in which something can befall it."""
SHORTLY = 0.3
WRONG_BY = 600.0


def kill_worker(stack: Stack, bounds: Bounds) -> None:
    """At 10, 50 and 95 % of an encode, and between its last byte and the catalog."""
    stack.rehearse(Rehearsal(seconds={"encode": LONG}, holding={"encode": 1.5}))
    for point in (0.1, 0.5, 0.95, STORED) if stack.thorough else (0.5, STORED):
        asset = stack.submit()[0]
        step, worker = stack.caught("encode.0", asset)
        pause(LONG * point + (SHORTLY if point == STORED else 0.0))
        below = worker.family()[1:]
        worker.kill()
        stack.worker()
        where = "between upload and commit" if point == STORED else f"at {point:.0%}"
        bounds.within(
            f"killed {where}: its step elsewhere",
            stack.recovery,
            stack.until(stack.elsewhere(step), "the step elsewhere"),
        )
        until(lambda below=below: not any(map(_lives, below)), "the end of its children")  # type: ignore[misc]


def zombie(stack: Stack, bounds: Bounds) -> None:
    """A worker is frozen past its lease, with its children, and finishes when somebody else has done its step."""
    stack.rehearse(Rehearsal(seconds={"encode": LONG}))
    asset = stack.submit()[0]
    step, worker = stack.caught("encode.0", asset)
    frozen = worker.freeze()
    try:
        bounds.within("its step elsewhere", stack.recovery, stack.until(stack.elsewhere(step), "the step elsewhere"))
        stack.until(lambda: "done" in stack.outcomes(step["id"]), "the step's end")
    finally:
        thaw(frozen)
    stack.settled([asset])
    bounds.at_most("results that were taken", 1, stack.outcomes(step["id"]).count("done"))


def terminate(stack: Stack, bounds: Bounds) -> None:
    """SIGTERM to a worker whose step takes longer than a drain: it leaves in order, and its step is handed on uncharged."""
    stack.rehearse(Rehearsal(seconds={"encode": 6.0}))
    asset = stack.submit()[0]
    step, worker = stack.caught("encode.0", asset)
    stack.worker()
    worker.send(signal.SIGTERM)
    bounds.within("the worker left", 30.0, stack.until(lambda: not worker.lives, "the worker's end"))
    stack.rehearse(Rehearsal())
    bounds.true("in good order", worker.end() == 0)
    bounds.within("its step elsewhere", stack.recovery, stack.until(stack.elsewhere(step), "the step elsewhere"))
    bounds.true("the attempt was not charged", stack.outcomes(step["id"])[0] == "released")


def kill_child(stack: Stack, bounds: Bounds) -> None:
    """One child of a worker dies; its sibling's step goes on as if nothing had been."""
    stack.rehearse(Rehearsal(seconds={"encode": 2 * LONG}, traps=(Trap(what="kill_child", key="encode.1"),)))
    asset = stack.submit()[0]
    stack.settled([asset])
    attempts = {step.key: stack.tries(step.id) for step in stack.catalog.steps(asset)}
    bounds.at_most("attempts of the sibling", 1, len(attempts["encode.0"]))
    bounds.at_most("attempts of the victim", 2, len(attempts["encode.1"]))
    bounds.true("the victim's first attempt failed", attempts["encode.1"][0] == "failed")


def full_disk(stack: Stack, bounds: Bounds) -> None:
    """A worker without room on its scratch disk claims nothing; and a step that runs out of room is tried again."""
    stack.rehearse(Rehearsal(traps=(Trap(what="fill_disk", key="audio"),)))
    full = stack.worker(RUSHES_MIN_FREE_BYTES=str(10**15))
    stack.until(lambda: "the scratch disk is full" in full.said(), "a worker that has noticed")
    assets = stack.submit(3)
    stack.settled(assets)
    owners = {row["worker"] for row in stack.rows("SELECT DISTINCT worker FROM attempts")}
    bounds.true("the full worker claimed nothing", not any(full.owns(owner) for owner in owners))
    audio = [step for step in stack.catalog.steps(assets[0]) if step.key == "audio"]
    failed = stack.rows("SELECT 1 FROM attempts WHERE reason_code = 'scratch_full' AND outcome = 'failed'")
    bounds.true("a step ran out of room", failed)
    bounds.true("the step was done at last", "done" in stack.tries(audio[0].id))


def wrong_clock(stack: Stack, bounds: Bounds) -> None:
    """A worker whose clock is ten minutes fast, and one whose is ten minutes slow, take no lease from anybody."""
    stack.rehearse(Rehearsal(seconds={"encode": LONG}))
    slow, fast = stack.worker(**{SKEW: str(WRONG_BY)}), stack.worker(**{SKEW: str(-WRONG_BY)})
    stack.until(lambda: stack.knows(slow, fast), "workers that have said so much as their names")
    assets = stack.submit(6)
    stack.settled(assets)
    outcomes = [
        outcome for asset in assets for step in stack.catalog.steps(asset) for outcome in stack.outcomes(step.id)
    ]
    bounds.at_most("leases that were lost", 0, outcomes.count("lost"))
    for worker in (slow, fast):  # it may have seen only now how wrong it is
        stack.until(lambda it=worker: _worked(stack, it) or _aside(stack, it), "work, or a word that it stands aside")  # type: ignore[misc]
    for worker in (slow, fast):
        worker.end()


def _worked(stack: Stack, worker: Member) -> bool:
    return any(worker.owns(row["worker"]) for row in stack.rows("SELECT DISTINCT worker FROM attempts"))


def _aside(stack: Stack, worker: Member) -> bool:
    """It says of itself that it takes no work."""
    states = {row["id"]: row["state"] for row in stack.rows("SELECT id, state FROM workers")}
    return any(worker.owns(name) and state == "cordoned" for name, state in states.items())


def hung_tool(stack: Stack, bounds: Bounds) -> None:
    """A real ffmpeg is stopped by SIGSTOP: it is found, killed, and its step done again."""
    stack.rehearse(Rehearsal(traps=(Trap(what="run_ffmpeg", key="encode.0"),)))
    asset = stack.submit()[0]
    step, worker = stack.caught("encode.0", asset)
    tools: list[psutil.Process] = []

    def found() -> bool:
        tools[:] = [process for process in worker.family() if _name(process).startswith("ffmpeg")]
        return bool(tools)

    stack.until(found, "the tool")
    for tool in tools:
        tool.suspend()
    bounds.within("its step anew", stack.recovery, stack.until(stack.elsewhere(step), "the step anew"))
    until(lambda: not any(map(_lives, tools)), "the end of the hung tool")


def no_memory(stack: Stack, bounds: Bounds) -> None:
    """A step takes more memory than it may: it is stopped and ends with a reason, and its worker and others go on."""
    stack.rehearse(Rehearsal(traps=(Trap(what="eat_memory", key="encode.0", times=1),)))
    assets = stack.submit(2)
    stack.settled(assets)
    bounds.true("no worker died of it", all(worker.lives for worker in stack.workers))
    stopped = stack.rows("SELECT 1 FROM attempts WHERE reason_code = 'over_limit_memory' AND outcome = 'failed'")
    bounds.at_most("attempts that were stopped for it, beyond the one", 0, abs(len(stopped) - 1))
    nouns = [stack.catalog.asset(asset) for asset in assets]
    failed = [noun.reason.code for noun in nouns if noun.state is AssetState.FAILED and noun.reason]
    bounds.true("its asset failed with the reason, and no other", failed == ["over_limit_memory"])


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


FAULTS = (
    Fault(
        "kill-worker",
        1,
        "kill -9 of a worker at 10, 50 and 95 % of an encode, and between upload and commit",
        kill_worker,
    ),
    Fault("full-disk", 5, "no room on a worker's scratch disk", full_disk),
    Fault("wrong-clock", 6, "workers whose clocks are ten minutes wrong", wrong_clock),
    Fault("no-memory", 9, "a step that takes more memory than it may", no_memory),
    Fault("hung-tool", 10, "ffmpeg stopped by SIGSTOP", hung_tool),
    Fault("zombie", 11, "a frozen worker that finishes late", zombie),
    Fault("terminate", 12, "SIGTERM in the middle of a step that takes longer than a drain", terminate),
    Fault("kill-child", 13, "kill -9 of one child of a worker", kill_child),
)
