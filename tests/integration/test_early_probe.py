"""The early look and the early probe against the probe of the whole file, on real files and on nasty ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from rushes.engine.early import EARLY_PROBE, Pieces, is_certain
from rushes.engine.job import Job, ToolSettings
from rushes.errors import StepFailure
from rushes.facts import SourceFacts, SourceRef
from rushes.ffmpeg.probe import probe
from rushes.ingest.early_bytes import Look, View
from rushes.ingest.early_look import FIRST, SMALLEST, Hopeless, look
from rushes.keys import early_key
from rushes.model import ProbeResult, Skipped
from rushes.profiles import Limits, Profile
from rushes.settings import load_policy, load_profile
from rushes.states import StepKind
from rushes.storage.local import LocalStore
from rushes.storage.workspace import Workspace
from rushes.transcoder import source
from rushes.transcoder.limits import check

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
CLIPS = [path for path in sorted(MEDIA.glob("*/*")) if path.is_file() and path.stat().st_size > SMALLEST]
TAIL = 400_000
PROFILE = load_profile("fast")


@dataclass(frozen=True)
class Whole:
    """What the probe of the whole file says: facts, or why it is refused."""

    facts: SourceFacts | None
    reason: str


def whole(path: Path, limits: Limits) -> Whole:
    try:
        facts = probe(path, ToolSettings())
        check(facts, limits)
    except StepFailure as failure:
        return Whole(None, failure.code)
    return Whole(facts, "")


def looks(data: bytes, limits: Limits, tail: bytes) -> list[Look | str]:
    """One after another as the bytes come, each with what the last one asked for; a refusal ends them."""
    found: list[Look | str] = []
    wants = FIRST
    while wants and wants <= len(data):
        try:
            latest = look(View(data[:wants], tail, len(data)), limits)
        except Hopeless as refusal:
            return [*found, refusal.code]
        found.append(latest)
        wants = latest.wants
    return found


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.name)
@pytest.mark.parametrize("with_tail", [False, True], ids=["head", "head and tail"])
def test_an_early_look_never_refuses_what_the_probe_takes(path: Path, with_tail: bool) -> None:
    data, limits = path.read_bytes(), PROFILE.limits
    found = looks(data, limits, data[-TAIL:] if with_tail else b"")
    if isinstance(found[-1], str):
        assert whole(path, limits).reason == found[-1]
    # And at no length of the head is it otherwise, asked for or not
    for size in (FIRST + 1, SMALLEST + 1, len(data) // 3, len(data) // 2, len(data) - 1):
        try:
            look(View(data[:size], b"", len(data)), limits)
        except Hopeless as refusal:
            assert whole(path, limits).reason == refusal.code


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.name)
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_an_early_look_refuses_no_broken_file_that_the_probe_takes(path: Path, share: float, tmp_path: Path) -> None:
    """As many clients would send it after a crash: cut off, and declared as long as it is."""
    cut = tmp_path / "cut"
    cut.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    found = looks(cut.read_bytes(), PROFILE.limits, b"")
    assert not found or not isinstance(found[-1], str) or whole(cut, PROFILE.limits).reason == found[-1]


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.name)
def test_the_length_is_refused_early_only_where_the_probe_refuses_it(path: Path) -> None:
    data, limits = path.read_bytes(), Limits(duration=3.0)
    found = looks(data, limits, data[-TAIL:])
    assert found[-1] != "over_limit_duration" or whole(path, limits).reason == "over_limit_duration"


def job(path: Path, look: Look, tail: bytes, profile: Profile, store: LocalStore) -> Job:
    head = path.read_bytes()[: look.head]
    pieces = Pieces.of(head, tail, path.stat().st_size)
    store.put_bytes(early_key("a"), head + tail)
    return Job(
        step_id="s", key=EARLY_PROBE, kind=StepKind.PROBE, asset="a", tenant="t", fence=1, recipe="r",
        params=pieces.model_dump(), source=SourceRef(key="", version=0, size=0), profile=profile,
        policy=load_policy("development"),
    )  # fmt: skip


def run(path: Path, tmp_path: Path, profile: Profile = PROFILE) -> ProbeResult | Skipped | None:
    """The early step, with the least that it may begin with; None where it may not begin."""
    data = path.read_bytes()
    for tail in (b"", data[-TAIL:]):
        found = looks(data, Limits(), tail)[-1]
        if isinstance(found, Look) and found.head:
            store = LocalStore(tmp_path / "objects")
            scratch = tmp_path / "scratch"
            scratch.mkdir()
            result = source.run(job(path, found, tail, profile, store), Workspace(store, scratch))
            assert not list(store.list("early/"))
            return result
    return None


MOVIES = [path for path in CLIPS if path.read_bytes()[4:8] == b"ftyp"]


@pytest.mark.parametrize("path", MOVIES, ids=lambda path: path.name)
def test_an_early_probe_finds_what_the_probe_of_the_whole_file_finds(path: Path, tmp_path: Path) -> None:
    found, right = run(path, tmp_path), whole(path, PROFILE.limits)
    if isinstance(found, ProbeResult):
        assert found.facts == right.facts
    elif isinstance(found, Skipped) and is_certain(found.reason.code):
        assert found.reason.code == right.reason


def test_most_movies_get_an_early_probe(tmp_path: Path) -> None:
    if not MOVIES:
        pytest.skip("the shared clips are not there")
    names = []
    for path in MOVIES:
        (tmp_path / path.name).mkdir()
        if isinstance(run(path, tmp_path / path.name), ProbeResult):
            names.append(path.name)
    assert len(names) >= 20
    assert {"flower-540p-h264.mp4", "phone-portrait-480x720-22s.mp4", "chaplin-bw-360p.mp4"} <= set(names)


@pytest.mark.parametrize("limits", [Limits(duration=1.0), Limits(pixels=1000), Limits(types=("video/webm",))])
def test_an_early_probe_holds_to_the_limits(limits: Limits, media: Path, tmp_path: Path) -> None:
    clip = media / "real" / "flower-540p-h264.mp4"
    result = run(clip, tmp_path, PROFILE.model_copy(update={"limits": limits}))
    assert isinstance(result, Skipped)
    assert is_certain(result.reason.code)
    assert result.reason.code == whole(clip, limits).reason


@pytest.mark.parametrize("wrong", ["bytes", "missing"])
def test_an_early_probe_without_its_bytes_is_skipped(wrong: str, media: Path, tmp_path: Path) -> None:
    clip = media / "real" / "flower-540p-h264.mp4"
    found = looks(clip.read_bytes(), Limits(), b"")[-1]
    assert isinstance(found, Look)
    store = LocalStore(tmp_path / "objects")
    order = job(clip, found, b"", PROFILE, store)
    store.delete(early_key("a"))
    if wrong == "bytes":
        store.put_bytes(early_key("a"), bytes(found.head))
    (tmp_path / "scratch").mkdir()
    result = source.run(order, Workspace(store, tmp_path / "scratch"))
    assert isinstance(result, Skipped)
    assert result.reason.code == "internal"
    assert not is_certain(result.reason.code)
