"""Shows a worker's numbers to Prometheus over HTTP."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from rushes.errors import RushesError
from rushes.workers.telemetry import Telemetry

log = logging.getLogger("rushes.worker")


@contextmanager
def shown(telemetry: Telemetry, host: str, port: int) -> Iterator[int]:
    """`/metrics` at that address until the end of the block; gives the port. 0: nowhere.

    Raises RushesError where nothing can listen there.
    """
    if port == 0:
        yield 0
        return
    try:
        server, thread = start_http_server(port, host, registry=telemetry.registry)
    except OSError as error:
        raise RushesError(
            "port_unavailable",
            f"The metrics cannot be shown at {host}:{port}: {error.strerror}. Choose another RUSHES_METRICS_PORT.",
        ) from error
    log.info("metrics at http://%s:%d/metrics", host, server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
