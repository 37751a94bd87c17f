"""The files of `docker/kubernetes` as the objects they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KUBERNETES = Path(__file__).resolve().parents[2] / "docker" / "kubernetes"
Manifest = dict[str, Any]


def kustomizations() -> list[Path]:
    return sorted(KUBERNETES.rglob("kustomization.yaml"))


def manifests(folder: str = "") -> list[Manifest]:
    """Of a folder and those below it, lists taken apart."""
    paths = sorted((KUBERNETES / folder).rglob("*.yaml"))
    return [one for path in paths if path.name != "kustomization.yaml" for one in parsed(path.read_text("utf-8"))]


def parsed(text: str) -> Iterator[Manifest]:
    for found in yaml.safe_load_all(text):
        yield from found["items"] if found["kind"] == "List" else [found]


def of_kind(kind: str, folder: str = "") -> list[Manifest]:
    return [one for one in manifests(folder) if one["kind"] == kind]


def pods() -> dict[str, Manifest]:
    """Name of the deployment -> its pod template, of the base."""
    return {one["metadata"]["name"]: one["spec"]["template"] for one in of_kind("Deployment", "base")}


def workers() -> dict[str, Manifest]:
    return {name: pod for name, pod in pods().items() if name.startswith("rushes-worker-")}


def pools(pod: Manifest) -> list[str]:
    """Those that a worker's command names."""
    arguments: list[str] = pod["spec"]["containers"][0]["args"]
    return arguments[arguments.index("--pools") + 1].split(",")


def variables(path: Path) -> dict[str, str]:
    """Of a file of `NAME=value` lines."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)
