"""Policies: what may be public. Files in TOML, validated before use, named and versioned on the asset.

The shape lives here; the decision is `rushes.moderation.policy.decide`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rushes.noun import Noun
from rushes.states import Action


class Rule(Noun):
    """If a label of `name` (or one below it in the taxonomy) reaches `score`, the action follows."""

    id: str
    label: str
    score: float = Field(ge=0.0, le=1.0)
    action: Action


class Policy(Noun):
    name: str
    version: int
    publish_when: Literal["playable", "labelled"]
    """`playable`: publish with the first build, look at the labels when they come. `labelled`: labels first."""
    require_coverage: tuple[str, ...] = ()
    """Capabilities (such as `visual`) without whose real coverage nothing is published; missing ones hold the asset."""
    partial: Literal["publish", "hold", "refuse"] = "publish"
    """What becomes of a source that decodes only in part. Unless it is published, nothing is before all of it was decoded."""
    default: Action = Action.PUBLISH
    rules: tuple[Rule, ...] = ()

    @property
    def ref(self) -> str:
        return f"{self.name}@{self.version}"
