"""The analysis on generated clips: an easy one and a hard one, and those that cannot be tried."""

from __future__ import annotations

import pytest

from rushes.engine.job import Job, Limits, ToolSettings
from rushes.engine.quality import replaced
from rushes.facts import SourceRef
from rushes.ffmpeg.probe import probe
from rushes.plan import Chunk
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.local import LocalStore
from rushes.storage.workspace import Workspace
from rushes.transcoder import analysis, correction, encode
from rushes.transcoder.ladder import plan

EASY = "gradients=size=640x360:rate=24:speed=0.005:nb_colors=2:c0=red:c1=blue:seed=1"
HARD = "testsrc2=size=640x360:rate=24,noise=alls=6:allf=t"
RUNS = {StepKind.ANALYZE: analysis.run, StepKind.ENCODE: encode.run, StepKind.CORRECT: correction.run}


class Studio:
    """One clip, and the steps of `balanced` in H.264 run on it."""

    def __init__(self, root, clip, **quality):
        balanced = load_profile("balanced")
        video = balanced.video.model_copy(
            update={"codecs": balanced.video.codecs[:1], "reuse_source": False, **quality}
        )
        root.mkdir()
        self.root, self.clip, self.profile = root, clip, balanced.model_copy(update={"video": video})
        self.facts = probe(clip, ToolSettings())
        self.fixed = plan(self.facts, self.profile)
        self.store = LocalStore(root / "objects")
        self.store.put_bytes("source", clip.read_bytes())

    def run(self, kind, *, inputs=None, tools=None, **params):
        scratch = self.root / kind.value
        scratch.mkdir()
        job = Job(
            step_id="s", key=kind.value, kind=kind, asset="a", tenant="t", fence=1, recipe=kind.value, params=params,
            inputs=inputs or {}, source=SourceRef(key="source", size=self.facts.size), facts=self.facts,
            profile=self.profile, policy=load_policy("development"),
        )  # fmt: skip
        return RUNS[kind](job, Workspace(self.store, scratch, tools or ToolSettings()))

    def analyze(self, **more):
        return self.run(StepKind.ANALYZE, plan=self.fixed.model_dump(mode="json"), **more)


@pytest.fixture
def studio(make_clip, tmp_path):
    def make(name, picture, seconds="5", **quality):
        coded = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "14", "-pix_fmt", "yuv420p")
        return Studio(tmp_path / name, make_clip(name, "-f", "lavfi", "-i", picture, "-t", seconds, *coded), **quality)

    return make


def rates(result):
    return {receipt.rung: receipt.predicted_bitrate for receipt in result.receipts}


def test_every_rung_says_why_and_does_what_it_says(studio):
    hard = studio("hard.mp4", HARD)
    result = hard.analyze()
    ladder = result.plan.ladders[0]
    assert len({rung.crf for rung in ladder.rungs}) > 1
    assert [receipt.rung for receipt in result.receipts] == [rung.name for rung in ladder.rungs]
    assert all(receipt.points and receipt.why for receipt in result.receipts)
    assert result.features["grain"] > 1
    assert list((hard.root / "analyze").glob("**/*.mp4")) == []

    params = {"ladder": ladder.model_dump(mode="json"), "chunk": Chunk().model_dump(mode="json"), "chunks": 1}
    made = hard.run(StepKind.ENCODE, **params)
    assert all(track.vmaf is not None for track in made.tracks)
    again = hard.run(StepKind.CORRECT, inputs={"encode.0": made}, **params)
    final = {track.name: track.vmaf for one in replaced([made, again]) for track in one.tracks}
    for rung in ladder.rungs:
        assert final[rung.name] == pytest.approx(rung.vmaf, abs=3)
    for track in made.tracks:
        assert 8 * track.bytes / track.duration == pytest.approx(rates(result)[track.name], rel=0.5)


def test_what_is_easy_gets_fewer_bits_and_rungs_at_another_crf(studio):
    easy, hard = studio("easy.mp4", EASY).analyze(), studio("hard.mp4", HARD).analyze()
    top, other = easy.plan.ladders[0].rungs[0], hard.plan.ladders[0].rungs[0]
    assert (top.width, top.height) == (640, 360)
    assert abs(top.crf - other.crf) >= 3
    assert max(rates(easy).values()) < max(rates(hard).values()) / 2


def test_what_is_too_short_keeps_the_fixed_ladder_and_says_so(studio):
    short = studio("short.mp4", HARD, "0.5")
    result = short.analyze()
    assert result.plan == short.fixed
    assert {receipt.why for receipt in result.receipts} == {"As in the fixed ladder: it is too short to be measured."}


def test_where_the_trials_fail_for_good_the_fixed_ladder_stays(studio):
    clip = studio("bounded.mp4", HARD)
    result = clip.analyze(tools=ToolSettings(limits=Limits(memory=60_000_000)))
    assert result.plan == clip.fixed
    assert result.receipts[0].why.startswith("As in the fixed ladder: the trial encodes failed")
    assert result.receipts[0].predicted_vmaf is None
