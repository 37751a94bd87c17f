"""Who gives way at a simulated worker, and who finds a child warm: as the real one's rules say."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random

import pytest

from rushes.engine.simulate import household
from rushes.engine.simulate.household import BRISK, CROWD, Children, Household
from rushes.workers.hurry import Hurry
from rushes.workers.slots import EXPRESS_SLOTS, LIGHT_SLOTS


@pytest.mark.parametrize("seed", range(20))
def test_who_goes_first_is_who_goes_first_at_a_worker(seed: int):
    random, theirs, ours = Random(seed), Hurry(), Household(4)
    running: list[tuple[str, int, ExitStack]] = []
    for _ in range(60):
        if running and random.random() < 0.45:
            tenant, asset, stack = running.pop(random.randrange(len(running)))
            stack.close()
            ours.rest(tenant, asset)
            continue
        tenant, asset = random.choice("ab"), random.randrange(4)
        stack = ExitStack()
        first = stack.enter_context(theirs.of(tenant, str(asset)))
        assert (ours.hurry(tenant, asset) == BRISK) is first
        running.append((tenant, asset, stack))


def test_as_many_children_are_kept_as_at_a_worker():
    assert (household.URGENT_SPARE, household.CROWD_SPARE) == (LIGHT_SLOTS, EXPRESS_SLOTS)


def test_a_child_that_is_warm_is_taken_and_comes_back():
    children = Children(spare=2, idle=2)
    assert [children.take() for _ in range(3)] == [True, True, False]
    assert children.put_back() == 0  # it is the one that is always ready
    assert children.take()
    assert [children.put_back() for _ in range(3)] == [0, 0, 0]
    assert children.idle == 2  # the third is one too many


def test_one_is_always_made_ready_while_others_are_out():
    children = Children(spare=2, idle=0)
    for _ in range(4):
        assert not children.take()
    assert children.put_back() == 0
    assert children.take()
    children.spare = 0
    assert children.put_back() == 0  # nobody keeps any


def test_those_that_are_missing_begin_once():
    children = Children(spare=2, idle=0)
    children.take()
    children.idle = -1  # one that was idle has gone
    assert (children.put_back(), children.coming) == (2, 2)
    children.warmed()
    assert (children.idle, children.coming) == (1, 1)


def test_a_crowd_and_bulk_find_none_warm_at_first():
    assert [one.idle for one in Household(4).children] == [3, 0, 2, 0]
    assert Household(1).children[2].idle == 1
    assert Household(4).children[CROWD].spare == 2
