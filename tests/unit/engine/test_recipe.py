from __future__ import annotations

from rushes.engine.recipe import recipe
from rushes.facts import SourceRef
from rushes.settings import load_profile
from rushes.states import StepKind

SOURCE = SourceRef(key="sources/t/a/1", size=10)
PROFILE = load_profile("default")


def name(**changes: object) -> str:
    values: dict[str, object] = {"source": SOURCE, "params": {"chunk": 0}, "profile": PROFILE, "tool": "ffmpeg 9"}
    values |= changes
    return recipe((StepKind.ENCODE, "encode.0"), **values)  # type: ignore[arg-type]


def test_the_same_work_has_the_same_name() -> None:
    assert name() == name()


def test_anything_the_bytes_depend_on_changes_the_name() -> None:
    threads = PROFILE.model_copy(update={"video": PROFILE.video.model_copy(update={"threads": 2})})
    others = {
        name(source=SOURCE.model_copy(update={"version": 2})),
        name(params={"chunk": 1}),
        name(tool="ffmpeg 10"),
        name(profile=threads),
    }
    assert len(others) == 4
    assert name() not in others


def test_what_an_encode_does_not_look_at_leaves_its_name_alone() -> None:
    silent = PROFILE.model_copy(update={"enrichment": PROFILE.enrichment.model_copy(update={"poster": False})})
    hashed = SOURCE.model_copy(update={"sha256": "ab"})
    elsewhere = SOURCE.model_copy(update={"key": "sources/t/b/1"})
    assert name(profile=silent) == name() == name(source=hashed) == name(source=elsewhere)
