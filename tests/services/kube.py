"""Pods of `docker/kubernetes` run by podman, which understands a part of what Kubernetes does (`podman play kube`)."""

from __future__ import annotations

import copy
import json
from typing import Any

from tests.services.manifests import Manifest

GIVEN = "rushes-given"


def playable(deployment: Manifest, image: str, environment: dict[str, str]) -> str:
    """One pod of the deployment, with its settings, as a file for podman 4.3.

    That reads no secrets, so that all settings are plain ones; it starts an init container again for ever, and knows no
    probes that ask by HTTP: both are left out.
    """
    changed = copy.deepcopy(deployment)
    changed["spec"]["replicas"] = 1
    pod: dict[str, Any] = changed["spec"]["template"]["spec"]
    pod.pop("initContainers", None)
    for container in pod["containers"]:
        container |= {"image": image, "imagePullPolicy": "Never", "envFrom": [{"configMapRef": {"name": GIVEN}}]}
        for name in [key for key in container if key.endswith("Probe") or key == "lifecycle"]:
            del container[name]
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": GIVEN}, "data": environment}
    return "\n---\n".join(json.dumps(one) for one in (settings, changed))
