"""Settings: environment `RUSHES_*` over `rushes.toml` over defaults. Read once, typed; errors are sentences."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from rushes.noun import Noun
from rushes.policies import Policy
from rushes.profiles import Profile

FORMER_NAMES = {"default": "fast"}
"""Of profiles: settings, quotas and one-time addresses may still say them."""


class SettingsError(ValueError):
    """A setting is wrong; the text says which, why, and what would be right."""


class Settings(Noun):
    """Everything that can be set. Each field `x` is `RUSHES_X` in the environment and `x` in `rushes.toml`."""

    data: Path = Path("rushes-data")
    """Embedded mode: database, objects, uploads and scratch live below this directory. In a fleet: scratch alone."""
    database_url: str = ""
    """`sqlite:///path` or `postgresql://user:password@host:5432/name`. Empty: `{data}/rushes.db`."""
    broker_url: str = "memory://"
    """The doorbell: `redis://host:6379/0`, or `memory://`, the local one, by a Unix socket of the data directory."""
    storage_url: str = ""
    """`file:///path` or `s3://bucket/prefix?endpoint_url=...&region=...`. Empty: `{data}/objects`."""
    public_url: str = ""
    """What the outside calls us, such as `https://video.example.com`. Empty: taken from the request."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses whose `X-Forwarded-*` headers are believed (comma-separated, `*` for all)."""
    ffmpeg: str = ""
    """Path of an ffmpeg binary. Empty: the one inside the `imageio-ffmpeg` wheel."""
    sandbox: Literal["required", "preferred", "off"] = "preferred"
    auth: Literal["off", "keys"] = "off"
    """`off` is accepted on loopback addresses only."""
    api_keys: str = ""
    """`tenant:key` pairs, comma-separated; keys of at least 16 characters."""
    profile: str = "balanced"
    policy: str = "development"
    """Name of a shipped file, or a path to one of yours."""
    profiles: str = "fast,balanced,quality,archive,lazy"
    """Other profiles that tenants may name for their assets, comma-separated. `RUSHES_QUOTAS` may say others for one tenant."""
    slots: int = Field(default=0, ge=0, le=256)
    """Steps at a time in this worker. 0: by `tune`, of the cores and the memory that this process may use."""
    pool_slots: str = ""
    """Pools with slots of their own, which they share with no other: `video=4,speech=1`."""
    lease_seconds: float = Field(default=20.0, ge=2.0)
    """Seconds after which the step of a silent worker is taken back."""
    heartbeat_seconds: float = Field(default=5.0, ge=0.2)
    """Seconds between two signs of life of a running step; at most a third of the lease."""
    tune: Literal["throughput", "latency"] = "throughput"
    """What slots are chosen for where their number is not given: most videos an hour, or the shortest time for each."""
    gpu: Literal["off", "auto", "required"] = "auto"
    """Whether speech and moderation use a GPU: if one is there, or not at all, or nothing else."""
    age_seconds: float = Field(default=900.0, ge=1.0)
    """Seconds after which a queue that was not served gets a share of the claims, whatever its class."""
    preempt: bool = True
    """Whether a bulk step makes room when something more urgent has waited for a few seconds."""
    tenant_running: int = Field(default=0, ge=0)
    """Steps of one pool that a tenant may have running at a time. 0: no limit."""
    slow_host: float = Field(default=0.5, ge=0.0, lt=1.0)
    """A worker that is slower than this share of its fleet's median takes no more work. 0: never."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65_535)
    """Where a worker shows its metrics. 0: nowhere."""
    operator_keys: str = ""
    """Keys of at least 16 characters, comma-separated, that may drain workers, pause pools and change priorities. Empty: only
    callers on loopback may, where `auth` is off."""
    drain_seconds: float = Field(default=20.0, ge=0.0)
    """Seconds that a fleet worker's running steps get to end after SIGTERM; those that do not are given back unharmed."""
    max_attempts: int = Field(default=4, ge=1)
    step_memory: int = Field(default=4_000_000_000, ge=200_000_000)
    """Bytes a step's processes may hold together; a watchdog stops those that exceed it."""
    step_wall: float = Field(default=3600.0, ge=1.0)
    """Seconds after which a tool is stopped."""
    step_stall: float = Field(default=60.0, ge=1.0)
    """Seconds without progress after which a tool is stopped."""
    step_cpu: float = Field(default=28_800.0, ge=1.0)
    """CPU seconds after which a tool is stopped."""
    keep_originals: float = Field(default=-1.0)
    """Days for which sources are kept after `ready`; -1: for ever."""
    keep_history: float = Field(default=-1.0)
    """Days for which it is kept how the single attempts at steps went, once nothing of their asset is open, and the steps of
    what was deleted; -1: for ever."""
    max_encodes: int = Field(default=20, ge=0)
    """How often an asset may be encoded again; 409 `too_many_encodes` beyond that."""
    min_free_bytes: int = Field(default=500_000_000, ge=0)
    """New uploads are refused with 507 when the data disk would have less than this left."""
    upload_max_bytes: int = Field(default=20_000_000_000, ge=1)
    upload_expiry: float = Field(default=86_400.0, ge=60.0)
    """Seconds an unfinished upload is kept after its last byte."""
    upload_reserve_bytes: int = Field(default=67_108_864, ge=0)
    """What an upload counts for, beyond what has arrived, as long as it has not said its length."""
    upload_min_rate: int = Field(default=0, ge=0)
    """Bytes per second, over half a minute, below which a request is ended with 408; what it brought is kept. 0: none."""
    tenant_open_uploads: int = Field(default=0, ge=0)
    """Unfinished uploads a tenant may have, parts included; 429 beyond that. 0: no limit."""
    tenant_bytes_open: int = Field(default=0, ge=0)
    """Bytes that a tenant's unfinished uploads may have declared together; 429 beyond that. 0: no limit."""
    tenant_bytes_per_day: int = Field(default=0, ge=0)
    """Bytes of a tenant's uploads that begin within 24 hours; 429 beyond that. 0: no limit."""
    tenant_bandwidth: int = Field(default=0, ge=0)
    """Bytes per second that a tenant's uploads may bring together, in each server process. 0: no limit."""
    tenant_requests: int = Field(default=0, ge=0)
    """Requests of a tenant that bring bytes at a time, in each server process; others wait a little, then 429. 0: no limit."""
    quotas: str = ""
    """Path of a TOML file with other limits for single tenants: `[tenant.NAME]` with `open_uploads = 200`. Empty: none."""
    max_backlog_seconds: float = Field(default=0.0, ge=0.0)
    """New uploads are refused with 503 while the workers have more than this to do, uploads under way included. 0: no limit."""
    cpu_seconds_per_gb: float = Field(default=900.0, ge=0.0)
    """What processing a gigabyte of video is reckoned to cost before its probe knows better (1080p at 12 Mbit/s)."""
    refuse_early: bool = True
    """Whether an upload that is certain to fail is refused as soon as its first bytes say so, and not after its last."""
    interim_responses: bool = True
    """Whether clients of the IETF protocol that ask for 104 responses get them. Off behind a proxy that cannot pass them on."""
    upload_sync: Literal["commit", "never"] = "commit"
    """On the local disk, `commit`: bytes are on the disk before a client hears of them, and survive a loss of power.
    `never`: they survive a crash of the server only, and uploads cost less."""
    s3_events_key: str = ""
    """Key by which the object store tells of finished direct uploads (`Authorization: Bearer ...`). Empty: it does not."""
    pull_private: Literal["off", "on"] = "off"
    """`on`: pulls may go to this machine and to private networks too. For development and tests."""
    pull_http: Literal["off", "on"] = "off"
    """`on`: pulls may go to `http` addresses (port 80) too."""
    pull_ports: str = "443"
    """Ports that pulls may go to, comma-separated."""
    pull_ca_file: str = ""
    """PEM file with the authorities that pulls believe instead of the public ones."""
    pull_seconds: float = Field(default=21_600.0, ge=1.0)
    """Seconds that one attempt at a pull may take."""
    pull_min_rate: int = Field(default=10_000, ge=0)
    """Bytes per second, over half a minute, below which a pull is broken off and tried again later."""
    pull_slots: int = Field(default=4, ge=1, le=64)
    """Pulls at a time in one worker, beside its other steps."""
    whisper_model: str = ""
    """Path of a faster-whisper (CTranslate2) model directory. Nothing is ever downloaded implicitly."""
    speech_draft: bool = True
    """Whether pocketsphinx may write an English draft where no Whisper model is configured."""
    webhook_url: str = ""
    webhook_secret: str = ""
    """Standard Webhooks secret, `whsec_` and base64."""
    origin: Literal["serve", "redirect", "accel"] = "serve"
    """`redirect`: segments are fetched from the S3 store itself, by presigned addresses (307). `accel`: the nginx in front sends
    them from the local disk (`X-Accel-Redirect`)."""
    origin_cache: int = Field(default=64_000_000, ge=0)
    """Bytes of memory for small objects that never change, in each server process. 0: none."""
    purge: Literal["off", "nginx", "varnish", "http"] = "off"
    """Which caches are told when something is taken down: those of `docker/`, or any with an HTTP interface for it."""
    purge_url: str = ""
    """The address of each cache, comma-separated. For `http` with places to fill: `{asset}`, `{path}`, `{url}`."""
    purge_secret: str = ""
    """What the caches know us by; `{secret}` in the headers of `http`."""
    purge_method: str = "POST"
    purge_headers: str = ""
    """For `http`: `Name: value`, several separated by `|`."""
    purge_body: str = ""
    """For `http`: with `{path}` or `{url}` a request for each path, with `{paths}` or `{urls}` (JSON lists) one for 30."""
    demand_plays: int = Field(default=1, ge=1)
    """How often a video is played before what its profile calls lazy is made."""
    segment_wait: float = Field(default=8.0, ge=0.0, le=60.0)
    """Seconds that a request for a segment waits which is made just for it; then 503 with `Retry-After`."""
    preview_secret: str = ""
    """Signs private preview addresses. Empty: made at the first start and kept in the data directory."""
    playback_secret: str = ""
    """Signs playback tokens; several, comma-separated: the first signs, all are believed. Empty: made of the preview's."""
    key_secret: str = ""
    """The keys of protected media are derived from it. Empty: made when it is needed and kept in the data directory."""
    key_server_url: str = ""
    """A key server of yours, asked instead: `GET` with `asset` and `version`, answered with `kid`, `key`, `iv` in JSON."""
    key_server_token: str = ""
    """What the key server knows us by (`Authorization: Bearer ...`)."""
    log_format: Literal["text", "json"] = "text"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{(self.data / 'rushes.db').absolute()}"

    @property
    def storage(self) -> str:
        return self.storage_url or f"file://{(self.data / 'objects').absolute()}"

    @property
    def scratch(self) -> Path:
        return self.data / "scratch"

    @property
    def ports_to_pull_from(self) -> tuple[int, ...]:
        """Raises SettingsError."""
        ports = [port.strip() for port in self.pull_ports.split(",") if port.strip()]
        if not all(port.isascii() and port.isdigit() and 0 < int(port) < 65536 for port in ports):
            raise SettingsError("RUSHES_PULL_PORTS must be port numbers separated by commas, such as 443,8443.")
        return (*(int(port) for port in ports), *((80,) if self.pull_http == "on" else ()))

    @property
    def named_profiles(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.profiles.split(",") if name.strip())

    @property
    def playback_secrets(self) -> tuple[bytes, ...]:
        """Raises SettingsError."""
        secrets = tuple(secret.strip() for secret in self.playback_secret.split(",") if secret.strip())
        if any(len(secret) < 32 for secret in secrets):
            raise SettingsError(
                "RUSHES_PLAYBACK_SECRET must be secrets of at least 32 characters, separated by commas."
            )
        return tuple(secret.encode() for secret in secrets)

    @property
    def keys(self) -> dict[str, str]:
        """API key -> tenant."""
        pairs = [pair.strip().split(":", 1) for pair in self.api_keys.split(",") if pair.strip()]
        for pair in pairs:
            if len(pair) != 2 or len(pair[1]) < 16:
                raise SettingsError(
                    "RUSHES_API_KEYS must be `tenant:key` pairs separated by commas, each key of at least 16 characters."
                )
        return {key: tenant for tenant, key in pairs}

    @property
    def operators(self) -> tuple[str, ...]:
        """Raises SettingsError."""
        keys = tuple(key.strip() for key in self.operator_keys.split(",") if key.strip())
        if any(len(key) < 16 for key in keys):
            raise SettingsError("RUSHES_OPERATOR_KEYS must be keys of at least 16 characters, separated by commas.")
        return keys


def load_settings(environment: Mapping[str, str], *, file: Path | None = None, **overrides: Any) -> Settings:  # noqa: ANN401 - values are validated by the model
    """Merge defaults, `rushes.toml`, `RUSHES_*` and overrides (None means not given). Raises SettingsError."""
    path = file or Path(environment.get("RUSHES_CONFIG", "rushes.toml"))
    values: dict[str, Any] = _read_toml(path) if path.is_file() else {}
    known = Settings.model_fields
    for name, value in environment.items():
        key = name.removeprefix("RUSHES_").lower()
        if name.startswith("RUSHES_") and key in known:
            values[key] = value
    values.update({key: value for key, value in overrides.items() if value is not None})
    return validated(Settings, values, str(path) if path.is_file() else "the environment")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{path} cannot be read: {error}.") from error


N = TypeVar("N", bound=Noun)


def validated(model: type[N], values: Mapping[str, Any], origin: str) -> N:
    """Build a noun from outside data; what is wrong with it becomes one sentence per field."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        sentences = [
            f"{'.'.join(str(part) for part in issue['loc']) or 'the whole'}: {issue['msg']} (given {issue['input']!r})"
            for issue in error.errors()
        ]
        raise SettingsError(f"In {origin}: " + "; ".join(sentences) + ".") from error


def load_profile(name: str) -> Profile:
    """A shipped profile by name, or one of yours by path."""
    return _load(Profile, "profiles", FORMER_NAMES.get(name, name))


def load_policy(name: str) -> Policy:
    """A shipped policy by name, or one of yours by path."""
    return _load(Policy, "policies", name)


def _load(model: type[N], folder: str, name: str) -> N:
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return validated(model, _read_toml(path), str(path))
    found: N = _load_shipped(model, folder, name)
    return found


@lru_cache(maxsize=32)
def _load_shipped(model: type[N], folder: str, name: str) -> N:
    """What is installed does not change, and every upload asks for it."""
    shipped = files("rushes") / "data" / folder
    resource = shipped / f"{name}.toml"
    if not name.replace("-", "").isalnum() or not resource.is_file():
        names = ", ".join(sorted(entry.name.removesuffix(".toml") for entry in shipped.iterdir()))
        raise SettingsError(f"There is no such file in {folder}: {name!r}; there are: {names}.")
    return validated(model, tomllib.loads(resource.read_text(encoding="utf-8")), resource.name)
