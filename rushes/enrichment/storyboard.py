"""Step `storyboard`: small pictures that say what is seen when. As one sprite with a WebVTT track for pages, and on sheets of
equal size, an image track, for players of HLS and DASH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rushes import keys
from rushes.engine.job import Job
from rushes.enrichment import rendition, vtt
from rushes.enrichment.picture import Picture
from rushes.enrichment.poster import jpeg
from rushes.enrichment.sheet import Sheet, cues, plan
from rushes.enrichment.sheets import Sheets, plan_sheets
from rushes.model import ImageArtifact, StoryboardResult
from rushes.storage.types import content_type
from rushes.storage.workspace import Workspace
from rushes.tracks import Segment, Track

NAME = "storyboard"
SPRITE = "storyboard.jpg"
TRACK = "storyboard.vtt"
QUALITY = 75


def run(job: Job, workspace: Workspace) -> StoryboardResult:
    """Takes the pictures of the complete build. Raises StepFailure where no picture of them can be decoded."""
    rung = rendition.rungs(job)[-1]
    start, end = rendition.span(rung)
    sheet = plan(end, rendition.size(rung))
    sheets = plan_sheets(rendition.whole(job), rendition.segment_seconds(rung))
    shown = _pictures(rung, workspace, [max(start, time) for time in (*sheet.times(), *sheets.times())], sheets)
    workspace.progress(0.9)
    prefix = keys.artifact_prefix(job.asset, job.recipe, job.fence)
    sprite = paint(sheet, [shown[max(start, time)] for time in sheet.times()])
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
        track=_image_track(job, workspace, sheets, [shown[max(start, time)] for time in sheets.times()]),
    )


def paint(sheet: Sheet, tiles: Sequence[Picture]) -> Picture:
    """The sprite: tiles of shape (tile_height, tile_width, 3) in their places, black where the last row has none."""
    sprite = np.zeros((sheet.height, sheet.width, 3), np.uint8)
    for number, picture in enumerate(tiles):
        left, top = sheet.corner(number)
        sprite[top : top + sheet.tile_height, left : left + sheet.tile_width] = picture
    return sprite


def _pictures(rung: Track, workspace: Workspace, times: Sequence[float], sheets: Sheets) -> Mapping[float, Picture]:
    """One decoding for the sprite and the sheets, whose tiles are never further apart than the sprite's."""
    wanted, sheet = sorted(set(times)), sheets.canvas(rendition.size(rung))
    sparse = sheets.interval >= rendition.segment_seconds(rung)
    found = rendition.pictures(rung, workspace, wanted, (sheet.tile_width, sheet.tile_height), keyframes=sparse)
    return dict(zip(wanted, (picture for _, picture in found), strict=True))


def _image_track(job: Job, workspace: Workspace, sheets: Sheets, tiles: Sequence[Picture]) -> Track:
    """Stores the sheets in the media tree, beside what is played."""
    rung = rendition.rungs(job)[-1]
    canvas = sheets.canvas(rendition.size(rung))
    prefix = f"{keys.output_prefix(job.asset, job.recipe, job.fence)}{NAME}/"
    segments = []
    for number, (on_it, ticks) in enumerate(zip(sheets.numbers(), sheets.ticks(rung.timescale), strict=True), 1):
        name = f"{number:05d}.jpg"
        data = jpeg(paint(canvas, tiles[on_it.start : on_it.stop]), QUALITY)
        workspace.publish_bytes(prefix + name, data, content_type(name))
        segments.append(Segment(name=name, ticks=ticks, size=len(data)))
    return Track(
        name=NAME,
        kind="image",
        prefix=prefix,
        init=None,
        codecs="jpeg",
        timescale=rung.timescale,
        segments=tuple(segments),
        width=canvas.tile_width,
        height=canvas.tile_height,
        tiles=(sheets.columns, sheets.rows),
        tile_ticks=sheets.interval * rung.timescale,
    )
