"""The plan of an asset's picture: the grid, the ladders, the chunks, and why they are as they are."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from rushes.facts import Mastering
from rushes.noun import Noun, Rate
from rushes.profiles import Codec


class Grid(Noun):
    """The asset's segment grid: cut times that every track obeys. Frame `n` starts at `n / fps` seconds."""

    fps: Rate
    gop_frames: int
    segment_frames: int
    starts: tuple[int, ...] = ()
    """Frames at which segments begin where they are the key pictures of the source; empty: every `segment_frames`."""

    @property
    def timescale(self) -> int:
        """Ticks per second in which one frame lasts `frame_ticks`, exactly; at least 10,000, as players are used to."""
        return self.fps.numerator * self._fineness

    @property
    def frame_ticks(self) -> int:
        return self.fps.denominator * self._fineness

    @property
    def _fineness(self) -> int:
        return 1 if self.fps.numerator >= 10_000 else 1000

    @property
    def segment_seconds(self) -> Fraction:
        return self.segment_frames / self.fps


class Rung(Noun):
    """One target of the Ladder. Width and height are even and upright."""

    name: str
    """`720p`, and with the codec where that is not H.264: `720p-av1`, `1080p-hevc-hdr`."""
    width: int
    height: int
    codec: Codec = "h264"
    preset: str = "veryfast"
    crf: float
    max_bitrate: int
    buffer_bits: int
    hdr: Literal["pq", "hlg"] | None = None
    """The source's range is kept, in 10 bits; None: SDR in 8 bits."""
    mastering: Mastering | None = None
    """Of HDR, what is believed of the source's."""
    light: tuple[int, int] | None = None
    """As in VideoFacts, where it is believed."""
    vmaf: float | None = None
    """What the analysis expects of it; None where it expects nothing."""


class Viewing(Noun):
    """How the quality of a ladder's rungs is measured: by which model, and scaled to which size."""

    model: Literal["phone", "default"]
    width: int
    height: int


class Ladder(Noun):
    """The plan for one codec: rungs from best to lowest, all on the asset's grid."""

    rungs: tuple[Rung, ...]
    grid: Grid
    viewing: Viewing | None = None
    """None: nobody measures it."""

    @property
    def codec(self) -> Codec:
        return self.rungs[0].codec

    @property
    def name(self) -> str:
        """`h264`, `av1`, `hevc-hdr`: unique within a plan."""
        return self.codec + ("-hdr" if self.rungs[0].hdr else "")


class Chunk(Noun):
    """A stretch of the source that is encoded as one, in frames of the grid. It begins where a segment begins."""

    number: int = 0
    first: int = 0
    frames: int | None = None
    """None: to the end."""


class Look(Noun):
    """The first look at a source that is not standard: one low rung on a grid of its own, in chunks that become longer."""

    ladder: Ladder
    chunks: tuple[Chunk, ...]


class Plan(Noun):
    """What is made of a source's picture: one ladder for each codec, the one that makes an asset ready first."""

    ladders: tuple[Ladder, ...]
    chunks: tuple[Chunk, ...] = (Chunk(),)
    reuse: bool = False
    """The source itself is the top rung of the first ladder, above those that are listed."""
    top: Rung | None = None
    """The rung that it is; so it is encoded if the source turns out to be none."""
    look: Look | None = None
    """What is shown until the ladders are there, where the source cannot be delivered as it is."""
    lazy: tuple[Ladder, ...] = ()
    """What is made only when somebody wants to see the video: further rungs of those ladders, and those of other codecs."""
    lazy_chunks: tuple[Chunk, ...] = ()
    """Of the first codec's, which are shorter: somebody may be waiting for one."""

    @property
    def grid(self) -> Grid:
        return self.ladders[0].grid

    @property
    def whole(self) -> Plan:
        """The same with nothing put off."""
        late = {ladder.name: ladder.rungs for ladder in self.lazy}
        ladders = [_with_rungs(ladder, late.get(ladder.name, ())) for ladder in self.ladders]
        known = {ladder.name for ladder in self.ladders}
        others = (ladder for ladder in self.lazy if ladder.name not in known)
        return self.model_copy(update={"ladders": (*ladders, *others), "lazy": (), "lazy_chunks": ()})


def _with_rungs(ladder: Ladder, more: tuple[Rung, ...]) -> Ladder:
    rungs = sorted((*ladder.rungs, *more), key=lambda rung: rung.width * rung.height, reverse=True)
    return ladder.model_copy(update={"rungs": tuple(rungs)}) if more else ladder


class ProbePoint(Noun):
    """One trial encode of the analysis, over all its windows."""

    width: int
    height: int
    crf: float
    bitrate: int
    vmaf: float


class Receipt(Noun):
    """Why a rung is what it is."""

    rung: str
    points: tuple[ProbePoint, ...] = ()
    """The trials that the prediction rests on, all over the same few windows."""
    predicted_vmaf: float | None = None
    """At the size of the codec's top rung; None where nothing was tried."""
    predicted_bitrate: int | None = None
    why: str
    """A sentence: at the target, on the convex hull, at the source's own rate..."""
