"""A receiver of webhooks that may be away: it listens only while it is wanted, and remembers what it was sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "whsec_cmVoZWFyc2Fscy1oYXZlLW5vLXNlY3JldHM="  # noqa: S105 - of a receiver that lives for a minute, on this machine


class Receiver:
    """Its port is nobody else's from the beginning to `close`; who connects is refused but for the time of `listening`."""

    def __init__(self) -> None:
        self._place = _bound(0)
        self.port: int = self._place.getsockname()[1]

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Gives the ids of the messages that came, each time one came."""
        heard: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", "0")))
                heard.append(self.headers.get("webhook-id", ""))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = self._place
        server.server_activate()
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
            self._place = _bound(self.port)

    def close(self) -> None:
        self._place.close()


def _bound(port: int) -> socket.socket:
    """A place on the loopback where nobody listens."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of before may still linger there
    place.bind(("127.0.0.1", port))
    return place
