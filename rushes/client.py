"""The small HTTP client behind `rushes ls`, `show`, `retry`, `cancel`, `delete`, `why` and `fleet`."""

from __future__ import annotations

from typing import Any

import httpx

from rushes.errors import RushesError

TIMEOUT = 15.0


class Client:
    def __init__(self, server: str, token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=server, headers=headers, timeout=TIMEOUT)
        self._server = server

    def call(
        self, method: str, path: str, *, body: bytes | dict[str, Any] | None = None, **parameters: str | int
    ) -> Any:  # noqa: ANN401 - JSON
        """The JSON answer. `body`: bytes, or what is sent as JSON. Raises RushesError with the server's own code and
        sentence."""
        content, json = (body, None) if isinstance(body, bytes) else (None, body)
        try:
            response = self._http.request(method, path, params=parameters or None, content=content, json=json)
        except httpx.HTTPError as error:
            raise RushesError(
                "server_unreachable", f"{self._server} does not answer ({error}). Is `rushes up` running?"
            ) from error
        if response.is_success:
            return response.json() if response.content else None
        raise _problem(response)


def _problem(response: httpx.Response) -> RushesError:
    """An RFC 9457 answer as an error; anything else by its status."""
    try:
        body = response.json()
        return RushesError(body["code"], body.get("detail") or body.get("title"), status=response.status_code)
    except (ValueError, KeyError, TypeError):
        return RushesError(
            "unexpected_answer", f"The server answered {response.status_code}.", status=response.status_code
        )
