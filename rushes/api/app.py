"""The application: every route of the API and the origin, and what other rooms add."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from rushes.api import assets, events, fleet, health, origin, problems, uploads
from rushes.api.auth import Keys
from rushes.api.gate import Gate
from rushes.api.metrics import HttpMetrics
from rushes.api.preview_secret import preview_secret
from rushes.api.published import Published
from rushes.api.records import load
from rushes.api.services import Services
from rushes.api.watcher import Watcher
from rushes.quotas import load_quotas

DESCRIPTION = (
    "A creator's upload becomes a published adaptive video. Errors are RFC 9457 problems with a stable `code`."
)


def create_app(services: Services, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """Our routes, then `routers` of other rooms (uploads, pages). Paths are taken as they are: no slash is added."""
    app = FastAPI(
        title="rushes", version=version("rushes"), description=DESCRIPTION, redoc_url=None, redirect_slashes=False
    )
    metrics = HttpMetrics(services.catalog)
    app.state.services = services
    app.state.keys = Keys.of(services.settings)
    app.state.quotas = load_quotas(services.settings)
    app.state.preview_secret = preview_secret(services.settings)
    app.state.published = Published(services.store, services.clock)
    app.state.watcher = Watcher(lambda asset: load(services.catalog, asset))
    app.state.metrics = metrics
    app.add_middleware(Gate, clock=services.clock, metrics=metrics)
    problems.install(app)
    for router in (assets.router, uploads.router, events.router, fleet.router, origin.router, health.router, *routers):
        app.include_router(router)
    return app
