"""The application: every route of the API and the origin, and what other rooms add."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI

from rushes.api import (
    assets,
    beacon,
    events,
    fleet,
    health,
    keys,
    ledger,
    oembed,
    playback,
    problems,
    quarantine,
    tokens,
    uploads,
)
from rushes.api.auth import Keys
from rushes.api.demand import Plays
from rushes.api.gate import Follow, Gate
from rushes.api.metrics import HttpMetrics
from rushes.api.origin import Origin, Secrets
from rushes.api.origin_docs import described
from rushes.api.playback_secret import playback_secrets
from rushes.api.player_metrics import PlayerMetrics
from rushes.api.preview_secret import preview_secret
from rushes.api.published import Published
from rushes.api.records import load
from rushes.api.services import Services
from rushes.api.takedown import Purger
from rushes.api.watcher import Watcher
from rushes.packaging.purge_setup import purge_settings
from rushes.quotas import load_quotas

DESCRIPTION = (
    "A creator's upload becomes a published adaptive video. Errors are RFC 9457 problems with a stable `code`."
)


class App(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return described(super().openapi())


def create_app(services: Services, routers: Sequence[APIRouter] = (), follow: Follow | None = None) -> FastAPI:
    """Our routes, then `routers` of other rooms (uploads, pages). Paths are taken as they are: no slash is added.

    `follow` hears of each request that was answered.
    """
    app = App(
        title="rushes", version=version("rushes"), description=DESCRIPTION, redoc_url=None, redirect_slashes=False
    )
    metrics = HttpMetrics(services.catalog)
    app.state.services = services
    app.state.keys = Keys.of(services.settings)
    app.state.quotas = load_quotas(services.settings)
    preview = app.state.preview_secret = preview_secret(services.settings)
    secrets = app.state.origin_secrets = Secrets(preview, playback_secrets(services.settings, preview))
    published = app.state.published = Published(services.store, services.clock)
    plays = app.state.plays = Plays(services.catalog, services.clock, services.settings.demand_plays)
    app.state.purger = Purger(purge_settings(services.settings))
    app.state.watcher = Watcher(lambda asset: load(services.catalog, asset))
    app.state.metrics = metrics
    players = PlayerMetrics(metrics.registry)
    app.add_middleware(Origin, services=services, published=published, secrets=secrets, players=players, plays=plays)
    app.add_middleware(
        Gate, clock=services.clock, metrics=metrics, follow=follow
    )  # the outer one: it sees what the origin answers
    problems.install(app)
    for router in (
        assets.router,
        uploads.router,
        events.router,
        fleet.router,
        quarantine.router,
        ledger.router,
        tokens.router,  # before those of `playback`: `verify` is no asset
        playback.router,
        keys.router,
        beacon.router,
        oembed.router,
        health.router,
        *routers,
    ):
        app.include_router(router)
    return app
