"""Something that listens on this machine and keeps what it is sent: an OpenTelemetry collector, a receiver of webhooks."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Got:
    path: str
    headers: Mapping[str, str]
    """Lower case names."""
    body: bytes


@dataclass
class Ear:
    url: str = ""
    status: int = 200
    """What it answers."""
    got: list[Got] = field(default_factory=list)

    def spans(self) -> list[Span]:
        """Of all that came to a collector's address, in OpenTelemetry's own form."""
        return [span for service in self.services() for span in service[1]]

    def services(self) -> list[tuple[str, list[Span]]]:
        """(service.name, its spans)."""
        found = []
        for one in list(self.got):
            if one.path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(one.body).resource_spans:
                    named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
                    found.append(
                        (named["service.name"], [span for scope in resource.scope_spans for span in scope.spans])
                    )
        return found


@contextmanager
def listening() -> Iterator[Ear]:
    ear = Ear()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            whole = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
            ear.got.append(Got(self.path, headers, whole))
            self.send_response(ear.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ear.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield ear
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def attributes(span: Span) -> dict[str, str | int | float]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in span.attributes}
