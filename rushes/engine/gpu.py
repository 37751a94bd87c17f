"""Where a model runs: on a GPU or not. Pure."""

from __future__ import annotations

from typing import Literal

from rushes.errors import Blame, StepFailure

Wish = Literal["off", "auto", "required"]


def device(wish: Wish, *, usable: bool) -> Literal["cpu", "cuda"]:
    """`usable`: what the library says that has to use it. Raises StepFailure `gpu_missing`, which another worker may mend."""
    if wish == "off" or not (usable or wish == "required"):
        return "cpu"
    if not usable:
        raise StepFailure("gpu_missing", Blame.RESOURCE)
    return "cuda"
