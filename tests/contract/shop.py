"""A catalog on a real database with everything in hand that a test wants to hold: its clock, its rings, its steps."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.claiming import Sharing
from rushes.catalog.database import Database
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.records import Claim, Upload
from rushes.clock import ManualClock
from rushes.facts import AudioFacts, SourceFacts, SourceRef, VideoFacts
from rushes.keys import new_id
from rushes.model import Asset, LintResult, ProbeResult, Result
from rushes.noun import Reason
from rushes.plan import Grid, Ladder, Plan, Rung
from rushes.states import Pool, StepKind, StepState

FACTS = SourceFacts(
    container="mp4", demuxer="mov", size=9, duration=4.0,
    video=VideoFacts(index=0, codec="hevc", width=640, height=360, fps=Fraction(30), duration=4.0),
    audio=(AudioFacts(index=1, codec="aac", channels=2, sample_rate=48000),),
)  # fmt: skip
LADDER = Ladder(
    rungs=(Rung(name="360p", width=640, height=360, crf=23, max_bitrate=800_000, buffer_bits=1_600_000),),
    grid=Grid(fps=Fraction(30), gop_frames=60, segment_frames=120),
)
PLAN = Plan(ladders=(LADDER,))
OOPS = Reason(code="internal", message="Something went wrong on our side.")


OpenDatabase = Callable[[], Database]
"""Opens a fresh database; closed and removed when the test is over."""


class Shop:
    """A catalog with its pipeline, a clock in hand, and a record of rings."""

    def __init__(self, database: Database, *, deliver: bool = False, sharing: Sharing | None = None) -> None:
        self.clock = ManualClock()
        self.rings: list[set[Pool]] = []
        self.database = database
        store = Store(self.database, self.clock, lambda pools: self.rings.append(set(pools)), deliver=deliver)
        self.catalog = Catalog(store)
        self.pipeline = Pipeline(store, lease=30.0, max_attempts=3, tool="ffmpeg-test", sharing=sharing)

    def upload(self, tenant: str = "default", policy: str = "development") -> Asset:
        now = self.clock.now()
        asset = Asset(id=new_id(now), tenant=tenant, created_at=now, policy=policy)
        upload = Upload(id=new_id(now), asset=asset.id, tenant=tenant, length=9, created_at=now, expires_at=now + 60)
        self.catalog.create_upload(upload, asset)
        source = SourceRef(key=f"sources/{tenant}/{asset.id}/1", size=9)
        return self.catalog.finish_upload(upload.id, source)

    def claim(self, *pools: Pool, worker: str = "w1") -> Claim:
        claim = self.pipeline.claim(pools or tuple(Pool), worker)
        assert claim is not None
        return claim

    def do(self, key: str, result: Result, worker: str = "w1") -> Claim:
        found = self.take(key, worker)
        assert self.pipeline.complete(found.job, result, 1.0)
        return found

    def take(self, key: str, worker: str = "w1") -> Claim:
        """Claim until the step of this key comes, and hand the others back. Checks of builds are passed meanwhile."""
        held, found = [], None
        while found is None:
            claim = self.claim(worker=worker)
            if claim.job.key == key:
                found = claim
            elif claim.job.kind is StepKind.LINT:
                assert self.pipeline.complete(claim.job, LintResult(build=claim.job.build), 1.0)
            else:
                held.append(claim)
        for claim in held:
            self.pipeline.release(claim.job, "released")
        return found

    def probe(self) -> None:
        self.do("probe", ProbeResult(facts=FACTS, plan=PLAN))

    def states(self, asset: str) -> dict[str, StepState]:
        return {step.key: step.state for step in self.catalog.steps(asset)}
