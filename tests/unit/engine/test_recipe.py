from __future__ import annotations

from rushes.engine.recipe import recipe
from rushes.facts import SourceRef
from rushes.options import Clip, Options
from rushes.settings import load_profile
from rushes.states import StepKind

SOURCE = SourceRef(key="sources/t/a/1", size=10)
PROFILE = load_profile("fast")


def name(**changes: object) -> str:
    values: dict[str, object] = {"source": SOURCE, "params": {"chunk": 0}, "profile": PROFILE, "tool": "ffmpeg 9"}
    values |= changes
    return recipe((StepKind.ENCODE, "encode.0"), **values)  # type: ignore[arg-type]


def test_the_same_work_has_the_same_name() -> None:
    assert name() == name()


def test_anything_the_bytes_depend_on_changes_the_name() -> None:
    others = {
        name(source=SOURCE.model_copy(update={"version": 2})),
        name(params={"chunk": 1}),
        name(tool="ffmpeg 10"),
    }
    assert len(others) == 3
    assert name() not in others


def test_where_a_decoding_is_cut_off_and_what_shares_its_time_are_part_of_its_name() -> None:
    shorter = PROFILE.model_copy(update={"limits": PROFILE.limits.model_copy(update={"duration": 10.0})})
    smaller = PROFILE.model_copy(update={"limits": PROFILE.limits.model_copy(update={"bytes": 10})})
    fewer = PROFILE.model_copy(update={"audio": PROFILE.audio.model_copy(update={"tracks": 1})})
    assert len({name(), name(profile=shorter), name(profile=fewer)}) == 3
    assert name(profile=smaller) == name()


def test_what_an_encode_does_not_look_at_leaves_its_name_alone() -> None:
    slower = PROFILE.model_copy(update={"video": PROFILE.video.model_copy(update={"max_fps": 30})})
    silent = PROFILE.model_copy(update={"enrichment": PROFILE.enrichment.model_copy(update={"poster": False})})
    hashed = SOURCE.model_copy(update={"sha256": "ab"})
    elsewhere = SOURCE.model_copy(update={"key": "sources/t/b/1"})
    assert name(profile=silent) == name(profile=slower) == name() == name(source=hashed) == name(source=elsewhere)


def test_who_may_play_it_leaves_its_name_alone() -> None:
    clip = Options(clip=Clip(start=1.0))
    assert name(options=Options(playback="signed")) == name()
    assert name(options=clip.model_copy(update={"playback": "signed"})) == name(options=clip) != name()
