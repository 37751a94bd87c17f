"""What a caller says of an asset: its title and metadata, bounded and freed of what hides."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rushes.options import ClipField, MarkField, PlaybackField
from rushes.text import one_line

TITLE, KEY, VALUE = 500, 64, 1024
"""Characters."""
Key = Annotated[str, Field(min_length=1, max_length=KEY)]
Value = Annotated[str, Field(max_length=VALUE)]


def cleaned(metadata: dict[str, str]) -> dict[str, str]:
    return {one_line(key, KEY): one_line(value, VALUE) for key, value in metadata.items()}


class Described(BaseModel):
    """The part that is the same for all requests that make an asset."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(default="", max_length=TITLE, description="Empty: the file's name")
    metadata: dict[Key, Value] = Field(default_factory=dict, max_length=50)

    profile: str = Field(default="", max_length=64, description="Empty: the server's own")
    clip: ClipField = Field(default=None, description="The stretch of the file that is delivered, in seconds")
    watermark: MarkField = Field(
        default=None, description="Laid on the picture: the name it was stored under, and where"
    )
    playback: PlaybackField = Field(default="public", description="`signed`: nothing is played without a token")

    def cleaned(self) -> dict[str, Any]:
        """All fields of the request."""
        return {**self.model_dump(), "title": one_line(self.title, TITLE), "metadata": cleaned(self.metadata)}
