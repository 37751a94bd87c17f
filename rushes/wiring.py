"""Puts the rooms together from the settings; the only place that knows which part is used."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from rushes.catalog.catalog import Catalog, database_path
from rushes.catalog.change import Store
from rushes.catalog.database import Database
from rushes.catalog.pipeline import Pipeline
from rushes.clock import Clock, SystemClock
from rushes.engine.job import Limits, ToolSettings
from rushes.ffmpeg.version import version
from rushes.settings import Settings
from rushes.workers.doorbell import Doorbell, Listener
from rushes.workers.worker import Plant


def tool_settings(settings: Settings) -> ToolSettings:
    return ToolSettings(
        ffmpeg=settings.ffmpeg,
        sandbox=settings.sandbox,
        limits=Limits(memory=settings.step_memory, wall=settings.step_wall, stall=settings.step_stall),
        whisper_model=settings.whisper_model,
        speech_draft=settings.speech_draft,
    )


def open_catalog(settings: Settings, bell: Doorbell, clock: Clock | None = None) -> Store:
    """The migrated database with its clock and bell."""
    database = Database(database_path(settings.database))
    database.migrate()
    return Store(database, clock or SystemClock(), bell.ring, deliver=bool(settings.webhook_url))


def pipeline(settings: Settings, store: Store) -> Pipeline:
    tool = version(tool_settings(settings))
    return Pipeline(store, lease=settings.lease_seconds, max_attempts=settings.max_attempts, tool=tool)


def plant(settings: Settings, store: Store, listener: Listener) -> Plant:
    name = f"{socket.gethostname()}-{os.getpid()}"
    return Plant(
        name=name, pipeline=pipeline(settings, store), listener=listener, scratch=Path(settings.scratch).absolute(),
        storage=settings.storage, tools=tool_settings(settings), keep_originals=settings.keep_originals,
    )  # fmt: skip


def catalog(store: Store) -> Catalog:
    return Catalog(store)
