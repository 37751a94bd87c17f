"""`docker/kubernetes` against the published schemas of Kubernetes, and against what the product knows of itself."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate import ValidationError, validate

from rushes.api.fleet import PoolBacklog
from rushes.settings import Settings
from rushes.states import Pool
from tests.services.manifests import (
    KUBERNETES,
    Manifest,
    kustomizations,
    manifests,
    of_kind,
    parsed,
    pods,
    pools,
    variables,
    workers,
)

OLDEST, NEWEST = "1.26", "1.37"
OTHERS = ("keda.sh/v1alpha1",)
"""Not Kubernetes' own: see tests/integration/test_keda.py."""
OWN = [one for one in manifests() if one["apiVersion"] not in OTHERS]
DRAIN = float(variables(KUBERNETES / "base" / "settings.env")["RUSHES_DRAIN_SECONDS"])


def named(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def containers(pod: Manifest) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("manifest", OWN, ids=named)
def test_each_manifest_is_what_kubernetes_takes(manifest: Manifest, version: str) -> None:
    """Strictly: a field that it does not know is refused too."""
    validate(manifest, version, strict=True)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "template", "spec", "containers", 0, "securityContext", "readOnlyRootFileSystem"), True),
        (("spec", "template", "spec", "terminationGracePeriod"), 45),
        (("spec", "template", "spec", "containers", 0, "livenessProbe", "httpGet", "port"), None),
        (("spec", "selector"), None),
    ],
)
def test_what_kubernetes_would_not_take_is_seen(path: tuple[Any, ...], value: object) -> None:
    broken = copy.deepcopy(of_kind("Deployment", "base")[-1])
    place = broken
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(ValidationError):
        validate(broken, NEWEST, strict=True)


@pytest.mark.parametrize("name", pods())
def test_pods_have_no_more_than_they_need(name: str) -> None:
    pod = pods()[name]["spec"]
    person = pod["securityContext"]
    assert person["runAsNonRoot"] is True
    assert person["runAsUser"] == person["runAsGroup"] == person["fsGroup"] == 65532  # as docker/Dockerfile has it
    assert person["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for container in containers(pods()[name]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert container["resources"]["requests"].keys() >= {"cpu", "memory", "ephemeral-storage"}
        assert container["resources"]["limits"].keys() >= {"memory", "ephemeral-storage"}


@pytest.mark.parametrize("name", pods())
def test_what_is_written_has_a_volume(name: str) -> None:
    volumes = {volume["name"]: volume["emptyDir"]["sizeLimit"] for volume in pods()[name]["spec"]["volumes"]}
    for container in containers(pods()[name]):
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert mounts.keys() == {"/var/lib/rushes", "/tmp"}
        assert set(mounts.values()) <= volumes.keys()


@pytest.mark.parametrize("name", pods())
def test_probes_ask_ports_that_are_open(name: str) -> None:
    for container in pods()[name]["spec"]["containers"]:
        ports = {port["name"] for port in container["ports"]}
        asked = [
            probe["httpGet"]["port"] for key, probe in container.items() if key.endswith("Probe") and "httpGet" in probe
        ]
        assert asked
        assert set(asked) <= ports


@pytest.mark.parametrize("name", workers())
def test_a_worker_has_the_time_to_drain(name: str) -> None:
    pod = workers()[name]["spec"]
    assert DRAIN + 10 <= pod["terminationGracePeriodSeconds"] <= 60
    assert "preStop" not in str(pod)  # the drain begins with the SIGTERM


@pytest.mark.parametrize("name", workers())
def test_a_worker_is_not_restarted_because_the_database_is_away(name: str) -> None:
    container = workers()[name]["spec"]["containers"][0]
    assert "worker_alive" not in str(container["livenessProbe"])
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert environment["RUSHES_METRICS_PORT"] == str(container["ports"][0]["containerPort"])


@pytest.mark.parametrize("name", workers())
def test_a_worker_sees_its_own_cores_and_has_memory_for_a_step(name: str) -> None:
    container = workers()[name]["spec"]["containers"][0]
    resources = container["resources"]
    assert resources["requests"] == resources["limits"]
    step = next(int(one["value"]) for one in container["env"] if one["name"] == "RUSHES_STEP_MEMORY")
    assert step < int(re.fullmatch(r"(\d+)Gi", resources["limits"]["memory"])[1]) * 2**30  # type: ignore[index]


def test_every_pool_is_served_once() -> None:
    assert sorted(pool for pod in workers().values() for pool in pools(pod)) == sorted(Pool)


def test_every_setting_that_is_named_is_one() -> None:
    known = {f"RUSHES_{name.upper()}" for name in Settings.model_fields}
    files = [*KUBERNETES.rglob("*.env"), *KUBERNETES.rglob("*.env.example")]
    named_here = {name for path in files for name in variables(path)}
    named_here |= {one["name"] for pod in pods().values() for each in containers(pod) for one in each.get("env", ())}
    assert {name for name in named_here if name.startswith("RUSHES_")} <= known
    assert "RUSHES_DATABASE_URL" in named_here


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    inside = {"In": True, "NotIn": False}
    return all(
        (labels.get(one["key"]) in one["values"]) is inside[one["operator"]]
        for one in selector.get("matchExpressions", ())
    )


@pytest.mark.parametrize("name", pods())
def test_each_pod_has_one_disruption_budget(name: str) -> None:
    """Of a pod with two, the eviction is refused for ever."""
    labels = pods()[name]["metadata"]["labels"]
    budgets = [one for one in of_kind("PodDisruptionBudget", "base") if selects(one["spec"]["selector"], labels)]
    assert len(budgets) == 1
    assert budgets[0]["spec"]["maxUnavailable"] in (1, "25%")


def test_only_what_must_reaches_the_internet() -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind("NetworkPolicy", "base")}
    assert policies["rushes-default"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    outside = policies["rushes-internet"]["podSelector"]
    out = [name for name, pod in pods().items() if selects(outside, pod["metadata"]["labels"])]
    assert out == ["rushes-worker-light"]
    assert set(pools(pods()[out[0]])) >= {"pull", "publish"}  # pulls, and webhooks
    (v4, _) = (peer["ipBlock"] for peer in policies["rushes-internet"]["egress"][0]["to"])
    assert "169.254.0.0/16" in v4["except"]  # where clouds hand out keys


@pytest.mark.parametrize("component", ["keda", "keda-prometheus"])
def test_each_worker_is_scaled_by_its_own_pools(component: str) -> None:
    objects = {one["metadata"]["name"]: one["spec"] for one in of_kind("ScaledObject", f"components/{component}")}
    assert objects.keys() == workers().keys()
    for name, spec in objects.items():
        assert spec["scaleTargetRef"] == {"name": name}
        found = [re.search(r'pools\.(\w+)\.|pool="(\w+)"', str(one["metadata"])) for one in spec["triggers"]]
        assert sorted(filter(None, (group for one in found if one for group in one.groups()))) == sorted(
            pools(workers()[name])
        )
        assert spec["minReplicaCount"] == (1 if name.endswith("light") else 0)
        assert "replicas" not in next(one for one in of_kind("Deployment", "base") if named(one).endswith(name))["spec"]


def test_the_scaler_reads_what_the_web_side_tells() -> None:
    (service,) = of_kind("Service", "base")
    address = f"http://{service['metadata']['name']}.rushes.svc:{service['spec']['ports'][0]['port']}/v1/fleet/backlog"
    for scaled in of_kind("ScaledObject", "components/keda"):
        for trigger in scaled["spec"]["triggers"]:
            _, pool, field = trigger["metadata"]["valueLocation"].split(".")
            assert trigger["metadata"]["url"] == address
            assert pool in set(Pool)
            assert field in PoolBacklog.model_fields
            assert trigger["authenticationRef"] == {"name": "rushes-backlog"}


def test_prometheus_is_asked_for_the_same_number() -> None:
    """That the web side tells it: tests/integration/api/test_api_acts.py."""
    for scaled in of_kind("ScaledObject", "components/keda-prometheus"):
        for trigger in scaled["spec"]["triggers"]:
            asked = re.fullmatch(r'max\(rushes_scale_cpu_seconds\{pool="(\w+)"\}\)', trigger["metadata"]["query"])
            assert asked
            assert asked[1] in set(Pool)
            assert trigger["metadata"]["ignoreNullValues"] == "false"


@pytest.mark.parametrize("path", kustomizations(), ids=lambda path: path.parent.name)
def test_kustomizations_name_all_that_is_there(path: Path) -> None:
    found = yaml.safe_load(path.read_text("utf-8"))
    named_here = [*found.get("resources", ()), *found.get("components", ())]
    assert [name for name in named_here if not (path.parent / name).exists()] == []
    beside = {one.name for one in path.parent.glob("*.yaml")} - {path.name}
    assert beside <= set(named_here)
    made = [env for one in found.get("configMapGenerator", ()) for env in one["envs"]]
    secret = [f"{env}.example" for one in found.get("secretGenerator", ()) for env in one["envs"]]
    assert [name for name in (*made, *secret) if not (path.parent / name).is_file()] == []


def test_all_secrets_that_are_named_are_made() -> None:
    example = yaml.safe_load((KUBERNETES / "overlays/example/kustomization.yaml").read_text("utf-8"))
    made = {one["name"] for one in example["secretGenerator"]}
    sources = [source for pod in pods().values() for each in containers(pod) for source in each["envFrom"]]
    asked = {source["secretRef"]["name"] for source in sources if "secretRef" in source}
    (authentication,) = of_kind("TriggerAuthentication")
    asked |= {one["name"] for one in authentication["spec"]["secretTargetRef"]}
    assert asked == made
    theirs = [source for pod in workers().values() for source in pod["spec"]["containers"][0]["envFrom"]]
    # what opens strangers' files knows no API key
    assert {source["secretRef"]["name"] for source in theirs if "secretRef" in source} == {"rushes-fleet"}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not there")
@pytest.mark.parametrize("component", ["", "keda", "keda-prometheus", "scratch-volume", "gpu", "example"])
def test_kustomize_builds_what_kubernetes_takes(component: str, tmp_path: Path) -> None:
    root = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, root)
    for path in root.rglob("*.env.example"):
        path.with_suffix("").write_text(path.read_text())
    if component == "example":
        target = root / "overlays" / "example"
    else:
        target = root / "overlays" / "tried"
        target.mkdir()
        used = {"resources": ["../../base"], "components": [f"../../components/{component}"] if component else []}
        (target / "kustomization.yaml").write_text(yaml.safe_dump(used))
    done = subprocess.run(["kubectl", "kustomize", target], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    built = list(parsed(done.stdout))
    assert len([one for one in built if one["kind"] == "Deployment"]) == 1 + len(workers())
    for one in built:
        if one["apiVersion"] not in OTHERS:
            validate(one, NEWEST, strict=True)
