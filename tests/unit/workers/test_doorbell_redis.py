"""What a consumer of rings makes of errors, which come in any form when its connection is cut under its hands."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from rushes.states import Pool
from rushes.workers.doorbell_redis import _Consumer


class Broken:
    """dramatiq's consumer on a connection that is gone."""

    def ack(self, message: Any) -> None:
        raise AttributeError("'NoneType' object has no attribute 'readline'")

    def requeue(self, messages: Any) -> None:
        raise AttributeError("'NoneType' object has no attribute 'readline'")


@pytest.fixture
def closing() -> threading.Event:
    return threading.Event()


@pytest.fixture
def consumer(closing: threading.Event) -> _Consumer:
    gates = {Pool.IO: threading.Event()}
    gates[Pool.IO].set()
    broker: Any = SimpleNamespace(client=None, key=str, gates=gates, health=None, closing=closing)
    inner: Any = Broken()
    return _Consumer(inner, broker, Pool.IO)


def test_what_breaks_while_it_closes_is_nobodys_concern(consumer: _Consumer, closing: threading.Event) -> None:
    closing.set()
    message: Any = object()
    consumer.ack(message)
    consumer.requeue([message])
    assert next(consumer, None) is None


def test_what_breaks_at_any_other_time_is_heard_of(consumer: _Consumer) -> None:
    message: Any = object()
    with pytest.raises(AttributeError):
        consumer.ack(message)
    with pytest.raises(AttributeError):
        consumer.requeue([message])
