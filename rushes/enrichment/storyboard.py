"""Step `storyboard`: a sprite of small pictures and a WebVTT track that says which of them stands for which seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rushes import keys
from rushes.engine.job import Job
from rushes.enrichment import rendition, vtt
from rushes.enrichment.picture import Picture
from rushes.enrichment.poster import jpeg
from rushes.enrichment.sheet import Sheet, cues, plan
from rushes.model import ImageArtifact, StoryboardResult
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace

SPRITE = "storyboard.jpg"
TRACK = "storyboard.vtt"
QUALITY = 75


def run(job: Job, workspace: Workspace) -> StoryboardResult:
    """Takes the pictures of the complete build. Raises StepFailure where no picture of them can be decoded."""
    track = rendition.rungs(job)[-1]
    start, end = rendition.span(track)
    sheet = plan(end, rendition.size(track))
    times = [max(start, time) for time in sheet.times()]
    shape = (sheet.tile_width, sheet.tile_height)
    found = rendition.pictures(
        track, workspace, times, shape, keyframes=sheet.interval >= rendition.segment_seconds(track)
    )
    workspace.progress(0.9)
    prefix = keys.artifact_prefix(job.asset, job.recipe, job.fence)
    sprite = paint(sheet, [picture for _, picture in found])
    workspace.publish_bytes(prefix + SPRITE, jpeg(sprite, QUALITY), content_type(SPRITE))
    workspace.publish_bytes(prefix + TRACK, vtt.write(cues(sheet, SPRITE)).encode(), content_type(TRACK))
    return StoryboardResult(
        sprite=ImageArtifact(key=prefix + SPRITE, width=sheet.width, height=sheet.height),
        vtt_key=prefix + TRACK,
        tile_width=sheet.tile_width,
        tile_height=sheet.tile_height,
        columns=sheet.columns,
        count=sheet.count,
        interval=sheet.interval,
    )


def paint(sheet: Sheet, tiles: Sequence[Picture]) -> Picture:
    """The sprite: tiles of shape (tile_height, tile_width, 3) in their places, black where the last row has none."""
    sprite = np.zeros((sheet.height, sheet.width, 3), np.uint8)
    for number, picture in enumerate(tiles):
        left, top = sheet.corner(number)
        sprite[top : top + sheet.tile_height, left : left + sheet.tile_width] = picture
    return sprite
