"""What a step is given and the form a step has. Pure data: a job travels to a child process as JSON."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from rushes.facts import SourceFacts, SourceRef
from rushes.keys import output_prefix, private_prefix
from rushes.media_keys import MediaKey
from rushes.model import Result, Verdict
from rushes.noun import Noun
from rushes.options import Options
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.states import Action, StepKind


class Needs(Noun):
    """What a step asks of the worker that does it. 0: as usual."""

    memory: int = 0
    """Bytes its processes may hold together."""
    scratch: int = 0
    """Bytes on the scratch disk."""
    gpu: bool = False
    alone: bool = False
    """It may have killed a worker before: nothing else runs beside it."""


class Twin(Noun):
    """The same work, done before for this tenant: same source bytes, same recipe, same tool."""

    asset: str
    result: Result
    cpu_seconds: float
    """What it took."""


class Job(Noun):
    """One attempt of one step, with everything it may look at. It holds no credentials and no database."""

    step_id: str
    key: str
    kind: StepKind
    asset: str
    tenant: str
    fence: int
    priority: int = 0
    """What is above `engine.specs.NORMAL` goes before the rest on a busy machine."""
    recipe: str
    """Name of the work by all its inputs; outputs go below `keys.output_prefix(asset, recipe, fence)`."""
    params: dict[str, Any] = Field(default_factory=dict)
    source: SourceRef
    facts: SourceFacts | None = None
    """None before the probe."""
    inputs: dict[str, Result] = Field(default_factory=dict)
    """Results of the steps this one waits for, by step key. One that failed optionally is absent."""
    profile: Profile
    policy: Policy
    options: Options = Options()
    key_version: int = 1
    """Of the asset's media keys (`rushes.media_keys`)."""
    twin: Twin | None = None
    """Whose result may be copied instead of made again."""
    build: int = 0
    """The number a new build gets (package) or the newest build there is (publish)."""
    verdict: Verdict | None = None
    """The asset's verdict at the time of the claim; it may be newer and stricter than the one among the inputs."""
    verdict_override: Action | None = None
    """A moderator's decision, which a policy does not overrule."""
    needs: Needs = Needs()
    estimate: float = 0.0
    """CPU seconds it is reckoned to take (`engine.cost`)."""

    @property
    def planned(self) -> dict[str, str]:
        """As it stands in the catalog: key, kind, params."""
        return {"key": self.key, "kind": self.kind.value, "params": json.dumps(self.params)}

    @property
    def is_protected(self) -> bool:
        return self.profile.outputs.protection != "none"

    @property
    def clear_prefix(self) -> str:
        """Where the step puts picture and sound: where nobody but us can read it, if the profile protects them."""
        place = private_prefix if self.is_protected else output_prefix
        return place(self.asset, self.recipe, self.fence)


class Limits(Noun):
    """Bounds within which a tool runs."""

    memory: int = 4_000_000_000
    """Bytes that a tool's processes hold together."""
    wall: float = 3600.0
    stall: float = 60.0
    """Seconds without progress."""
    cpu: float = 28_800.0
    """CPU seconds of all its processes together."""
    processes: int = 64


class PullSettings(Noun):
    """Where a pull may go, how long it may take, and where it puts what it gets."""

    private: bool = False
    """Addresses of this machine and of private networks too."""
    http: bool = False
    """Also without TLS."""
    ports: tuple[int, ...] = (443,)
    ca_file: str = ""
    """PEM file of the authorities to believe; empty: those that browsers believe."""
    max_bytes: int = 20_000_000_000
    seconds: float = 21_600.0
    """Of one attempt."""
    min_rate: int = 10_000
    """Bytes per second, below which the other side counts as stuck."""
    uploads: dict[str, Any] = Field(default_factory=dict)
    """The settings of the store for unfinished uploads, by name."""


class PurgeSettings(Noun):
    """The caches in front of us, and how they are told to forget (`packaging.purge`)."""

    kind: Literal["nginx", "varnish", "http"]
    urls: tuple[str, ...]
    """Of the caches, without a slash at the end; of `http`, templates."""
    secret: str = ""
    method: str = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""
    public_url: str = ""
    """What viewers call us, before a path."""

    @property
    def text(self) -> str:
        """Everything in which a place may be named."""
        return "\n".join((*self.urls, *self.headers.values(), self.body))


class ToolSettings(Noun):
    """How a child reaches its tools."""

    ffmpeg: str = ""
    sandbox: str = "preferred"
    limits: Limits = Limits()
    whisper_model: str = ""
    speech_draft: bool = True
    gpu: Literal["off", "auto", "required"] = "off"
    """For speech and moderation."""
    pull: PullSettings | None = None
    purge: PurgeSettings | None = None
    """Known to the steps that need it only, as it has a secret in it."""
    key: MediaKey | None = None
    """Of the asset that is packaged; no other step knows one."""
