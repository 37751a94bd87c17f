"""The scaled objects of `docker/kubernetes` against KEDA's published types."""

from __future__ import annotations

import copy
import json
import subprocess
from typing import Any

import pytest

from tests.conftest import unavailable
from tests.services.manifests import Manifest, manifests
from tests.services.node import NODE, NodeMissing, installed

OBJECTS = [one for one in manifests() if one["apiVersion"] == "keda.sh/v1alpha1"]
pytestmark = pytest.mark.node


def wrong(objects: list[Manifest]) -> list[list[str]]:
    """What is wrong with each."""
    try:
        node = installed()
    except NodeMissing as missing:
        unavailable(str(missing))
    done = subprocess.run(
        [node, "keda.mjs"], cwd=NODE, input=json.dumps(objects), check=True, capture_output=True, text=True
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


def test_keda_takes_what_scales_the_fleet() -> None:
    assert {one["kind"] for one in OBJECTS} == {"ScaledObject", "TriggerAuthentication"}
    assert wrong(OBJECTS) == [[]] * len(OBJECTS)


def test_what_keda_would_not_take_is_seen() -> None:
    scaled = next(one for one in OBJECTS if one["kind"] == "ScaledObject")
    authentication = next(one for one in OBJECTS if one["kind"] == "TriggerAuthentication")

    def changed(original: Manifest, path: tuple[Any, ...], value: object) -> Manifest:
        copied = place = copy.deepcopy(original)
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        return copied

    broken = [
        changed(scaled, ("spec", "minReplicas"), 0),
        changed(scaled, ("spec", "minReplicaCount"), "0"),
        changed(scaled, ("spec", "triggers", 0, "metadata", "targetValue"), 480),
        changed(scaled, ("spec", "triggers", 0, "authRef"), {"name": "rushes-backlog"}),
        changed(scaled, ("spec", "advanced", "horizontalPodAutoscaler"), {}),
        changed(scaled, ("spec", "scaleTargetRef"), {}),
        changed(authentication, ("spec", "secretTargetRef", 0, "secretKey"), "key"),
    ]
    assert [bool(found) for found in wrong(broken)] == [True] * len(broken)
