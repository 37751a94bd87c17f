"""The port of a receiver that is away belongs to it all the same."""

from __future__ import annotations

import socket

import httpx
import pytest

from rushes.chaos.member import free_port
from rushes.chaos.receiver import Receiver


def test_it_listens_only_while_it_is_wanted_and_nobody_else_ever_does() -> None:
    receiver = Receiver()
    url = f"http://127.0.0.1:{receiver.port}/"
    for number in range(2):
        with pytest.raises(httpx.ConnectError):
            httpx.post(url)
        with pytest.raises(OSError, match="in use"), socket.socket() as stranger:
            stranger.bind(("127.0.0.1", receiver.port))
        with receiver.listening() as heard:
            assert httpx.post(url, content=b"{}", headers={"webhook-id": f"m{number}"}).status_code == 204
            assert heard == [f"m{number}"]
    receiver.close()


def test_a_free_port_lies_below_those_that_systems_give_away() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) > 1
    assert 1024 < min(ports) <= max(ports) < 32768
