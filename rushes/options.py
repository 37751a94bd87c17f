"""What an asset is asked to be beyond its profile: a clip of its source, a picture laid on it, who may play it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from rushes.errors import Refused
from rushes.noun import Noun

Position = Literal[
    "top-left", "top", "top-right", "left", "center", "right", "bottom-left", "bottom", "bottom-right"
]  # fmt: skip
MAX_SECONDS = 7 * 86_400.0


class Clip(Noun):
    """The stretch [start, end) of the source that is delivered, in seconds from its time zero."""

    start: float = Field(default=0.0, ge=0, le=MAX_SECONDS, allow_inf_nan=False)
    end: float | None = Field(default=None, gt=0, le=MAX_SECONDS, allow_inf_nan=False)
    """None, or later than the source's end: to its end."""

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("a clip must end after it starts")
        return self


class Placement(Noun):
    """Where and how a watermark lies on the picture."""

    position: Position = "bottom-right"
    size: float = Field(default=0.15, ge=0.01, le=1.0, allow_inf_nan=False)
    """Its width, as a share of the picture's width. Where it would then be too high for the picture it is made smaller."""
    opacity: float = Field(default=1.0, gt=0, le=1.0, allow_inf_nan=False)
    margin: float = Field(default=0.03, ge=0, le=0.4, allow_inf_nan=False)
    """Distance from the edges, as a share of the picture's shorter side."""


NAME = r"[a-z0-9][a-z0-9_-]{0,63}"
"""Of a watermark."""


class Mark(Placement):
    """A watermark as it is asked for, by the name under which the tenant has stored it."""

    name: str = Field(pattern=f"^{NAME}$")


class Watermark(Placement):
    """A picture that is laid on the video: the one that had this name when the asset was created."""

    name: str
    key: str
    """Of the object: a PNG of ours, named by its content."""
    width: int = Field(ge=1)
    height: int = Field(ge=1)


Playback = Literal["public", "signed"]
"""Whether whoever has the address may play it, once it is published, or only who also has a token."""


class Asked(Noun):
    """What may be said when an asset is created. An empty profile is that of the settings."""

    profile: str = Field(default="", max_length=64)
    clip: Clip | None = None
    watermark: Mark | None = None
    playback: Playback = "public"


class Options(Noun):
    """Of one asset, fixed at its creation. Part of the recipe of every step that they change; who may play the result changes
    none."""

    clip: Clip | None = None
    watermark: Watermark | None = None
    playback: Playback = "public"

    @property
    def is_plain(self) -> bool:
        """The source may be delivered as it is."""
        return self.clip is None and self.watermark is None


CLIP = frozenset({"clip_start", "clip_end"})
SAID = CLIP | {"profile", "watermark", "playback"}
"""Names in an upload's metadata that `asked` reads."""


def asked(said: Mapping[str, str]) -> Asked:
    """From the text of an upload's metadata: `profile`, `clip_start`, `clip_end` (seconds), `watermark` (`logo`, or
    `logo,position=top-left,size=0.2,opacity=0.5,margin=0.05`), `playback` (`public`, `signed`). Raises Refused `bad_clip`,
    `bad_watermark`, `bad_profile`, `bad_playback`."""
    profile = said.get("profile", "")
    if len(profile) > 64:
        raise Refused("bad_profile", "`profile` is the name of a profile.")
    mark = parse_mark(said["watermark"]) if said.get("watermark") else None
    return Asked(profile=profile, clip=_clip(said), watermark=mark, playback=playback_of(said.get("playback")))


def _clip(said: Mapping[str, str]) -> Clip | None:
    given = {name: said[f"clip_{name}"] for name in ("start", "end") if said.get(f"clip_{name}")}
    return clip_of({name: _number(text) for name, text in given.items()} or None)


def clip_of(said: object) -> Clip | None:
    """As it stands in JSON: `{"start": 1.5, "end": 4}`, numbers both, one of them at least. Raises Refused `bad_clip`."""
    if said is None or isinstance(said, Clip):
        return said
    try:
        if not said or not isinstance(said, dict) or all(value is None for value in said.values()):
            raise ValueError(said)
        return Clip.model_validate(said, strict=True)
    except ValueError as error:  # what pydantic raises is one
        raise Refused("bad_clip", _CLIP) from error


def parse_mark(text: str) -> Mark:
    """`logo,position=top-left,size=0.2`. Raises Refused `bad_watermark`."""
    name, *rest = (part.strip() for part in text.split(","))
    pairs = [(key.strip(), value.strip()) for key, _, value in (part.partition("=") for part in rest)]
    return _mark({"name": name, **{key: value if key == "position" else _number(value) for key, value in pairs}})


def mark_of(said: object) -> Mark | None:
    """As it stands in JSON: `{"name": "logo", "size": 0.2}`. Raises Refused `bad_watermark`."""
    return said if said is None or isinstance(said, Mark) else _mark(said)


def _mark(said: object) -> Mark:
    try:
        return Mark.model_validate(said, strict=True)
    except ValidationError as error:
        wrong = ", ".join(".".join(str(part) for part in issue["loc"]) or "all of it" for issue in error.errors())
        raise Refused("bad_watermark", f"{_MARK}: wrong is {wrong}.") from error


def playback_of(said: object) -> Playback:
    """`public` or `signed`; public where nothing is said. Raises Refused `bad_playback`."""
    if said in (None, "", "public"):
        return "public"
    if said == "signed":
        return "signed"
    raise Refused("bad_playback", "`playback` is `public` or `signed`.")


def _number(text: str) -> float | str:
    """A plain decimal number; what is none is left for the form to refuse."""
    return float(text) if _DECIMAL.match(text) else text


_DECIMAL = re.compile(r"^(?=\.?[0-9])[0-9]{0,12}(\.[0-9]{1,12})?$", re.ASCII)
_CLIP = (
    "A clip has a start, an end, or both, in seconds of the video, such as 1.5 and 4; the end comes after the start."
)
_MARK = "A watermark is a name, and may say position (top-left ... bottom-right), size, opacity and margin as numbers"
ClipField = Annotated[Clip | None, BeforeValidator(clip_of)]
MarkField = Annotated[Mark | None, BeforeValidator(mark_of)]
PlaybackField = Annotated[Playback, BeforeValidator(playback_of)]
"""Fields of a request: refused with the same codes as in an upload's metadata, not as a malformed request."""
