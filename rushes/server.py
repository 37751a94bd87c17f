"""The processes of the stack: the one that holds the directory, the web side, the worker. Called by the command line."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ipaddress
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI

from rushes import wiring
from rushes.api import direct as direct_routes
from rushes.api import pull, watermarks
from rushes.api.app import create_app
from rushes.api.auth import tenant_of
from rushes.api.services import Services
from rushes.api.spans import Requests
from rushes.cards import card_of
from rushes.catalog.catalog import Catalog
from rushes.catalog.database import DatabaseUnavailable
from rushes.catalog.open import is_shared
from rushes.clock import SystemClock
from rushes.embedded import Part, locked, reserve_port, supervise
from rushes.ingest import recovery, routes
from rushes.ingest import services as ingest_services
from rushes.ingest.body import BodyProtocol
from rushes.ingest.direct import Direct
from rushes.ingest.open import open_upload_locks, open_upload_store
from rushes.ingest.pulls import Pulls
from rushes.ingest.revoking import end_upload
from rushes.ingest.uploads import Uploads
from rushes.ingest.watermarks import Watermarks
from rushes.key_servers import key_server
from rushes.looking_after import lifespan_of
from rushes.quotas import load_quotas
from rushes.settings import Settings, SettingsError
from rushes.states import Pool
from rushes.storage.open import open_store
from rushes.storage.store import ObjectStore, Presign
from rushes.storage.timed import timed
from rushes.web import pages
from rushes.workers.doorbell import LocalDoorbell, open_doorbell, open_listener
from rushes.workers.doorbell_address import LOCAL
from rushes.workers.exposition import shown
from rushes.workers.plant import Plant
from rushes.workers.spans import both, open_spans
from rushes.workers.telemetry import Telemetry
from rushes.workers.webhooks import Webhooks
from rushes.workers.worker import Worker

PR_SET_PDEATHSIG = 1
M_MMAP_THRESHOLD = -3
"""mallopt(3)"""
LARGE_BUFFER = 256 * 1024
"""Bytes from which on memory comes straight from the kernel, and goes back there."""
LINGERS = 2.0
"""Seconds that threads may hold up the end of a worker."""
ENDS_IT = (signal.SIGINT, signal.SIGTERM)
"""Signals by which a worker is asked to."""
WEBHOOKS_EVERY = 0.5
"""Seconds between looks at the outbox."""
log = logging.getLogger("rushes.server")


def run_stack(settings: Settings, host: str, port: int) -> int:
    """Hold the data directory, make sure that nothing is left leased, and mind the web side and the worker.

    Gives the exit code: 0 after SIGINT or SIGTERM. Raises RushesError where the port is taken.
    """
    _refuse_open_door(settings, host)
    load_quotas(settings)  # what is wrong with their file is said here, and not by the web side at every start
    if is_shared(settings.database) or settings.broker_url != LOCAL:
        raise SettingsError(
            "`rushes up` is the embedded stack, with its own SQLite and its own doorbell. On a shared database or Redis, run "
            "`rushes migrate`, then `rushes serve` and `rushes worker`."
        )
    with locked(settings.data):
        reserve_port(host, port)
        store = wiring.open_catalog(settings, LocalDoorbell(settings.data))
        given_back = wiring.pipeline(settings, store).disown()
        store.database.close()
        if given_back:
            log.info("took back %d steps that were running when the stack last ended", given_back)
        environment = {**os.environ, **_environment(settings)}
        web = ("serve", "--host", host, "--port", str(port))
        parts = [Part("web side", web, environment), Part("worker", ("worker",), environment)]
        _greet(settings, host, port)
        return asyncio.run(supervise(parts))


def _environment(settings: Settings) -> dict[str, str]:
    """The settings as the parts will read them."""
    values = {f"RUSHES_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    return {**values, "RUSHES_DATA": str(settings.data.absolute()), "RUSHES_CONFIG": os.devnull}


def _greet(settings: Settings, host: str, port: int) -> None:
    url = settings.public_url or f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104 - compared, not bound
    print(f"rushes keeps its data in {settings.data.absolute()} (policy {settings.policy}, profile {settings.profile})")  # noqa: T201
    print(f"  upload page  {url}/\n  API          {url}/docs\n  operations   {url}/ops")  # noqa: T201
    print(f"  try          rushes push clip.mp4{'' if port == 8000 else f' --server {url}'}\n", flush=True)  # noqa: T201


def _refuse_open_door(settings: Settings, host: str) -> None:
    if settings.auth == "off" and not _is_loopback(host):
        raise SettingsError(
            f"RUSHES_AUTH=off is accepted on loopback only, not on {host}. "
            "Set RUSHES_AUTH=keys and RUSHES_API_KEYS=tenant:key, or use --host 127.0.0.1."
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _die_with(parent: int) -> None:
    """Be killed when `parent` is: kill -9 of the stack leaves nothing behind."""
    if parent:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            raise SystemExit(1)


def _give_back_buffers() -> None:
    """From the first large buffer that is freed, glibc would keep all of their size for the next ones, once for each of its
    arenas, and an upload is written by many threads. A fixed threshold has their memory back with the kernel at once."""
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER)


def run_web(settings: Settings, host: str, port: int, parent: int) -> None:
    _die_with(parent)
    _give_back_buffers()
    _refuse_open_door(settings, host)
    if is_shared(settings.database) and not settings.preview_secret:
        raise SettingsError(
            "RUSHES_PREVIEW_SECRET must be set, to the same long random text on every server of a fleet."
        )
    if not parent:
        reserve_port(host, port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn ends in good order, then raises the signal again
    config = uvicorn.Config(
        web_app(settings), host=host, port=port, log_config=None, access_log=False, server_header=False,
        proxy_headers=True, forwarded_allow_ips=settings.trusted_proxies, timeout_graceful_shutdown=5, http=BodyProtocol,
    )  # fmt: skip
    uvicorn.Server(config).run()


def web_app(settings: Settings) -> FastAPI:
    """API, origin, uploads and pages as one application."""
    clock = SystemClock()
    telemetry = Telemetry(tenants=0)
    spans = open_spans(os.environ, "rushes-web", telemetry.spans_lost)
    store = wiring.open_catalog(settings, open_doorbell(settings), tell=both(telemetry, spans))
    catalog, objects = Catalog(store), timed(open_store(settings.storage), telemetry.storage)
    ingest = ingest_services.Services(
        catalog=catalog,
        objects=objects,
        uploads=open_upload_store(settings, alone=not is_shared(settings.database)),
        settings=settings,
        clock=clock,
        tenant_of=tenant_of,
        holds=open_upload_locks(settings, catalog),
    )
    lifetime = APIRouter(lifespan=_recovering(ingest))
    upkeep = APIRouter(lifespan=lifespan_of(lambda: wiring.repairing(settings, store).look_after, clock))
    spans.start(catalog.spans)
    traces = APIRouter(lifespan=spans.lifespan)
    pulls = Pulls(catalog, settings, ingest.quotas, ingest.gauges, ingest.watermarks, clock)
    marks = Watermarks(objects, wiring.tool_settings(settings))
    doors = (
        routes.router(ingest),
        pull.router(pulls.begin),
        direct_routes.router(Direct(ingest), ingest.call),
        watermarks.router(marks, ingest.work_through),
    )
    app = create_app(
        Services(
            settings,
            catalog,
            objects,
            clock,
            partial(end_upload, Uploads(ingest)),
            options=marks.resolve,
            keys=key_server(settings),
        ),
        (*doors, pages.router(media_origins(settings, objects), card_of), lifetime, upkeep, traces),
        Requests(spans, clock) if spans.is_on else None,
    )
    for numbers in (ingest.tally, telemetry):
        app.state.metrics.registry.register(numbers)
    return app


def media_origins(settings: Settings, objects: ObjectStore) -> tuple[str, ...]:
    """Where pages may load media from besides our own: our public name, and the store to which the origin redirects."""
    own = pages.origin_of(settings.public_url)
    if settings.origin != "redirect" or not isinstance(objects, Presign):
        return own
    return own + pages.origin_of(objects.presign("media/x", 1))


def _recovering(services: ingest_services.Services) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(recovery.keep_recovering(services))
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return lifespan


def run_worker(settings: Settings, pools: Sequence[Pool], parent: int) -> None:
    _die_with(parent)
    asyncio.run(_end_in_time(_work(settings, pools, settings.drain_seconds if not parent else 0.0)))


async def _end_in_time(work: Coroutine[Any, Any, None]) -> None:
    """The interpreter waits for its threads, and one that talks to a database which has vanished waits for seconds. All that a
    worker has to say is said by then: whoever gave it 30 s to end gets them."""
    try:
        await work
    finally:
        failed = sys.exc_info()[1] is not None
        timer = threading.Timer(LINGERS, os._exit, (1 if failed else 0,))
        timer.daemon = True
        timer.start()
        for number in ENDS_IT:  # asked once more it would die of that, with nothing left to hurry
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


async def _work(settings: Settings, pools: Sequence[Pool], drain: float) -> None:
    telemetry = Telemetry()
    spans = open_spans(os.environ, "rushes-worker", telemetry.spans_lost)
    telemetry.watch_disk(settings.data)
    store = wiring.open_catalog(settings, open_doorbell(settings), tell=both(telemetry, spans))
    spans.start(Catalog(store).spans)
    listener = open_listener(settings, pools, telemetry)
    plant = wiring.plant(settings, store, listener, drain=drain, telemetry=telemetry, spans=spans)
    if settings.broker_url == LOCAL and not is_shared(settings.database):
        # There is one such bell to a directory and we have it: a worker that was here before is dead.
        orphaned = await asyncio.to_thread(plant.pipeline.take_over)
        if orphaned:
            log.warning("took back %d steps of a worker that died", orphaned)
    worker = Worker(plant, pools, settings.slots or plant.machine.slots(settings.tune))
    for number in ENDS_IT:
        asyncio.get_running_loop().add_signal_handler(number, worker.stop)
    log.info("worker %s serves %s", plant.name, ", ".join(pools), extra={"worker": plant.name})
    deliveries = asyncio.create_task(_deliver(Catalog(store), settings, pools, plant))
    try:
        with shown(telemetry, settings.metrics_host, settings.metrics_port):
            await worker.run()
    finally:
        deliveries.cancel()
        await asyncio.gather(deliveries, return_exceptions=True)
        listener.close()
        await asyncio.to_thread(spans.close)


async def _deliver(catalog: Catalog, settings: Settings, pools: Sequence[Pool], plant: Plant) -> None:
    """Send webhooks as they fall due, where an address is set.

    The workers of the pool `publish` do that: those that open strangers' files then need no way out into the world.
    """
    delivers = settings.webhook_url and Pool.PUBLISH in pools
    webhooks = Webhooks(catalog, SystemClock(), settings, spans=plant.spans) if delivers else None
    while webhooks is not None:
        try:
            sent = await webhooks.deliver_due()
        except DatabaseUnavailable as error:
            log.warning("webhooks wait for the catalog: %s", error)
            sent = {}
        except Exception:  # whatever it was, the next round may succeed: the deliveries stay due
            log.exception("webhooks could not be sent")
            sent = {}
        for outcome, count in sent.items():
            plant.telemetry.delivered(outcome, count)
        if not any(sent.values()):
            await asyncio.sleep(WEBHOOKS_EVERY)
