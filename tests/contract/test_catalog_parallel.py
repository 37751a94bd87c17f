"""What the catalog promises where transactions really run at the same time: on PostgreSQL, whose writers do not wait in line."""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import pytest

from rushes import clock
from rushes.catalog import assets
from rushes.catalog.database import DatabaseUnavailable, Turn, migrations
from rushes.catalog.pipeline import Answer
from rushes.catalog.postgres import PostgresDatabase
from rushes.catalog.records import Claim, Load, Upload
from rushes.catalog.workforce import Presence
from rushes.clock import SystemClock, pause
from rushes.errors import Blame, Conflict
from rushes.facts import SourceRef
from rushes.ingest.reservations import Premises, rule_of
from rushes.keys import new_id
from rushes.model import Asset, Skipped, TracksResult
from rushes.quotas import Quota
from rushes.states import Action, AssetState, Pool, StepState
from tests.contract.parallel import PROBED, Site, rounds, together
from tests.contract.shop import OOPS
from tests.contract.test_pipeline_machine import result
from tests.services.postgres import Postgres

T = TypeVar("T")


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    made = postgres.fresh()
    yield made
    postgres.drop(made)


@pytest.fixture
def site(url: str) -> Iterator[Site]:
    made = Site(url)
    yield made
    made.database.close()


# -- claims -----------------------------------------------------------------------------------------------------------


def test_eight_workers_claim_three_hundred_steps_each_exactly_once(site: Site) -> None:
    for number in range(100):  # of each, the probe, the copy and the checksum
        site.upload(f"tenant{number % 5}")

    def work(_: int) -> list[tuple[str, int]]:
        return [(claim.job.step_id, claim.job.fence) for claim in iter(site.claim, None)]

    claimed = Counter(chain.from_iterable(together(8, work)))
    assert len(claimed) == 300
    assert set(claimed.values()) == {1}
    assert {fence for _, fence in claimed} == {1}
    assert site.rows("SELECT sum(tag) AS given FROM queues")[0]["given"] == pytest.approx(100 * (0.2 + 0.2 + 0.5))


def test_steps_of_one_asset_are_all_claimed_at_the_same_moment(site: Site) -> None:
    """A worker that finds an asset in other hands waits for it; it does not go home and look again in two seconds."""
    for number in range(15):
        site.probed()
        ready = site.rows("SELECT count(*) AS n FROM steps WHERE state = 'ready'")[0]["n"]
        claims = together(int(str(ready)), lambda _: site.claim())
        assert None not in claims
        assert len({claim.job.step_id for claim in claims if claim}) == ready
        assert ready == (
            3 if number else 5
        )  # of the later ones two wait for their checksum: there is one of their size


def test_each_attempt_to_package_gets_a_number_of_its_own(site: Site) -> None:
    for _ in range(4):
        asset = site.probed()
        for claim in iter(site.claim, None):
            if claim.job.key != "package.ready":
                site.pipeline.complete(claim.job, result(claim, Action.PUBLISH), 0.1)
                continue
            assert site.pipeline.release(claim.job, "released")
            break
        numbers = [1]

        def attempt(_: int, numbers: list[int] = numbers) -> None:
            for _ in range(5):
                claim = site.pipeline.claim((Pool.PUBLISH,), "w")
                if claim is not None:
                    numbers.append(claim.job.build)
                    assert site.pipeline.release(claim.job, "released")

        together(4, attempt)
        assert sorted(numbers) == list(range(1, len(numbers) + 1))
        site.catalog.delete(asset)
        while claim := site.claim():
            site.pipeline.complete(claim.job, Skipped(reason=OOPS), 0.1)


# -- two things happen to one asset -----------------------------------------------------------------------------------


def test_what_waits_for_two_steps_starts_when_both_are_done_at_the_same_moment(site: Site) -> None:
    damaged = TracksResult(tracks=(), decode_errors=1)
    for _ in range(30):
        asset = site.probed()
        claims = {claim.job.key: claim for claim in iter(site.claim, None)}
        pair = [claims["encode.0"], claims["audio"]]
        before = site.catalog.asset(asset).revision
        done = together(2, lambda n, pair=pair: site.pipeline.complete(pair[n].job, damaged, 0.1))  # type: ignore[misc] # bound at once
        assert done == [True, True]
        # Then the follower is ready, and the record has what each of them did to it
        states = {step.key: step.state for step in site.catalog.steps(asset)}
        assert states["package.ready"] is StepState.READY
        changed = site.catalog.asset(asset)
        assert changed.partial is not None and changed.partial.decode_errors == 2
        assert changed.revision == before + 2
        site.catalog.delete(asset)
        together(
            2,
            lambda _: [site.pipeline.complete(claim.job, Skipped(reason=OOPS), 0) for claim in iter(site.claim, None)],
        )


@contextlib.contextmanager
def held(site: Site, asset: str) -> Iterator[None]:
    """Somebody else is changing the asset."""
    with site.database.write() as tx:
        assets.row(tx, asset)
        yield


def test_whoever_cancels_first_is_heard_by_whoever_completes_next(site: Site) -> None:
    asset = site.upload()
    claim = site.claim()
    assert claim is not None
    with ThreadPoolExecutor(2) as threads:
        with held(site, asset):
            cancelled = threads.submit(site.catalog.cancel, asset)
            site.until_waiting(1)
            completed = threads.submit(site.pipeline.complete, claim.job, PROBED, 0.1)
            site.until_waiting(2)
        assert cancelled.result().state is AssetState.FAILED
        assert completed.result()
    assert {step.state for step in site.catalog.steps(asset)} == {StepState.CANCELLED}


def test_an_upload_that_is_finished_while_it_is_given_up_ends_one_way(site: Site) -> None:
    now = SystemClock().now()
    asset = Asset(id=new_id(now), tenant="t", created_at=now)
    upload = Upload(id=new_id(now), asset=asset.id, tenant="t", length=5, created_at=now, expires_at=now + 60)
    site.catalog.create_upload(upload, asset)
    with ThreadPoolExecutor(2) as threads:
        with held(site, asset.id):
            given_up = threads.submit(site.catalog.terminate_upload, upload.id)
            site.until_waiting(1)
            finished = threads.submit(site.catalog.finish_upload, upload.id, SourceRef(key="k", size=5))
            site.until_waiting(2)
        given_up.result()
        assert finished.result().state is AssetState.DELETED
    assert site.catalog.upload(upload.id).state == "terminated"
    assert site.catalog.steps(asset.id) == []


def test_a_lease_that_was_renewed_while_it_was_about_to_be_taken_back_stays(url: str) -> None:
    site, keeper = Site(url, lease=0.05), Site(url, lease=60.0)
    asset = site.upload()
    claim = site.claim()
    assert claim is not None
    pause(0.1)  # the lease is over
    with ThreadPoolExecutor(1) as threads:
        with held(site, asset):
            taken = threads.submit(site.pipeline.reconcile)
            site.until_waiting()
            assert keeper.pipeline.renew(claim.job, 0.5) is Answer.OK
        assert taken.result() == 0
    assert site.pipeline.complete(claim.job, PROBED, 0.1)
    site.database.close()
    keeper.database.close()


def test_only_one_process_takes_back_at_a_time(url: str) -> None:
    site = Site(url, lease=0.05)
    site.upload()
    assert site.claim()
    pause(0.1)
    with site.database.write() as tx:
        assert tx.turn(Turn.RECONCILE, wait=False)
        assert site.pipeline.reconcile() == 0
    assert site.pipeline.reconcile() == 1
    site.database.close()


class Storm:
    """Threads that spare nobody: each does what comes to its mind to whichever asset."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.ids = [site.upload(f"tenant{number % 2}") for number in range(4)]
        self.taken: list[Claim] = []

    def work(self, number: int) -> int:
        chance = random.Random(number)
        for _ in rounds(4.0):
            with contextlib.suppress(Conflict):
                self.act(chance, chance.choice(self.ids))
            with contextlib.suppress(IndexError):  # others take from the list too
                if chance.random() < 0.7:  # and some are ended twice
                    self.end(self.taken.pop() if chance.random() < 0.8 else self.taken[-1], chance)
        return number

    def act(self, chance: random.Random, asset: str) -> None:
        catalog, pipeline = self.site.catalog, self.site.pipeline
        deeds: list[tuple[int, Callable[[], object]]] = [
            (10, lambda: catalog.cancel(asset)),
            (30, lambda: catalog.retry(asset)),
            (10, lambda: catalog.decide(asset, chance.choice([Action.PUBLISH, Action.HOLD]))),
            (10, lambda: catalog.update(asset, title="A title")),
            (5, pipeline.reconcile),
            (5, lambda: pipeline.housekeep(0)),
            (1, lambda: catalog.delete(asset)),
            (1, lambda: self.ids.append(self.site.upload())),
            (80, self.claim),
        ]
        weights, choices = zip(*deeds, strict=True)
        chance.choices(choices, weights)[0]()

    def claim(self) -> None:
        if claim := self.site.claim():
            self.taken.append(claim)

    def end(self, claim: Claim, chance: random.Random) -> None:
        pipeline = self.site.pipeline
        answer = pipeline.renew(claim.job, 0.5)
        match chance.randrange(5):
            case 0:
                pipeline.fail(claim.job, OOPS, chance.choice(list(Blame)))
            case 1:
                pipeline.release(claim.job, "cancelled" if answer is Answer.CANCEL else "released")
            case _:
                pipeline.complete(claim.job, result(claim, Action.PUBLISH), 0.1)


def test_whatever_eight_threads_do_to_a_few_assets_nobody_is_turned_away_and_everything_ends(site: Site) -> None:
    storm = Storm(site)
    # When nobody spares anybody (DatabaseUnavailable would come out here: a deadlock, a lock that took too long)
    assert together(8, storm.work) == list(range(8))
    site.check()
    # Then one patient worker brings all of it to an end
    site.pipeline.disown()
    finish(site)
    for asset in storm.ids:
        assert site.catalog.asset(asset).state.is_final


def finish(site: Site) -> None:
    """Work until there is nothing left to do; what waits for its next attempt does not have to wait for it here."""
    for _ in range(2_000):
        if not site.pipeline.open_work():
            break
        with site.database.write() as tx:
            tx.execute("UPDATE steps SET not_before = 1 WHERE state = 'waiting' AND not_before > 0")
        if claim := site.claim():
            site.pipeline.complete(claim.job, result(claim, Action.PUBLISH), 0.1)
    assert site.pipeline.open_work() == 0
    site.check()


# -- events and deliveries --------------------------------------------------------------------------------------------


def test_a_reader_that_goes_on_from_the_last_number_it_saw_misses_nothing(site: Site) -> None:
    ids = [site.upload() for _ in range(8)]
    over = threading.Event()

    def read() -> list[int]:
        seen, after = [], 0
        while True:
            last_round = over.is_set()
            events = site.catalog.events(after=after, limit=1000)
            seen += [event.seq for event in events]
            after = seen[-1] if seen else 0
            if last_round and not events:
                return seen

    with ThreadPoolExecutor(1) as reader:
        seen = reader.submit(read)
        together(8, lambda n: [site.catalog.update(ids[n], title=str(turn)) for turn in range(60)])
        over.set()
        written = [row["seq"] for row in site.rows("SELECT seq FROM events ORDER BY seq")]
        assert len(written) >= 8 * 60
        assert seen.result() == written


def test_each_message_is_given_to_one_sender_and_those_of_one_asset_in_order(url: str) -> None:
    site = Site(url, deliver=True)
    ids = [site.upload() for _ in range(12)]
    for asset in ids:
        site.catalog.cancel(asset)
        site.catalog.retry(asset)
        site.catalog.cancel(asset)
        site.catalog.delete(asset)
    sent: list[tuple[str, int]] = []

    def send(_: int) -> None:
        for _ in rounds(10.0):
            mine = site.catalog.take_deliveries(3)
            for delivery in mine:
                sent.append((delivery.event.asset, delivery.event.seq))
                site.catalog.delivery_done(delivery)
            if not mine and not site.rows("SELECT 1 FROM deliveries WHERE state = 'due' LIMIT 1"):
                return

    together(4, send)
    assert len(sent) == len(set(sent)) == 3 * len(ids)
    for asset in ids:
        numbers = [seq for one, seq in sent if one == asset]
        assert numbers == sorted(numbers)
    site.database.close()


# -- the server comes and goes ----------------------------------------------------------------------------------------


def outlast(action: Callable[[], T], fell: list[str]) -> T:
    """As workers do: again until the database answers."""
    while True:
        try:
            return action()
        except DatabaseUnavailable as error:
            fell.append(str(error))
            pause(0.02)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_server_that_dies_in_the_middle_loses_and_doubles_nothing(postgres: Postgres, url: str, how: str) -> None:
    # Given workers in the middle of the steps of some assets, with a lease of 0.5 s
    site, fell, over = Site(url, lease=0.5), [], threading.Event()
    ids = [site.upload(f"tenant{number}") for number in range(6)]
    completed: list[tuple[str, int]] = []

    def work(_: int) -> None:
        while not over.is_set():
            outlast(site.pipeline.reconcile, fell)
            claim = outlast(site.claim, fell)
            if claim is None:
                pause(0.02)
            elif outlast(
                lambda claim=claim: site.pipeline.complete(claim.job, result(claim, Action.PUBLISH), 0.1), fell
            ):  # type: ignore[misc] # bound at once
                completed.append((claim.job.step_id, claim.job.fence))

    with ThreadPoolExecutor(6) as threads:
        workers = [threads.submit(work, number) for number in range(6)]
        # When the server ends twice
        try:
            for enough in (10, 30):
                until(lambda enough=enough: len(completed) >= enough)  # type: ignore[misc] # bound at once
                getattr(postgres, how)()
                until(lambda: len(fell) > 0)
                postgres.start()
                fell.clear()
            # Then they find their way by themselves, and everything ends
            until(lambda: outlast(site.pipeline.open_work, fell) == 0, patience=30)
        finally:
            over.set()
        for worker in workers:
            worker.result()
    site.check()
    # And what was acknowledged is there: each step that was done was done once, by the attempt that was told so
    rows = site.rows("SELECT step, fence FROM attempts WHERE outcome IN ('done', 'skipped')")
    won = {(str(row["step"]), row["fence"]) for row in rows}
    assert won == set(completed)
    assert len(won) == len({step for step, _ in won}) == len(completed)
    assert {site.catalog.asset(asset).state for asset in ids} == {AssetState.READY}
    site.database.close()


def until(condition: Callable[[], object], patience: float = 60.0) -> None:
    deadline = SystemClock().monotonic() + patience
    while not condition():
        assert SystemClock().monotonic() < deadline, "it did not come true in time"
        pause(0.005)


# -- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [600.0, -600.0])
def test_a_process_whose_clock_is_wrong_ends_nobodys_lease(
    site: Site, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    # Given a step that was claimed and a worker that said it is there
    asset = site.upload()
    claim = site.claim()
    assert claim is not None
    site.pipeline.report("w", Presence(pools=(Pool.IO,), slots=1))
    told = site.catalog.events(asset=asset)[-1].at
    # When another process, whose clock is ten minutes off, looks after them
    time = clock.time.time
    monkeypatch.setattr(clock.time, "time", lambda: time() + wrong)
    assert abs(SystemClock().now() - told) > 500
    assert site.pipeline.reconcile() == 0
    assert [worker.id for worker in site.catalog.fleet().workers] == ["w"]
    # And what it claims itself and tells of has the right time
    other = site.claim()
    assert other is not None
    assert abs(other.lease_expires - claim.lease_expires) < 20
    site.catalog.update(asset, title="x")
    assert abs(site.catalog.events(asset=asset)[-1].at - told) < 20
    monkeypatch.undo()
    assert site.pipeline.reconcile() == 0
    assert site.pipeline.complete(claim.job, PROBED, 0.1)


def test_a_lease_ends_by_the_databases_clock(url: str) -> None:
    site = Site(url, lease=0.2)
    site.upload()
    claim = site.claim()
    assert claim is not None
    until(lambda: site.pipeline.reconcile() == 1)
    assert not site.pipeline.complete(claim.job, PROBED, 0.1)
    site.database.close()


# -- migrations -------------------------------------------------------------------------------------------------------


def test_many_processes_may_migrate_at_once(postgres: Postgres) -> None:
    url = postgres.empty()
    doors = [PostgresDatabase(url) for _ in range(6)]
    applied = together(6, lambda n: doors[n].migrate())
    assert sorted(applied, key=len)[:-1] == [[]] * 5
    assert max(applied, key=len) == [name for name, _ in migrations()]
    for door in doors:
        door.close()
    postgres.drop(url)


def test_running_processes_do_not_notice_a_migration(site: Site) -> None:
    """First the migration, then the processes, one after the other: the old ones go on with the new columns."""
    for _ in range(12):  # so often that all statements are prepared
        site.probed()
        for claim in iter(site.claim, None):
            site.pipeline.complete(claim.job, Skipped(reason=OOPS), 0.1)
    names = site.rows(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> 'migrations'"
    )
    newer = PostgresDatabase(site.url)  # another process: the driver forgets what it has prepared when it sees an ALTER
    with newer.write() as tx:
        for row in names:
            tx.execute(f"ALTER TABLE {row['name']} ADD COLUMN of_the_future TEXT")
        tx.execute("INSERT INTO migrations (name) VALUES ('9999_future.sql')")
    newer.close()
    asset = site.probed()
    for claim in iter(site.claim, None):
        site.pipeline.complete(claim.job, Skipped(reason=OOPS), 0.1)
    assert site.catalog.asset(asset).state is AssetState.INGESTED
    site.database.ensure()


# -- parts ------------------------------------------------------------------------------------------------------------


def test_a_part_that_is_given_up_while_it_finishes_stays_given_up(site: Site) -> None:
    """Its bytes are gone: a part that is `finished` would be joined from nothing."""
    now = SystemClock().now()
    name = new_id(now)
    part = Upload(id=name, asset=None, tenant="t", kind="part", length=9, created_at=now, expires_at=now + 60)
    site.catalog.create_part(part)
    with ThreadPoolExecutor(1) as threads:
        with site.database.write() as tx:
            tx.execute("UPDATE uploads SET state = 'terminated' WHERE id = :id", {"id": name})
            finishing = threads.submit(site.catalog.finish_part, name, now + 60)
            site.until_waiting()
        finishing.result()
    assert site.catalog.upload(name).state == "terminated"


def test_an_upload_that_has_finished_while_it_is_given_up_stays_finished(site: Site) -> None:
    now = SystemClock().now()
    asset = Asset(id=new_id(now), tenant="t", created_at=now, policy="development")
    upload = Upload(id=new_id(now), asset=asset.id, tenant="t", length=9, created_at=now, expires_at=now + 60)
    site.catalog.create_upload(upload, asset)
    with ThreadPoolExecutor(1) as threads:
        with site.database.write() as tx:
            tx.execute("UPDATE uploads SET state = 'finished' WHERE id = :id", {"id": upload.id})
            ending = threads.submit(site.catalog.terminate_upload, upload.id)
            site.until_waiting()
        assert not ending.result()
    assert site.catalog.upload(upload.id).state == "finished"
    assert site.catalog.asset(asset.id).state is AssetState.UPLOADING


# -- admission --------------------------------------------------------------------------------------------------------


def test_an_upload_that_nothing_can_refuse_waits_for_no_other(site: Site) -> None:
    now = SystemClock().now()
    upload, asset = _deferred(now)
    rule = rule_of(upload, Premises(Quota(), None, Load(), 10**9, step=500))
    with ThreadPoolExecutor(1) as threads, site.database.write() as tx:
        tx.turn(Turn.ADMIT, wait=True)
        threads.submit(site.catalog.create_upload, upload, asset, rule).result(timeout=20)
    assert site.catalog.reservations() == {upload.id: 500}


def test_an_upload_that_may_be_refused_waits_for_its_turn(site: Site) -> None:
    now = SystemClock().now()
    upload, asset = _deferred(now)
    rule = rule_of(upload, Premises(Quota(open_uploads=1), None, Load(), 10**9, step=500))
    with ThreadPoolExecutor(1) as threads:
        with site.database.write() as tx:
            tx.turn(Turn.ADMIT, wait=True)
            creating = threads.submit(site.catalog.create_upload, upload, asset, rule)
            site.until_waiting()
            assert not creating.done()
        creating.result()
    assert site.catalog.reservations() == {upload.id: 500}


def _deferred(now: float) -> tuple[Upload, Asset]:
    asset = Asset(id=new_id(now), tenant="t", created_at=now, policy="development")
    return Upload(id=new_id(now), asset=asset.id, tenant="t", length=None, created_at=now, expires_at=now + 60), asset
