"""Which pools share which slots."""

from __future__ import annotations

import pytest

from rushes.engine.classes import Class
from rushes.settings import SettingsError
from rushes.states import Pool
from rushes.workers.slots import (
    EXPRESS_SLOTS,
    LIGHT_SLOTS,
    Share,
    Terms,
    asked,
    heavy_slots,
    own_slots,
    shares,
    terms,
)

LIGHT = Share((Pool.IO, Pool.PUBLISH), LIGHT_SLOTS + EXPRESS_SLOTS, EXPRESS_SLOTS)


def test_light_steps_and_pulls_take_no_slot_of_the_heavy_ones() -> None:
    heavy = tuple(pool for pool in Pool if pool not in (Pool.IO, Pool.PUBLISH, Pool.PULL))
    assert shares(tuple(Pool), 4, 9, {}) == [LIGHT, Share((Pool.PULL,), 9), Share(heavy, 4)]


def test_a_pool_with_slots_of_its_own_shares_none() -> None:
    pools = (Pool.VIDEO, Pool.SPEECH, Pool.AUDIO, Pool.PULL)
    own = own_slots(" video=4, speech=1,pull=7")
    assert shares(pools, 2, 9, own) == [
        Share((Pool.AUDIO,), 2), Share((Pool.VIDEO,), 4), Share((Pool.SPEECH,), 1), Share((Pool.PULL,), 7)
    ]  # fmt: skip


def test_slots_of_pools_that_are_not_served_are_nothing() -> None:
    assert shares((Pool.VIDEO,), 2, 9, own_slots("speech=1")) == [Share((Pool.VIDEO,), 2)]


@pytest.mark.parametrize(
    ("pools", "counted"),
    [
        (tuple(Pool), 4 + 1),
        ((Pool.VIDEO, Pool.PULL), 4),
        ((Pool.IO, Pool.SPEECH), 1),
        ((Pool.IO, Pool.PUBLISH), LIGHT_SLOTS + EXPRESS_SLOTS),
        ((Pool.PULL,), 9),
    ],
)
def test_a_worker_is_counted_by_its_heavy_slots(pools: tuple[Pool, ...], counted: int) -> None:
    assert heavy_slots(shares(pools, 4, 9, own_slots("speech=1"))) == counted


URGENT, CHECKSUM = Class.FAST, Class.ENRICH


@pytest.mark.parametrize(
    ("running", "open_to"),
    [
        ([], Terms()),
        ([("flood", URGENT)] * 2, Terms()),
        ([("flood", URGENT)] * 3, Terms(("flood",), URGENT)),
        ([("flood", URGENT)] * 3 + [("other", URGENT)], Terms(("flood",), URGENT)),
        ([("flood", URGENT)] * 2 + [("other", URGENT)] * 2, Terms(("flood", "other"), URGENT)),
        # checksums of its last uploads keep no tenant from the express slots, and take none of them
        ([("other", CHECKSUM)] * 3, Terms((), URGENT)),
        ([("other", CHECKSUM)] * 3 + [("other", URGENT)], Terms((), URGENT)),
    ],
)
def test_the_last_light_slots_are_for_urgent_steps_of_who_has_next_to_none(
    running: list[tuple[str, Class]], open_to: Terms
) -> None:
    assert terms(LIGHT, running) == open_to


def test_a_share_without_express_slots_is_open_to_all() -> None:
    assert terms(Share((Pool.VIDEO,), 2), [("flood", URGENT)]) == Terms()


@pytest.mark.parametrize("text", ["vidoe=4", "video", "video=0", "video=-1", "video=x", "video=257", "=3", "video=²"])
def test_what_names_no_pool_with_a_number_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="RUSHES_POOL_SLOTS"):
        own_slots(text)


@pytest.mark.parametrize(
    ("text", "slots", "own"),
    [
        (None, None, None),
        ("4", "4", None),
        ("video=4,speech=1", None, "video=4,speech=1"),
        ("2, speech=1", "2", "speech=1"),
        ("many", "many", None),  # which the settings refuse
    ],
)
def test_one_option_says_both(text: str | None, slots: str | None, own: str | None) -> None:
    assert asked(text) == {"slots": slots, "pool_slots": own}
