"""What a step is given and the form a step has. Pure data: a job travels to a child process as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from rushes.facts import SourceFacts, SourceRef
from rushes.model import Result, Verdict
from rushes.noun import Noun
from rushes.options import Options
from rushes.policies import Policy
from rushes.profiles import Profile
from rushes.states import Action, StepKind


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
    twin: Twin | None = None
    """Whose result may be copied instead of made again."""
    build: int = 0
    """The number a new build gets (package) or the newest build there is (publish)."""
    verdict: Verdict | None = None
    """The asset's verdict at the time of the claim; it may be newer and stricter than the one among the inputs."""
    verdict_override: Action | None = None
    """A moderator's decision, which a policy does not overrule."""


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


class ToolSettings(Noun):
    """How a child reaches its tools."""

    ffmpeg: str = ""
    sandbox: str = "preferred"
    limits: Limits = Limits()
    whisper_model: str = ""
    speech_draft: bool = True
    pull: PullSettings | None = None
