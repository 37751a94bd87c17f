"""What a source is: magic bytes, then PyAV in a sandboxed child, then our own judgement of its claims."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rushes.engine.job import Limits, ToolSettings
from rushes.errors import REASONS, Blame, StepFailure
from rushes.facts import SourceFacts
from rushes.ffmpeg.door import Door
from rushes.ffmpeg.facts import source_facts
from rushes.ffmpeg.sniff import HEAD_BYTES, Container, sniff

_WALL = 120.0
_MEMORY = 2_000_000_000


def probe(path: Path, tools: ToolSettings, *, holes: bool = False, personal: bool = False) -> SourceFacts:
    """Facts of a local file that a stranger wrote. `holes`: of an MP4 file most samples are not there yet and read as
    zeros; its boxes and its first samples are. `personal`: metadata that is personal is kept.

    Raises StepFailure: `empty_file`, `not_media`, `playlist_refused`, `still_image` by its first bytes;
    `moov_missing`, `encrypted`, `codec_unsupported`, `no_video_stream`, `no_decodable_frames`, `truncated`, `corrupt`
    by its structure; `over_limit_memory` and `over_limit_time` where it eats too much.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        container = sniff(file.read(HEAD_BYTES), size)
    return source_facts(_ask_child(path, container, tools, holes=holes), container, size, personal=personal)


def _ask_child(path: Path, container: Container, tools: ToolSettings, *, holes: bool) -> dict[str, Any]:
    limits = Limits(
        memory=min(tools.limits.memory, _MEMORY), wall=min(tools.limits.wall, _WALL), stall=tools.limits.stall
    )
    path = path.absolute()
    arguments = [str(path), container.demuxer, *(["holes"] if holes else [])]
    answer = Door(tools).run_python("rushes.ffmpeg.probe_child", arguments, reads=[path], limits=limits)
    try:
        raw = json.loads(answer)
        failure = raw.get("failure")
    except (ValueError, AttributeError) as error:
        raise StepFailure("tool_failed", Blame.TRANSIENT, detail=f"the probe answered {answer[:200]!r}") from error
    if failure is not None:
        raise StepFailure(failure if failure in REASONS else "corrupt", detail=str(raw.get("detail", ""))[:2000])
    found: dict[str, Any] = raw
    return found
