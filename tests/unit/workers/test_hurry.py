"""Which urgent steps give way: those of a tenant's further assets, and all of one that has more of them than another."""

from __future__ import annotations

from rushes.workers.hurry import Hurry


def test_all_steps_of_a_tenants_first_asset_go_first_and_those_of_further_ones_give_way() -> None:
    hurry = Hurry()
    with hurry.of("flood", "a") as first, hurry.of("flood", "b") as second, hurry.of("flood", "c") as third:
        assert (first, second, third) == (True, False, False)
        with hurry.of("other", "d") as probe, hurry.of("other", "d") as copy, hurry.of("other", "d") as sound:
            assert (probe, copy, sound) == (True, True, True)
        with hurry.of("flood", "a") as again:
            assert again


def test_a_tenant_with_more_assets_under_way_gives_way_altogether_to_one_with_fewer() -> None:
    hurry = Hurry()
    with hurry.of("flood", "a") as alone, hurry.of("other", "x") as beside, hurry.of("flood", "a") as one_each:
        assert (alone, beside, one_each) == (True, True, True)
        with hurry.of("flood", "b"):
            with hurry.of("flood", "a") as crowding, hurry.of("other", "x") as goes_on:
                assert (crowding, goes_on) == (False, True)
            with hurry.of("other", "y"), hurry.of("flood", "a") as level:
                assert level
    with hurry.of("flood", "a"), hurry.of("flood", "b"), hurry.of("flood", "a") as nobody_else:
        assert nobody_else


def test_the_next_asset_is_the_first_when_that_one_has_nothing_running() -> None:
    hurry = Hurry()
    with hurry.of("flood", "a"):
        second = hurry.of("flood", "b")
        assert not second.__enter__()
    with hurry.of("flood", "c") as later, hurry.of("flood", "b") as now:
        assert (later, now) == (False, True)
    second.__exit__(None, None, None)
    with hurry.of("flood", "c") as alone:
        assert alone
