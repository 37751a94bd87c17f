"""Watermarks of a tenant, by name, in the object store: pictures are kept by their content, names point at them.

`watermarks/{tenant}/{name}.json` says which picture the name means now; `watermarks/{tenant}/{name}/{digest}.png` are the
pictures it has ever meant. An asset keeps the one that the name meant when it was created, so a new logo changes no old video,
and an encode that is done again finds what it had.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress

from pydantic import ValidationError

from rushes.engine.job import ToolSettings
from rushes.errors import NotFound, Refused, StepFailure
from rushes.ffmpeg.still import read_still
from rushes.noun import Noun
from rushes.options import NAME, Asked, Clip, Mark, Options, Watermark
from rushes.storage.store import PRIVATE, Headers, ObjectMissing, ObjectStore

FOLDER = "watermarks/"
_NAME = re.compile(NAME)


class Stored(Noun):
    """What a name means."""

    name: str
    key: str
    width: int
    height: int
    size: int
    """Bytes."""


class Watermarks:
    """Methods block on the object store."""

    def __init__(self, objects: ObjectStore, tools: ToolSettings | None = None) -> None:
        """`tools`: by which pictures are read; without them none can be put."""
        self._objects, self._tools = objects, tools

    def put(self, tenant: str, name: str, data: bytes) -> Stored:
        """A picture gets, or changes, its name. Raises Refused `bad_watermark`, `watermark_unusable`."""
        if not _NAME.fullmatch(name) or self._tools is None:
            raise Refused(
                "bad_watermark", "The name of a watermark has up to 64 lower-case letters, digits, `-` and `_`."
            )
        try:
            still = read_still(data, self._tools)
        except StepFailure as failure:
            raise Refused(failure.code, failure.message, status=415) from failure
        digest = hashlib.sha256(still.png).hexdigest()[:32]
        key = f"{FOLDER}{tenant}/{name}/{digest}.png"
        stored = Stored(name=name, key=key, width=still.width, height=still.height, size=len(still.png))
        self._objects.put_bytes(key, still.png, Headers("image/png", PRIVATE))
        self._objects.put_bytes(_place(tenant, name), stored.model_dump_json().encode(), Headers(cache_control=PRIVATE))
        return stored

    def get(self, tenant: str, name: str) -> Stored:
        """Raises NotFound."""
        missing = NotFound("watermark_not_found", f"There is no watermark {name!r}. Put it to /v1/watermarks/{{name}}.")
        if not _NAME.fullmatch(name):
            raise missing
        try:
            return Stored.model_validate_json(self._objects.read(_place(tenant, name)))
        except (ObjectMissing, ValidationError) as error:
            raise missing from error

    def list(self, tenant: str) -> Iterator[Stored]:
        """By name."""
        for info in self._objects.list(f"{FOLDER}{tenant}/"):
            name = info.key.removeprefix(f"{FOLDER}{tenant}/").removesuffix(".json")
            if _NAME.fullmatch(name):
                with suppress(NotFound):  # it was taken away meanwhile
                    yield self.get(tenant, name)

    def delete(self, tenant: str, name: str) -> None:
        """The name goes; pictures stay, for assets that have them may be encoded again. Raises NotFound."""
        self.get(tenant, name)
        self._objects.delete(_place(tenant, name))

    def resolve(self, tenant: str, clip: Clip | None, mark: Mark | None) -> Options:
        """What is asked for, with the picture that its name means now. Raises Refused `watermark_not_found`."""
        if mark is None:
            return Options(clip=clip)
        try:
            found = self.get(tenant, mark.name)
        except NotFound as error:
            raise Refused(error.code, error.message, status=422) from error
        picture = {"key": found.key, "width": found.width, "height": found.height}
        return Options(clip=clip, watermark=Watermark(**mark.model_dump(), **picture))

    def options(self, tenant: str, wanted: Asked) -> Options:
        """The same of all that was asked for."""
        found = self.resolve(tenant, wanted.clip, wanted.watermark)
        return found.model_copy(update={"playback": wanted.playback})


def _place(tenant: str, name: str) -> str:
    return f"{FOLDER}{tenant}/{name}.json"
