"""A GET of a file at a stranger's server: the name is resolved once and judged, and the connection goes to the address
that was judged. TLS and the Host header have the name. Redirects begin anew. No proxy, no cookie, no credentials.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address

import httpx

from rushes.addresses import Address, AddressRefused, HttpUrl, Rules, judge, redirected
from rushes.errors import Blame, StepFailure
from rushes.ingest.pull_rules import REDIRECTS
from rushes.ingest.watchdog import Watchdog

MOST_REDIRECTS = 5
TIMEOUT = httpx.Timeout(10.0, read=30.0)
"""Seconds to connect, and of silence."""
PATIENCE = 60.0
"""Seconds until the answer's headers are there, and between two pieces of its body."""
MOST_ADDRESSES = 4
"""Of a name, that are tried one after the other: a name may have thousands that do not answer."""
AGENT = "rushes-pull/1"

Resolve = Callable[[str, int], Sequence[Address]]
"""All addresses of a name. Raises StepFailure."""


def resolve(host: str, port: int) -> Sequence[Address]:
    """By the system's resolver, which takes literal addresses too."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        passing = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        code, blame = ("pull_failed", Blame.TRANSIENT) if passing else ("pull_not_found", Blame.PERMANENT)
        raise StepFailure(code, blame, detail=f"{host} cannot be resolved: {error}") from error
    return [ip_address(entry[4][0]) for entry in found]


class Answer:
    """The head of an answer, and its body, which is not read yet."""

    def __init__(self, response: httpx.Response, dog: Watchdog) -> None:
        self.status, self.headers = response.status_code, response.headers
        self._response, self._dog = response, dog

    def pieces(self) -> Iterator[bytes]:
        """The body as it came. Raises httpx.HTTPError where it breaks off."""
        for piece in self._response.iter_raw():
            self._dog.rest()  # what is done with a piece takes our time
            yield piece
            self._dog.pat()


class Fetcher:
    def __init__(
        self, rules: Rules, ca_file: str = "", resolve: Resolve = resolve, *, patience: float = PATIENCE
    ) -> None:
        """`ca_file`: PEM of the authorities to believe; empty: the public ones."""
        self._rules = rules
        self._resolve = resolve
        self._patience = patience
        self._trust = (
            ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context(trust_env=False)
        )

    @contextmanager
    def get(self, url: HttpUrl, headers: Mapping[str, str]) -> Iterator[Answer]:
        """The answer behind all redirects. Raises StepFailure."""
        for _ in range(MOST_REDIRECTS + 1):
            with self._one(url, headers) as answer:
                if answer.status not in REDIRECTS or "location" not in answer.headers:
                    yield answer
                    return
                url = self._next(url, answer.headers["location"])
        raise StepFailure("pull_redirects", Blame.PERMANENT, detail=f"more than {MOST_REDIRECTS} redirects")

    @contextmanager
    def _one(self, url: HttpUrl, headers: Mapping[str, str]) -> Iterator[Answer]:
        own = {"Host": url.authority, "User-Agent": AGENT, **headers}
        with (
            Watchdog(self._patience) as dog,
            httpx.Client(verify=self._trust, trust_env=False, follow_redirects=False, timeout=TIMEOUT) as client,
        ):
            response = self._send(client, url, own, dog)
            try:
                yield Answer(response, dog)
            finally:
                response.close()

    def _send(self, client: httpx.Client, url: HttpUrl, headers: Mapping[str, str], dog: Watchdog) -> httpx.Response:
        """By the first address that takes a connection."""
        trouble: httpx.HTTPError | None = None
        for address in self._judged(url)[:MOST_ADDRESSES]:
            request = client.build_request("GET", url.at(address), headers=headers)
            request.extensions.update({"sni_hostname": url.host, "trace": dog.trace})
            dog.pat()
            try:
                return client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                trouble = error
            except httpx.HTTPError as error:
                raise broken(error) from error
        if trouble is None:
            raise AssertionError("judge gives one address at least")
        raise broken(trouble) from trouble

    def _judged(self, url: HttpUrl) -> Sequence[Address]:
        try:
            return judge(url.host, self._resolve(url.host, url.port), self._rules)
        except AddressRefused as error:
            raise refused(error) from error

    def _next(self, url: HttpUrl, location: str) -> HttpUrl:
        try:
            return redirected(url, location, self._rules)
        except AddressRefused as error:
            raise refused(error) from error


def refused(error: AddressRefused) -> StepFailure:
    return StepFailure("pull_refused_address", Blame.PERMANENT, detail=str(error))


def broken(error: httpx.HTTPError) -> StepFailure:
    """A connection that failed or broke. Its text may name the address, never the path or the query."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return StepFailure("pull_insecure", Blame.PERMANENT, detail=cause.verify_message)
        cause = cause.__cause__ or cause.__context__
    return StepFailure("pull_failed", Blame.TRANSIENT, detail=f"{type(error).__name__}: {error}"[:300])
