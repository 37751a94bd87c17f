"""The catalog under everything that may happen, in any order: a state machine that claims, ends, loses, cancels, deletes, and
under what operators do: pools stand still, assets change their class, steps make room or start again."""

from __future__ import annotations

import contextlib
import itertools
import json
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rushes.catalog import history, ledger
from rushes.catalog.claiming import Sharing
from rushes.catalog.pipeline import Answer, Wish
from rushes.catalog.records import Claim
from rushes.engine.classes import Class
from rushes.engine.fair import Share
from rushes.engine.kinds import KINDS
from rushes.errors import Blame, Conflict, NotFound
from rushes.model import (
    CleanupResult,
    PackageResult,
    ProbeResult,
    PublishResult,
    Result,
    Skipped,
    TracksResult,
    Verdict,
    VerdictResult,
)
from rushes.noun import Reason
from rushes.plan import Chunk, Look
from rushes.settings import load_profile
from rushes.states import Action, AssetState, Pool, Publication, StepKind, StepState
from tests.contract.shop import FACTS, LADDER, OOPS, PLAN, OpenDatabase, Shop

FINAL = ("done", "skipped", "failed", "cancelled")
FAST = load_profile("fast")
ENCODES = ("encode", "encode", "cancel_encode")
NOTHING = Skipped(reason=Reason(code="x", message="Nothing to do."))
LOOK = Look(ladder=LADDER, chunks=(Chunk(frames=60), Chunk(number=1, first=60)))
WITH_LOOK = PLAN.model_copy(update={"look": LOOK})
PICK = st.integers(min_value=0, max_value=1_000)
CAP = 2
"""Steps of one pool that the tenant `a` may have running; `b` may have any, and counts twice."""
SHARING = Sharing(of=lambda tenant: Share(running=CAP) if tenant == "a" else Share(weight=2.0))
PAUSABLE = (Pool.IO, Pool.VIDEO, Pool.PUBLISH)
WISH = Wish(tuple(Pool), "w")


def result(claim: Claim, action: Action) -> Result:
    """What a step of this kind gives."""
    job = claim.job
    match job.kind:
        case StepKind.PROBE:
            return ProbeResult(facts=FACTS, plan=PLAN)
        case StepKind.ENCODE | StepKind.AUDIO | StepKind.REMUX:
            return TracksResult(tracks=())
        case StepKind.PACKAGE if job.params["phase"] in ("grow", "end"):
            before = next((one for one in job.inputs.values() if isinstance(one, PackageResult)), None)
            return before or NOTHING
        case StepKind.PACKAGE:
            complete = job.params["phase"] != "first"
            return PackageResult(build=job.build, tracks=(), complete=complete, bytes=1)
        case StepKind.VERDICT:
            return VerdictResult(verdict=Verdict(action=job.verdict_override or action, policy="p@1", rules=("r",)))
        case StepKind.PUBLISH if job.verdict is None or job.verdict.action is Action.PUBLISH:
            builds = [one.build for one in job.inputs.values() if isinstance(one, PackageResult)]
            newest = max([*builds, job.build] if job.params["phase"] == "review" else builds, default=0)
            return PublishResult(build=newest) if builds else NOTHING
        case StepKind.CLEANUP:
            return CleanupResult(objects=1)
        case _:
            return NOTHING


def result_with_look(claim: Claim, action: Action) -> Result:
    """The same of a source that has a first look."""
    return ProbeResult(facts=FACTS, plan=WITH_LOOK) if claim.job.kind is StepKind.PROBE else result(claim, action)


class Life(RuleBasedStateMachine):
    """Claims may be ended by their holder at any later time, also when they have long been taken away."""

    def __init__(self, fresh_database: OpenDatabase) -> None:
        super().__init__()
        self.fresh_database = fresh_database

    @initialize()
    def start(self) -> None:
        numbers = itertools.count()  # ids break ties between steps: the same story has to go the same way
        self.ids = mock.patch("secrets.randbits", lambda _: next(numbers))
        self.ids.start()
        self.shop = Shop(self.fresh_database(), sharing=SHARING)
        self.assets = [self.shop.upload("a").id]
        self.claims: list[Claim] = []
        self.done: set[str] = set()
        self.pointer: dict[str, int] = {}
        self.paused: set[Pool] = set()
        self.renamed: dict[str, str] = {}
        self.folded = False

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            try:
                self.run_dry()
            finally:
                self.ids.stop()
                self.shop.database.close()

    # -- what happens (few rules with choices in them: so each is chosen often) ----------------------------------------

    @precondition(lambda self: len(self.assets) < 3)
    @rule(tenant=st.sampled_from(["a", "b"]))
    def upload(self, tenant: str) -> None:
        self.assets.append(self.shop.upload(tenant).id)

    @rule(count=st.integers(min_value=1, max_value=3))
    def claim(self, count: int) -> None:
        for _ in range(count):
            found = self.claimed()
            if found:
                self.claims.append(found)

    def claimed(self) -> Claim | None:
        return self.allowed(self.shop.pipeline.claim(tuple(Pool), "w"))

    def allowed(self, found: Claim | None) -> Claim | None:
        assert found is None or KINDS[found.job.kind].pool not in self.paused
        return found

    @rule(
        count=st.integers(min_value=1, max_value=8), action=st.sampled_from([Action.PUBLISH, Action.HOLD]),
        passing=st.booleans(),
    )  # fmt: skip
    def work(self, count: int, action: Action, passing: bool) -> None:
        """Claim and complete, so that assets come far; `passing`: the next claim with the end of the one before, if it may be."""
        following: Claim | None = None
        for _ in range(count):
            found = following or self.claimed()
            following = None
            if found:
                following = self.complete(found, self.perform(found, action), WISH if passing else None)
        self.claims += [following] if following else []

    def complete(self, claim: Claim, given: Result, wish: Wish | None) -> Claim | None:
        counted, following = self.shop.pipeline.complete_and_claim(claim.job, given, 0.1, wish)
        assert following is None or (counted and wish)
        return self.allowed(following)

    def perform(self, claim: Claim, action: Action = Action.PUBLISH) -> Result:
        """What a step gives, and what it does to the pointer, however the attempt ends: it is only led upwards."""
        given, asset = result_with_look(claim, action), claim.job.asset
        if isinstance(given, PublishResult) and self.shop.catalog.asset(asset).state is not AssetState.DELETED:
            self.pointer[asset] = max(given.build, self.pointer.get(asset, 0))
            return PublishResult(build=self.pointer[asset])
        if claim.job.params.get("what") in ("unpublish", "delete"):
            self.pointer[asset] = 0
        return given

    @precondition(lambda self: self.claims)
    @rule(pick=PICK, how=st.sampled_from(["complete", "go on", "fail", "drain", "stop"]), blame=st.sampled_from(Blame))
    def end(self, pick: int, how: str, blame: Blame) -> None:
        """A holder says how its step ended; it may have lost it long ago, or have said so before."""
        job = (claim := self.claims[-1 - pick % len(self.claims)]).job
        stopped = self.shop.pipeline.renew(job, 0.5) is Answer.CANCEL
        given = self.perform(claim)
        if how in ("complete", "go on"):
            following = self.complete(claim, given, WISH if how == "go on" else None)
            self.claims += [following] if following else []
        elif how == "fail":
            self.shop.pipeline.fail(job, OOPS, blame)
        else:
            self.shop.pipeline.release(job, "cancelled" if stopped and how == "stop" else "released")

    @rule(
        seconds=st.sampled_from([1, 31, 400]),
        what=st.sampled_from(["reconcile", "disown", "take_over", "housekeep", "fold"]),
    )
    def time_passes(self, seconds: int, what: str) -> None:
        self.shop.clock.advance(seconds)
        if what == "fold":
            self.fold()
            return
        getattr(self.shop.pipeline, what)(*([-1] if what == "housekeep" else []))

    def fold(self) -> None:
        """All history that may go goes."""
        self.shop.clock.advance(history.REST)
        ledger.roll(self.shop.catalog._store, "w")
        self.shop.pipeline.fold_history("w", 0.0)
        self.folded = True
        self.done &= {str(row["id"]) for row in self.rows("SELECT id FROM steps")}

    @precondition(lambda self: self.assets)
    @rule(
        pick=PICK, what=st.sampled_from(["cancel", "cancel", "retry", "retry", "delete", "publish", "hold", *ENCODES])
    )
    def act(self, pick: int, what: str) -> None:
        asset = self.assets[pick % len(self.assets)]
        with contextlib.suppress(Conflict, NotFound):
            if what in ("publish", "hold"):
                self.shop.catalog.decide(asset, Action(what))
            elif what == "encode":
                self.shop.catalog.encode(asset, FAST)
            elif what == "cancel_encode":
                self.shop.catalog.cancel_encode(asset, 2)
            else:
                getattr(self.shop.catalog, what)(asset)

    @precondition(lambda self: self.assets)
    @rule(pick=PICK, what=st.sampled_from(["fast", "normal", "bulk", "again", "again", "preempt", "rename"]))
    def operate(self, pick: int, what: str) -> None:
        """What operators and reconcilers do to the steps of an asset."""
        asset = self.assets[pick % len(self.assets)]
        with contextlib.suppress(Conflict, NotFound):
            match what:
                case "again":
                    self.start_again(asset, pick)
                case "preempt":
                    self.tell(
                        "UPDATE steps SET cancel = 2 WHERE asset = :asset AND state = 'running' AND cancel = 0", asset
                    )
                case "rename":
                    self.rename(asset)
                case _:
                    self.shop.catalog.set_class(asset, Class[what.upper()])

    def start_again(self, asset: str, pick: int) -> None:
        keys = sorted(self.shop.states(asset)) or ["gone"]
        self.shop.catalog.retry(asset, from_step=keys[pick % len(keys)])
        self.done = set()  # some of it is to be done once more

    def rename(self, asset: str) -> None:
        """An optional step becomes one that nobody knows, as of a release to come."""
        for row in self.rows(
            "SELECT id, asset, kind, state FROM steps WHERE kind IN ('poster', 'checksum', 'transcript')"
        ):
            if row["asset"] == asset and row["state"] in ("waiting", "ready"):
                self.renamed[str(row["id"])] = str(row["kind"])
                self.tell("UPDATE steps SET kind = 'telepathy' WHERE id = :asset", str(row["id"]))

    def tell(self, statement: str, asset: str) -> None:
        with self.shop.database.write() as tx:
            tx.execute(statement, {"asset": asset})

    @rule(pool=st.sampled_from(PAUSABLE), paused=st.booleans())
    def stand_still(self, pool: Pool, paused: bool) -> None:
        if paused:
            self.shop.catalog.pause(pool, "as the test wants it")
            self.paused.add(pool)
        else:
            self.shop.catalog.resume(pool)
            self.paused.discard(pool)

    # -- what always holds --------------------------------------------------------------------------------------------

    def rows(self, statement: str) -> list[dict[str, object]]:
        with self.shop.database.read() as tx:
            return [dict(row) for row in tx.all(statement)]

    @invariant()
    def a_step_runs_once_and_its_attempts_say_so(self) -> None:
        if not hasattr(self, "shop"):
            return
        rows = self.rows(
            "SELECT s.id, s.state, s.fence, sum(CASE WHEN a.fence IS NOT NULL AND a.outcome IS NULL THEN 1 ELSE 0 END) AS open,"
            " max(a.fence) AS newest FROM steps s LEFT JOIN attempts a ON a.step = s.id GROUP BY s.id"
        )
        for row in rows:
            assert (row["open"] or 0) == (1 if row["state"] == "running" else 0), row
            # What is folded away takes the newest with it, and may leave an older one whose result is kept
            assert row["newest"] in (None, row["fence"]) or (self.folded and row["state"] != "running"), row
            assert row["state"] != "running" or row["newest"] == row["fence"], row

    @invariant()
    def what_is_done_stays_done(self) -> None:
        if hasattr(self, "shop"):
            # but for the publication of an encode, of which a retry may make more
            done = self.rows("SELECT id FROM steps WHERE state = 'done' AND key NOT LIKE 'publish.ready~%'")
            now = {str(row["id"]) for row in done}
            assert self.done <= now
            self.done = now

    @invariant()
    def waiting_steps_count_what_they_wait_for(self) -> None:
        if not hasattr(self, "shop"):
            return
        rows = self.rows(
            "SELECT s.key, s.waiting, s.not_before, (SELECT count(*) FROM step_after l JOIN steps d ON d.id = l.after"
            f" WHERE l.step = s.id AND d.state NOT IN {FINAL}) AS open FROM steps s WHERE s.state = 'waiting'"
        )
        for row in rows:
            assert row["waiting"] == row["open"], row
            assert row["open"] or row["not_before"], row  # for its next attempt

    @invariant()
    def what_is_ready_is_in_an_open_lane(self) -> None:
        if not hasattr(self, "shop"):
            return
        rows = self.rows(
            "SELECT s.key FROM steps s WHERE s.state = 'ready' AND NOT EXISTS (SELECT 1 FROM queues q WHERE q.open = 1"
            " AND q.pool = s.pool AND q.class = s.class AND q.tenant = s.tenant AND q.version = s.version)"
        )
        assert not rows

    @invariant()
    def nobody_has_more_running_than_he_may_and_fewer_only_with_an_open_lane(self) -> None:
        if not hasattr(self, "shop"):
            return
        running = "SELECT count(*) FROM steps s WHERE s.state = 'running' AND s.tenant = 'a' AND s.pool = q.pool"
        rows = self.rows(f"SELECT q.pool, q.filled, ({running}) AS running FROM queues q WHERE q.tenant = 'a'")
        for row in rows:
            assert row["running"] <= CAP, row
            assert not row["filled"] or row["running"] == CAP, row

    @invariant()
    def a_step_that_nobody_knows_is_left_to_others(self) -> None:
        if hasattr(self, "shop"):
            rows = self.rows("SELECT id, state FROM steps WHERE kind = 'telepathy'")
            assert not {str(row["state"]) for row in rows} & {"running", "failed", "done"}, rows

    @invariant()
    def nothing_is_public_that_may_not_be(self) -> None:
        if not hasattr(self, "shop"):
            return
        for asset in self.assets:
            noun = self.shop.catalog.asset(asset)
            if noun.publication is Publication.PUBLISHED:
                assert noun.state in (AssetState.PLAYABLE, AssetState.READY)
                assert noun.verdict is None or noun.verdict.action is Action.PUBLISH
            if noun.published_at is not None and noun.publication is not Publication.PUBLISHED:
                states = self.shop.states(asset)  # none: they are folded away, as all of them had ended
                assert not states or any(key.startswith("cleanup") for key in states)

    @invariant()
    def what_is_ready_shows_no_provisional_build(self) -> None:
        if not hasattr(self, "shop"):
            return
        rows = self.rows("SELECT asset, result FROM steps WHERE key = 'package.first' AND state = 'done'")
        provisional = {str(row["asset"]): json.loads(str(row["result"]))["build"] for row in rows}
        for noun in map(self.shop.catalog.asset, self.assets):
            assert noun.ready_at is None or noun.build != provisional.get(noun.id)

    @invariant()
    def nothing_but_cleanups_starts_for_what_has_ended(self) -> None:
        if not hasattr(self, "shop"):
            return
        for asset in self.assets:
            if self.shop.catalog.asset(asset).state in (AssetState.FAILED, AssetState.DELETED):
                states = {key: state for key, state in self.shop.states(asset).items() if "cleanup" not in key}
                assert not {StepState.READY, StepState.WAITING} & set(states.values()), states

    @invariant()
    def nothing_is_made_while_what_lost_attempts_left_is_swept(self) -> None:
        if hasattr(self, "shop"):
            assert not self.rows(
                "SELECT s.key FROM steps c JOIN steps s ON s.asset = c.asset WHERE c.key LIKE 'cleanup.losers%'"
                " AND c.state IN ('ready', 'running') AND s.state IN ('ready', 'running')"
                " AND s.kind NOT IN ('cleanup', 'verdict', 'publish')"
            )

    @invariant()
    def events_are_numbered_without_a_gap(self) -> None:
        if hasattr(self, "shop"):
            numbers = [event.seq for event in self.shop.catalog.events(limit=10_000)]
            assert numbers == list(range(1, len(numbers) + 1))

    def run_dry(self) -> None:
        """Whatever happened: left to one patient worker, every step ends and with the steps every asset."""
        for pool in self.paused:
            self.shop.catalog.resume(pool)
        for step, kind in self.renamed.items():
            self.tell(f"UPDATE steps SET kind = '{kind}' WHERE id = :asset", step)
        self.shop.pipeline.disown()
        for _ in range(500):
            self.shop.clock.advance(400)
            claim = self.shop.pipeline.claim(tuple(Pool), "last")
            if claim is None:
                break
            self.shop.pipeline.complete(claim.job, self.perform(claim), 0.1)
        assert self.shop.pipeline.open_work() == 0
        for asset in self.assets:
            noun = self.shop.catalog.asset(asset)
            assert noun.state.is_final, self.shop.states(asset)
            assert self.pointer.get(asset, 0) == noun.published_build <= noun.build, self.shop.states(asset)


EXAMPLES = [
    {"sqlite": 60, "postgresql": 15},
    pytest.param({"sqlite": 500, "postgresql": 100}, marks=pytest.mark.nightly),
]


@pytest.mark.parametrize("examples", EXAMPLES, ids=["short", "long"])
def test_whatever_happens_in_whatever_order(
    request: pytest.FixtureRequest, fresh_database: OpenDatabase, examples: dict[str, int]
) -> None:
    enough = settings(
        max_examples=examples[request.node.callspec.params["fresh_database"]], stateful_step_count=30, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(lambda: Life(fresh_database), settings=enough)
