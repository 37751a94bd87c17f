"""Step `encode`: a chunk of the source decoded once, all rungs of the ladder, verified, cut on the grid and uploaded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from rushes.engine.clip import in_source, shown
from rushes.engine.job import Job
from rushes.engine.shortfall import missing_seconds, refuse_partial
from rushes.errors import StepFailure
from rushes.facts import SourceFacts
from rushes.ffmpeg.door import Door
from rushes.model import TracksResult
from rushes.plan import Chunk, Ladder, Rung
from rushes.storage.workspace import Workspace
from rushes.tracks import Track
from rushes.transcoder import verify
from rushes.transcoder.command import decode_args, encode_args, preroll_args, shown_path
from rushes.transcoder.copied import copied
from rushes.transcoder.cuts import grid_starts
from rushes.transcoder.decoding import Decoding, read_decoding
from rushes.transcoder.delivery import Delivery, open_movie
from rushes.transcoder.encoders import reordered
from rushes.transcoder.inputs import Input, facts_of, input_of
from rushes.transcoder.kept import Kept
from rushes.transcoder.measuring import kept_of, measure
from rushes.transcoder.part import fetch_part
from rushes.transcoder.reading import VAGUE, patient, read_source
from rushes.transcoder.stretch import Shown, Stretch

ENCODED = 0.9
"""Share of the step's progress that encoding is; checking and uploading is the rest."""
HELD_SECONDS, HELD_FRAMES = Fraction(1, 4), 3
"""A picture of a damaged source that stands for longer, in seconds and in frames of the source, hides others that are lost."""
UNREADABLE = VAGUE | {"no_decodable_frames"}
"""What may come of reading from the middle, or with holes."""


@dataclass(frozen=True)
class Piece:
    """What one encode makes: a chunk of the asset, in the rungs of a ladder."""

    ladder: Ladder
    chunk: Chunk
    alone: bool
    """It is the whole asset."""
    declared: float
    """Seconds of picture that the source has for the asset, by what the file says."""
    cut_off: float = 0.0
    """Seconds behind them that the file declares and does not have; such a source is read in one piece."""

    @classmethod
    def of(cls, job: Job) -> Piece:
        ladder, chunk = Ladder.model_validate(job.params["ladder"]), read_chunk(job.params.get("chunk"))
        facts = shown(facts_of(job), job.options)
        cut_off = facts.video.cut_off if facts.video else 0.0
        return cls(ladder, chunk, job.params.get("chunks", 1) == 1, verify.declared_seconds(facts), cut_off)

    @property
    def frames(self) -> int:
        return verify.expected_frames(self.chunk, self.declared, self.ladder.grid)

    @property
    def seconds(self) -> float:
        return float(self.frames / self.ladder.grid.fps)

    def kept(self, folder: Path) -> Kept | None:
        return kept_of(self.ladder, self.chunk, self.frames, folder)


def run(job: Job, workspace: Workspace) -> TracksResult:
    """Params: `ladder` (a Ladder as JSON), `chunk` (a Chunk), `chunks` (how many there are); `reuse`: the source itself may be
    the only rung.

    A chunk that begins behind the source's real end has no tracks. How much of a source that is read in several chunks is
    missing is not decided here, but when they are joined.

    Raises StepFailure: `no_decodable_frames`, `truncated` where the policy refuses partial sources, `verify_failed`,
    and whatever the tool's edge found.
    """
    reused = copied(job, workspace) if job.params.get("reuse") else None
    if reused is not None:
        return reused
    piece = Piece.of(job)
    outputs = [workspace.scratch / "encoded" / f"{rung.name}.mp4" for rung in piece.ladder.rungs]
    outputs[0].parent.mkdir()
    decoding = _encode(job, workspace, piece, outputs)
    door = Door(workspace.tools)
    frames = _check(door, piece, outputs)
    result = _measured(job, piece, frames, decoding, _lost(job, piece, decoding, outputs))
    kept = piece.kept(outputs[0].parent)
    scores = measure(door, piece.ladder, piece.chunk, outputs, kept) if frames and kept else {}
    tracks = _publish(job, workspace, piece, outputs) if frames else []
    seen = tuple(track.model_copy(update={"vmaf": scores.get(track.name)}) for track in tracks)
    return result.model_copy(update={"tracks": seen})


def read_chunk(param: Any) -> Chunk:  # noqa: ANN401 - steps that were planned before there were chunks say 0
    return Chunk.model_validate(param) if isinstance(param, dict) else Chunk()


def longest(facts: SourceFacts, limit: float) -> float:
    """Seconds after which an encode is cut off: declared lengths may be wrong, gaps of hours are an attack."""
    return min(limit, 2 * verify.declared_seconds(facts) + 60) if facts.duration > 0 else limit


def _lost(job: Job, piece: Piece, decoding: Decoding, outputs: list[Path]) -> float:
    """Seconds for which a picture stands still because those after it could not be decoded. Where the rate varies nobody can
    tell that from a picture that was meant to stand."""
    facts = facts_of(job)
    if not decoding.errors or facts.video is None or facts.video.vfr:
        return 0.0
    longest = max(HELD_SECONDS, HELD_FRAMES / max(Fraction(1), facts.video.fps))
    held = _shown(outputs).held(_stretch(job, piece, facts), longest)
    return float(held / piece.ladder.grid.fps)


def _measured(job: Job, piece: Piece, frames: int, decoding: Decoding, lost: float) -> TracksResult:
    seconds = float(frames / piece.ladder.grid.fps)
    if job.params.get("provisional"):  # the ladder's own encode says what is missing
        return TracksResult(tracks=(), decoded_seconds=seconds, provisional=True)
    found = TracksResult(tracks=(), decoded_seconds=seconds, decode_errors=decoding.errors)
    if not piece.alone:
        return found.model_copy(update={"expected_seconds": piece.seconds, "missing_seconds": lost})
    seen = decoding.errors or int(piece.cut_off > 0)
    missing = missing_seconds(piece.declared + piece.cut_off, seconds - lost, seen)
    refuse_partial(missing, job.policy.partial)
    return found.model_copy(update={"missing_seconds": missing})


def _encode(job: Job, workspace: Workspace, piece: Piece, outputs: list[Path]) -> Decoding:
    """With no more of the source than the chunk needs; with all of it, from a key picture shortly before the chunk; from the
    beginning. Each time only where what was before gave not the same as the last would."""
    stretch = _stretch(job, piece, facts_of(job))
    few = fetch_part(job, workspace, stretch)
    if few is not None:
        decoding = _attempt(job, workspace, (input_of(job, workspace, few.path), piece, stretch), outputs)
        few.path.unlink()
        if decoding is not None and not decoding.errors:
            return decoding
    source = input_of(job, workspace)
    if stretch.seek is not None:
        decoding = _attempt(job, workspace, (source, piece, stretch), outputs)
        if decoding is not None:
            return decoding
    return _read(job, workspace, (source, piece, stretch.from_the_beginning()), outputs)


def _attempt(
    job: Job, workspace: Workspace, what: tuple[Input, Piece, Stretch], outputs: list[Path]
) -> Decoding | None:
    """None where it has to be read in another way."""
    source, _, stretch = what
    try:
        decoding = _read(job, workspace, what, outputs)
    except StepFailure as failure:
        if failure.code not in UNREADABLE:
            raise
        return None
    return None if _shown(outputs).begins_late(stretch) else _after_preroll(decoding, workspace, source, stretch)


def _shown(outputs: list[Path]) -> Shown:
    return Shown.read(shown_path(outputs[0]).read_text(encoding="ascii"))


def _stretch(job: Job, piece: Piece, facts: SourceFacts) -> Stretch:
    clip = in_source(piece.chunk, job.options.clip, piece.ladder.grid.fps)
    return Stretch.of(piece.chunk, clip, piece.ladder, facts)


def _read(job: Job, workspace: Workspace, what: tuple[Input, Piece, Stretch], outputs: list[Path]) -> Decoding:
    source, piece, stretch = what
    cap = longest(source.facts, job.profile.limits.duration)
    return read_source(
        Door(patient(workspace.tools, stretch.before)),
        encode_args(source, piece.ladder, outputs, cap, stretch, piece.kept(outputs[0].parent)),
        source,
        source.facts.video.index if source.facts.video else 0,
        writes=outputs[0].parent,
        report=(piece.seconds, lambda done: workspace.progress(done * ENCODED)),
    )


def _after_preroll(decoding: Decoding, workspace: Workspace, source: Input, stretch: Stretch) -> Decoding:
    """Without the complaints about what lies before the stretch. Decoding that begins at the key picture of an open group
    complains about pictures that refer to what was before it, though nothing is wrong with the source; and real damage
    there is counted by the chunk that it belongs to."""
    if not decoding.errors or stretch.seek is None:
        return decoding
    finished = Door(workspace.tools).run(preroll_args(source, stretch), reads=[source.path], check=False)
    before = read_decoding(finished.stderr, source.facts.video.index if source.facts.video else 0)
    return replace(decoding, errors=max(0, decoding.errors - (before.errors if before else 0)))


def _check(door: Door, piece: Piece, outputs: list[Path]) -> int:
    """Measure every rung, and really decode the lowest. The number of frames that all have."""
    found = []
    for rung, path in zip(piece.ladder.rungs, outputs, strict=True):
        with open_movie(path) as movie:
            track = movie.first("vide")
            found += [verify.measured(rung.name, track)] if track else []
    frames = verify.check_rungs(found, piece.ladder, piece.chunk)
    if frames:
        decoded = door.run(decode_args(outputs[-1]), reads=[outputs[-1]])
        verify.check_decoded(frames, decoded.frames)
    return frames


def _publish(job: Job, workspace: Workspace, piece: Piece, outputs: list[Path]) -> list[Track]:
    tracks = []
    for number, (rung, path) in enumerate(zip(piece.ladder.rungs, outputs, strict=True), 1):
        tracks.append(_publish_rung(Delivery(job, workspace), rung, piece, path))
        path.unlink()
        workspace.progress(ENCODED + (1 - ENCODED) * number / len(outputs))
    return tracks


def _publish_rung(delivery: Delivery, rung: Rung, piece: Piece, path: Path) -> Track:
    """What chunks share an init for may not depend on what is in one of them."""
    grid, first = piece.ladder.grid, piece.chunk.first
    reorder = None if piece.alone else reordered(rung, grid) * grid.frame_ticks
    with open_movie(path) as movie:
        track = movie.need("vide")
        starts = grid_starts(len(track.samples), grid, first)
        more = {"fps": grid.fps, "hdr": rung.hdr, "start_ticks": first * grid.frame_ticks, "reorder": reorder}
        return delivery.publish(rung.name, track, movie.data, starts, **more)
