"""Puts the rooms together from the settings; the only place that knows which part is used."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rushes.catalog.catalog import Catalog
from rushes.catalog.change import Store
from rushes.catalog.claiming import Sharing
from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.open import open_database
from rushes.catalog.pipeline import Pipeline
from rushes.catalog.telling import Tell, nobody
from rushes.catalog.watched import Watched
from rushes.clock import Clock, SystemClock, pause
from rushes.engine.fair import Share
from rushes.engine.job import Limits, PullSettings, ToolSettings
from rushes.errors import StepFailure
from rushes.ffmpeg.version import version
from rushes.key_servers import key_server
from rushes.packaging.purge_setup import purge_settings
from rushes.quotas import load_quotas
from rushes.settings import Settings, SettingsError
from rushes.storage.open import open_store
from rushes.workers import machine
from rushes.workers.doorbell import Doorbell, Listener
from rushes.workers.plant import Plant
from rushes.workers.slots import own_slots
from rushes.workers.spans import Spans
from rushes.workers.telemetry import Telemetry

START_PATIENCE = 30.0
"""Seconds a process waits for its database at the start; then whoever started it is to see that it failed."""
log = logging.getLogger("rushes")
T = TypeVar("T")


def tool_settings(settings: Settings) -> ToolSettings:
    return ToolSettings(
        ffmpeg=settings.ffmpeg,
        sandbox=settings.sandbox,
        limits=Limits(
            memory=settings.step_memory, wall=settings.step_wall, stall=settings.step_stall, cpu=settings.step_cpu
        ),
        whisper_model=settings.whisper_model,
        speech_draft=settings.speech_draft,
        gpu=settings.gpu,
        pull=pull_settings(settings),
        purge=purge_settings(settings),
    )


_UPLOAD_STORE = {"data", "storage_url", "min_free_bytes"}
"""Settings that the store for unfinished uploads is made by, beside those that begin with `upload_`. No secrets, so
no database: who opens it has to say who else writes there."""


def pull_settings(settings: Settings) -> PullSettings:
    if settings.pull_ca_file and not Path(settings.pull_ca_file).is_file():
        raise SettingsError(f"RUSHES_PULL_CA_FILE: there is no file {settings.pull_ca_file}.")
    names = _UPLOAD_STORE | {name for name in Settings.model_fields if name.startswith("upload_")}
    absolute = settings.model_copy(update={"data": settings.data.absolute()})
    return PullSettings(
        private=settings.pull_private == "on", http=settings.pull_http == "on", ports=settings.ports_to_pull_from,
        ca_file=settings.pull_ca_file, max_bytes=settings.upload_max_bytes, seconds=settings.pull_seconds,
        min_rate=settings.pull_min_rate, uploads=absolute.model_dump(mode="json", include=names),
    )  # fmt: skip


def open_catalog(settings: Settings, bell: Doorbell, clock: Clock | None = None, *, tell: Tell = nobody) -> Store:
    """The database, whose schema is as new as this version needs, with its bell. Without a clock its own time counts."""
    database = Watched(open_database(settings.database), tell)
    await_database(database.ensure)
    delivers, purges = bool(settings.webhook_url), settings.purge != "off"
    return Store(database, clock, bell.ring, deliver=delivers, purge=purges, tell=tell)


def await_database(action: Callable[[], T]) -> T:
    """Do what needs the database; at the start of a fleet its server may be a little later than we are.

    Raises DatabaseUnavailable when it did not answer for START_PATIENCE seconds.
    """
    clock = SystemClock()
    deadline = clock.monotonic() + START_PATIENCE
    while True:
        try:
            return action()
        except DatabaseUnavailable as error:
            if clock.monotonic() > deadline:
                raise
            log.warning("waiting for the database: %s", error)
            pause(1.0)


def pipeline(settings: Settings, store: Store) -> Pipeline:
    """Raises StepFailure where the media tool does not run."""
    return _pipeline(settings, store, version(tool_settings(settings)))


def repairing(settings: Settings, store: Store) -> Pipeline:
    """For a process that does no steps, and may have no media tool."""
    try:
        return pipeline(settings, store)
    except StepFailure:
        return _pipeline(settings, store, "none")


def _pipeline(settings: Settings, store: Store, tool: str) -> Pipeline:
    quotas = load_quotas(settings)

    def share(tenant: str) -> Share:
        quota = quotas.of(tenant)
        return Share(weight=quota.weight, running=quota.running)

    return Pipeline(
        store, lease=settings.lease_seconds, max_attempts=settings.max_attempts, tool=tool,
        sharing=Sharing(of=share, age=settings.age_seconds, preempt=settings.preempt),
    )  # fmt: skip


def plant(
    settings: Settings,
    store: Store,
    listener: Listener,
    *,
    drain: float = 0.0,
    telemetry: Telemetry | None = None,
    spans: Spans | None = None,
) -> Plant:
    """`drain`: seconds that running steps get when the worker is stopped."""
    open_store(settings.storage)  # what is wrong with its address is said now, and not by the first step
    # Names of processes are not enough: in containers each is number 1, and hosts may share a name.
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
    return Plant(
        name=name, pipeline=pipeline(settings, store), listener=listener, scratch=Path(settings.scratch).absolute(),
        storage=settings.storage, tools=tool_settings(settings), keep_originals=settings.keep_originals,
        keep_history=settings.keep_history, drain=drain,
        room=settings.min_free_bytes // 2, pull_slots=settings.pull_slots, keys=key_server(settings), machine=machine.look(),
        own_slots=own_slots(settings.pool_slots), slow_host=settings.slow_host,
        heartbeat=min(settings.heartbeat_seconds, settings.lease_seconds / 3),
        telemetry=telemetry or Telemetry(), spans=spans or Spans(None),
    )  # fmt: skip


def catalog(store: Store) -> Catalog:
    return Catalog(store)
