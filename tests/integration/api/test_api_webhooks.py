"""The catalog's outbox, our sender and a receiver on a real socket."""

import base64
import json
from collections.abc import Callable

import pytest
from fastapi import FastAPI, Request, Response
from standardwebhooks.webhooks import Webhook

from rushes.clock import SystemClock
from rushes.settings import Settings
from rushes.states import Publication
from rushes.workers.webhooks import Webhooks, post

SECRET = "whsec_" + base64.b64encode(b"integration" * 3).decode()


class Receiver:
    def __init__(self) -> None:
        self.app = FastAPI()
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer = Response(status_code=204)
        self.app.post("/hook")(self.hook)
        self.app.api_route("/elsewhere", methods=["GET", "POST"])(self.elsewhere)

    async def hook(self, request: Request) -> Response:
        self.got.append((dict(request.headers), await request.body()))
        return self.answer

    async def elsewhere(self) -> Response:
        raise AssertionError("a redirect was followed")


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def test_events_of_the_catalog_arrive_signed_and_once(
    house, receiver: Receiver, serve: Callable[[FastAPI], str]
) -> None:
    # Given an asset that became ready and was published
    asset = house.built(Publication.PUBLISHED)
    house.change(asset, "asset.published")
    settings = Settings(webhook_url=f"{serve(receiver.app)}/hook", webhook_secret=SECRET)
    hooks = Webhooks(house.catalog, house.clock, settings)
    house.clock.advance(SystemClock().now() - house.clock.now())  # the verifier refuses old signatures
    # When what is due is delivered, twice
    assert hooks.run_once()["delivered"] == 2
    assert hooks.run_once()["delivered"] == 0
    # Then each event came once, and somebody else's code accepts its signature
    bodies = [Webhook(SECRET).verify(body, headers) for headers, body in receiver.got]
    assert [body["type"] for body in bodies] == ["asset.ready", "asset.published"]
    assert bodies[1]["data"]["asset"] == asset.id
    assert bodies[1]["data"]["publication"] == "published"
    known = {event.id for event in house.catalog.events(asset=asset.id)}
    assert {headers["webhook-id"] for headers, _ in receiver.got} <= known


def test_a_receiver_that_is_down_gets_it_later(house, receiver: Receiver, serve: Callable[[FastAPI], str]) -> None:
    house.built(Publication.PUBLISHED)
    settings = Settings(webhook_url=f"{serve(receiver.app)}/hook", webhook_secret=SECRET)
    hooks = Webhooks(house.catalog, house.clock, settings)
    receiver.answer = Response(status_code=503)
    assert hooks.run_once()["failed"] == 1
    assert hooks.run_once()["failed"] == 0
    house.clock.advance(10)
    receiver.answer = Response(status_code=200)
    assert hooks.run_once()["delivered"] == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


async def test_redirects_are_not_followed(receiver: Receiver, serve: Callable[[FastAPI], str]) -> None:
    receiver.answer = Response(status_code=307, headers={"Location": "/elsewhere"})
    outcome = await post(f"{serve(receiver.app)}/hook", b"{}", {})
    assert (outcome.delivered, outcome.final, outcome.detail) == (False, False, "answered 307")


async def test_the_host_header_is_the_settings_own_although_an_address_is_called(
    receiver: Receiver, serve: Callable[[FastAPI], str]
) -> None:
    base = serve(receiver.app).replace("127.0.0.1", "localhost")
    outcome = await post(f"{base}/hook?tenant=x", json.dumps({}).encode(), {"webhook-id": "1"})
    if outcome.detail.startswith("ConnectError"):
        pytest.skip("localhost is not IPv4 here")
    assert outcome.delivered
    assert receiver.got[0][0]["host"] == base.removeprefix("http://")


async def test_nobody_there_is_a_failure_not_an_error() -> None:
    outcome = await post("http://127.0.0.1:9/", b"{}", {})
    assert (outcome.delivered, outcome.final) == (False, False)
    assert outcome.detail.startswith("ConnectError")
