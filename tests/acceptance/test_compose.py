"""`docker/compose.yaml` brought up for real: our images built from the Dockerfile, stand-ins for what others publish.

Needs root and, from apt: debootstrap buildah podman runc netavark aardvark-dns catatonit iptables. Everything it makes lies in
one folder and is removed at the end. See `tests/services/containers.py`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml

from rushes.chaos.member import free_port
from rushes.clock import pause
from rushes.ffmpeg.binary import find_binary
from rushes.ffmpeg.confinement import Mode
from rushes.ffmpeg.sandbox import works
from tests.conftest import MEDIA, unavailable
from tests.services.containers import ROOT, STAND_INS, Compose, Engine, missing, older_nginx
from tests.services.kube import playable
from tests.services.manifests import KUBERNETES, of_kind, variables

pytestmark = pytest.mark.timeout(600)

DOCKER = ROOT / "docker"
STORES = ("postgres", "redis", "s3", "prometheus", "migrate", "bucket")
OURS = ("api", "worker-light", "worker-video", "worker-extra")
PATIENCE = 150.0
"""Seconds; the machine may be busy with other tests."""
METRICS = """
import os, urllib.request
key = os.environ["RUSHES_API_KEYS"].rpartition(":")[2]
asked = urllib.request.Request("http://127.0.0.1:8000/metrics", headers={"Authorization": "Bearer " + key})
print(urllib.request.urlopen(asked).read().decode())
"""
WORKER_METRICS = """
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:9464/metrics").read().decode())
"""
POD_LOOK = """
import json, os, urllib.request as u
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "user": os.getuid(), "capabilities": int(status["CapBnd"], 16), "confined": int(status["NoNewPrivs"]),
    "read only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
    "writable": [path for path in ("/", "/opt/rushes", "/tmp", "/var/lib/rushes") if os.access(path, os.W_OK)],
    "answers": [u.urlopen(f"http://127.0.0.1:{%(port)d}{path}").status for path in %(paths)s],
}))
"""
NO_NAMESPACES = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {
            "names": ["unshare", "mount", "umount2", "pivot_root", "setns"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 1,
        },
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 1,
            "args": [{"index": 0, "value": 0x10000000, "valueTwo": 0x10000000, "op": "SCMP_CMP_MASKED_EQ"}],
        },
    ],
}
"""What matters here of Docker's own filter: no user namespaces, no mounts."""


@dataclass
class Fleet:
    engine: Engine
    compose: Compose
    url: str
    prometheus: str
    key: str
    seconds: dict[str, float] = field(default_factory=dict)
    """What took how long."""

    def push(self, clip: Path, wait: str) -> str:
        """Gives the asset's id."""
        command = ["push", str(clip), "--server", self.url, "--token", self.key, "--wait", wait, "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "rushes.cli", *command], capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.compose.logs()}"
        return str(self.api("/v1/assets?limit=1")["items"][0]["id"])

    def api(self, path: str) -> dict:
        answer = httpx.get(self.url + path, headers={"Authorization": f"Bearer {self.key}"}, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=30)

    def inspect(self, service: str, form: str) -> str:
        return self.engine.podman("inspect", "--format", form, self.compose.container(service)).strip()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """With all images of the compose file."""
    if lacking := missing():
        unavailable(f"what runs containers ({', '.join(lacking)})")
    made = Engine(Path(tempfile.mkdtemp(prefix="rc-")) / "e")
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(made.folder.parent, ignore_errors=True)


@pytest.fixture(scope="module")
def services() -> dict[str, dict]:
    return dict(yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"])


@pytest.fixture(scope="module")
def fleet(engine: Engine, services: dict[str, dict]) -> Iterator[Fleet]:
    seconds = {}
    started = time.monotonic()
    engine.make_base()
    seconds["base image"] = time.monotonic() - started
    started = time.monotonic()
    with ThreadPoolExecutor(2) as both:
        images = both.submit(_build_ours, engine)
        stand_ins = {name: services[name]["image"] for name in STAND_INS.values()}
        both.submit(engine.build_stand_ins, stand_ins).result()
        images.result()
    seconds["images"] = time.monotonic() - started
    made = _configured(engine)
    made.seconds |= seconds
    started = time.monotonic()
    try:
        _bring_up(made)
        made.seconds["up"] = time.monotonic() - started
        yield made
        sizes = {name: made.engine.image_bytes(f"localhost/rushes-{name}:local") // 10**6 for name in ("api", "worker")}
        seconds = {name: round(value, 1) for name, value in made.seconds.items()}
        sys.stderr.write(f"\nseconds: {json.dumps(seconds)}\nmegabytes: {json.dumps(sizes)}\n")
    except Exception as error:
        raise RuntimeError(f"{error}\n{made.compose.logs()}") from error
    finally:
        made.compose("down", "--volumes", "--timeout", "1", check=False)


def _build_ours(engine: Engine) -> None:
    for target in ("api", "worker"):
        engine.build(ROOT, DOCKER / "Dockerfile", target, f"localhost/rushes-{target}:local")


def _configured(engine: Engine) -> Fleet:
    """The settings as an operator's `make_env.py` writes them, with ports and places of our own."""
    folder = engine.folder / "settings"
    shutil.copytree(DOCKER, folder)
    subprocess.run([sys.executable, folder / "make_env.py"], check=True, capture_output=True)
    port, prometheus = free_port(), free_port()
    changed = {
        "RUSHES_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "RUSHES_LISTEN": f"127.0.0.1:{port}",
        "PROMETHEUS_LISTEN": f"127.0.0.1:{prometheus}",
        "RUSHES_VIDEO_SLOTS": "1",
        "S3_ACCESS_KEY": "studio:editor",  # Swift's form of a key
        "RUSHES_METRICS_KEY_FILE": str(folder / "secrets" / "metrics-key"),
        "RUSHES_PURGE_KEY_FILE": str(folder / "secrets" / "purge-key.map"),
        "RUSHES_UPSTREAM_CONF": str(folder / "upstream.conf"),
    }
    (folder / "upstream.conf").write_text(older_nginx((DOCKER / "nginx" / "upstream.conf").read_text()))
    lines = (folder / ".env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if line and not line.startswith("#")) | changed
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return Fleet(
        engine=engine,
        compose=Compose(engine, DOCKER / "compose.yaml", folder / ".env"),
        url=values["RUSHES_PUBLIC_URL"],
        prometheus=f"http://127.0.0.1:{prometheus}",
        key=values["RUSHES_API_KEYS"].partition(":")[2],
    )


def _bring_up(fleet: Fleet) -> None:
    """In the order of `depends_on`, by hand: podman before 4.6 does not know the conditions."""
    up = ("up", "--detach", "--no-build", "--no-deps")
    fleet.compose(*up, *STORES)
    for job in ("migrate", "bucket"):
        _until(
            lambda job=job: fleet.inspect(job, "{{.State.Status}} {{.State.ExitCode}}") == "exited 0", f"{job} is done"
        )
    fleet.compose(*up, "--no-recreate", *OURS, "edge")
    _until(lambda: "not ready" not in _ready(fleet), "the web side is ready")
    _until(lambda: _status(fleet.url + "/healthz") == 200, "the edge answers")


def _ready(fleet: Fleet) -> str:
    look = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8000/readyz').read().decode())"
    found = [
        fleet.engine.podman("exec", fleet.compose.container("api", n), "python", "-c", look, check=False)
        for n in (1, 2)
    ]
    return "ready" if all('"ready"' in text for text in found) else "not ready"


def _status(url: str) -> int:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.HTTPError:
        return 0


def _until(true, what: str, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain until {what}"
        pause(0.2)


@pytest.fixture(scope="module")
def asset(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A clip that went through the edge and became ready."""
    clip = MEDIA / "real" / "flower-540p-h264.mp4"
    if not clip.is_file():
        clip = _clip(tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=5, size="640x360")
    started = time.monotonic()
    made = fleet.push(clip, "playable")
    fleet.seconds["push to playable"] = time.monotonic() - started
    fleet.seconds["up to playable"] = fleet.seconds["up"] + fleet.seconds["push to playable"]
    _until(lambda: fleet.api(f"/v1/assets/{made}")["state"] == "ready", "the asset is ready")
    fleet.seconds["push to ready"] = time.monotonic() - started
    return made


def _clip(path: Path, *, seconds: int, size: str) -> Path:
    picture, tone = f"testsrc2=size={size}:rate=30:duration={seconds}", f"sine=frequency=440:duration={seconds}"
    command = [find_binary(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]
    subprocess.run([*command, "-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac", path], check=True)
    return path


def _first(playlist: str) -> str:
    return next(line for line in playlist.splitlines() if line and not line.startswith("#"))


def _joined(path: str, reference: str) -> str:
    return os.path.normpath(f"{os.path.dirname(path)}/{reference}")


def test_compose_file_is_understood(fleet: Fleet) -> None:
    shown = fleet.compose("config")
    assert set(OURS) <= set(yaml.safe_load(shown)["services"])
    assert "run make_env.py" not in shown


def test_a_clip_goes_through_the_edge_and_plays_from_its_cache(fleet: Fleet, asset: str) -> None:
    # Given the pointer and what it leads to
    master = f"/media/{asset}/master.m3u8"
    pointer = fleet.get(master)
    assert pointer.status_code == 200
    assert pointer.headers["cache-control"] == "public, max-age=2"
    playlist = _joined(master, _first(pointer.text))
    segment = _joined(playlist, _first(fleet.get(playlist).text))
    # When a segment is asked for twice, then the second comes from the cache and is the same
    first, second = fleet.get(segment), fleet.get(segment)
    assert [first.headers["x-cache"], second.headers["x-cache"]] == ["MISS", "HIT"]
    assert first.content == second.content
    assert first.content[4:8] in (b"styp", b"moof")
    assert "immutable" in second.headers["cache-control"]
    assert second.headers.get_list("access-control-allow-origin") == ["*"]
    # And a range is cut from the cached whole
    part = fleet.get(segment, Range="bytes=10-19")
    assert (part.status_code, part.headers["x-cache"]) == (206, "HIT")
    assert part.content == first.content[10:20]
    # And plain and gzipped playlists are two, whatever the spelling
    plain, packed = fleet.get(playlist, **{"Accept-Encoding": "identity"}), fleet.get(playlist)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.text == packed.text
    assert fleet.get(playlist, **{"Accept-Encoding": "br, GZIP;q=0.5"}).headers["x-cache"] == "HIT"


def test_a_takedown_is_true_at_the_edge_within_seconds(fleet: Fleet, asset: str) -> None:
    headers = {"Authorization": f"Bearer {fleet.key}"}
    master = f"/media/{asset}/master.m3u8"
    pointer = fleet.get(master)
    assert pointer.status_code == 200
    playlist = _joined(master, _first(pointer.text))
    assert fleet.get(playlist).status_code == 200
    for action, status in (("hold", 404), ("publish", 200)):
        body = {"action": action}
        answer = httpx.post(f"{fleet.url}/v1/assets/{asset}/verdict", json=body, headers=headers, timeout=30)
        answer.raise_for_status()
        _until(lambda status=status: fleet.get(master).status_code == status, f"{action} is seen", 60)
        # What never changes was in the edge's cache, and would stay there: the workers have it forgotten
        _until(lambda status=status: fleet.get(playlist).status_code == status, f"{action} has reached the cache", 60)


def test_the_edge_passes_uploads_and_pages_and_keeps_the_rest_to_itself(fleet: Fleet) -> None:
    assert fleet.get("/").headers["content-type"].startswith("text/html")
    assert "not built" not in fleet.get("/").text
    for path in ("/metrics", "/readyz"):
        assert fleet.get(path).status_code == 404
    assert fleet.get("/v1/assets").status_code == 401
    # An upload's address is one that the outside can reach, and a forged origin of the request changes nothing
    headers = {"Authorization": f"Bearer {fleet.key}", "Tus-Resumable": "1.0.0", "Upload-Length": "10"}
    made = httpx.post(f"{fleet.url}/files", headers=headers | {"X-Forwarded-Host": "evil.example"}, timeout=30)
    assert made.status_code == 201
    assert made.headers["location"].startswith(f"{fleet.url}/files/")
    assert httpx.delete(made.headers["location"], headers=headers, timeout=30).status_code == 204


@pytest.mark.parametrize("service", [*OURS, "edge", "postgres", "redis", "s3", "prometheus"])
def test_health_checks(fleet: Fleet, asset: str, service: str) -> None:
    """The very commands of images and compose file, run in their containers. RuntimeError where one fails."""
    fleet.engine.podman("healthcheck", "run", fleet.compose.container(service))


@pytest.mark.parametrize("service", OURS)
def test_containers_can_do_little(fleet: Fleet, service: str) -> None:
    looked = fleet.compose.inside(
        service, "python", "-c",
        "import os;"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'));"
        "print(os.getuid(), status['CapEff'].strip(), status['CapBnd'].strip(), status['NoNewPrivs'].strip(),"
        " os.access('/opt/rushes', os.W_OK), bool(os.statvfs('/').f_flag & os.ST_RDONLY),"
        " any(line.split()[1] == '00000000' for line in open('/proc/net/route')))",
    ).split()  # fmt: skip
    uid, effective, bounding, no_new, writable, read_only, way_out = looked
    assert (uid, int(effective, 16), int(bounding, 16), no_new) == ("65532", 0, 0, "1")
    assert (writable, read_only) == ("False", "True")
    assert way_out == str(service == "worker-light")
    assert int(fleet.inspect(service, "{{.HostConfig.Memory}}")) > 0


def test_images_hold_no_secrets_and_the_web_side_no_decoders(fleet: Fleet) -> None:
    for target in ("api", "worker"):
        form = "{{range .Config.Env}}{{println .}}{{end}}"
        shown = fleet.engine.podman("image", "inspect", "--format", form, f"localhost/rushes-{target}:local")
        names = [line.partition("=")[0] for line in shown.split()]
        assert [name for name in names if re.search("KEY|SECRET|PASSWORD|TOKEN", name)] == []
    found = fleet.compose.inside(
        "api",
        "python",
        "-c",
        "from importlib.util import find_spec; print(*filter(find_spec, ['av', 'cv2', 'imageio_ffmpeg']))",
    )
    assert found.split() == []
    # (the port is taken, by the very server that runs there)
    assert "media tools: none here" in fleet.compose.inside("api", "rushes", "doctor", check=False)


def test_the_doctor_finds_a_sandbox_in_the_worker(fleet: Fleet) -> None:
    # Given a filter that allows user namespaces, as podman's does
    assert "ok   sandbox: bwrap" in fleet.compose.inside("worker-video", "rushes", "doctor")
    # Given one that does not, as Docker's
    if not works(Mode.LANDLOCK):
        pytest.skip("this kernel has no Landlock")
    assert "ok   sandbox: landlock" in _doctor_under(fleet, NO_NAMESPACES)
    # Given neither, then nothing that is required is made do without
    denied = {"names": ["landlock_create_ruleset"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    shown = _doctor_under(fleet, NO_NAMESPACES | {"syscalls": [*NO_NAMESPACES["syscalls"], denied]})
    assert "FAIL sandbox: No sandbox works here" in shown


def _doctor_under(fleet: Fleet, filtered: dict) -> str:
    profile = fleet.engine.folder / "filter.json"
    profile.write_text(json.dumps(filtered))
    return fleet.engine.podman(
        "run", "--rm", "--pull=never", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--security-opt", f"seccomp={profile}", "--env", "RUSHES_SANDBOX=required", "--tmpfs", "/tmp",
        "localhost/rushes-worker:local", "doctor", check=False,
    )  # fmt: skip


def test_prometheus_sees_every_web_side_and_the_rules_name_what_is_there(fleet: Fleet, asset: str) -> None:
    fleet.compose.inside("prometheus", "promtool", "check", "config", "/etc/prometheus/prometheus.yml")

    def up() -> int:
        targets = httpx.get(f"{fleet.prometheus}/api/v1/targets", timeout=10).json()["data"]["activeTargets"]
        return sum(target["health"] == "up" for target in targets)

    _until(lambda: up() == 5, "Prometheus reads both web sides and three workers")
    shown = fleet.compose.inside("api", "python", "-c", METRICS)
    shown += fleet.compose.inside("worker-video", "python", "-c", WORKER_METRICS)
    there = set(re.findall(r"^# TYPE (\w+)", shown, re.MULTILINE))
    there |= {name + end for name in there for end in ("_bucket", "_count", "_sum")}
    used = set(re.findall(r"\brushes_\w+", (DOCKER / "prometheus" / "rules.yml").read_text()))
    assert used
    assert {name for name in used if name not in there} == set()
    fleet.compose.inside("prometheus", "promtool", "test", "rules", "/etc/prometheus/rules_test.yml")


def test_a_stopped_worker_drains_and_its_work_goes_on(fleet: Fleet, asset: str, tmp_path: Path) -> None:
    # Given a worker in the middle of an encode
    clip = _clip(tmp_path / f"{secrets.token_hex(4)}.avi", seconds=15, size="1280x720")
    name = fleet.inspect("worker-video", "{{.Config.Hostname}}")
    other = fleet.push(clip, "uploaded")

    def encodes() -> bool:
        workers = fleet.api("/v1/fleet")["workers"]
        return any(worker["id"].startswith(f"{name}-") and worker["steps"] for worker in workers)

    _until(encodes, "the worker encodes")
    # When it is stopped, as an upgrade does
    started = time.monotonic()
    fleet.engine.podman("stop", "--time", "30", fleet.compose.container("worker-video"))
    fleet.seconds["drain"] = time.monotonic() - started
    # Then it leaves by itself, within its grace, and nothing is left in its name
    assert fleet.inspect("worker-video", "{{.State.ExitCode}}") == "0"
    assert fleet.seconds["drain"] < 30
    assert not any(worker["id"].startswith(f"{name}-") for worker in fleet.api("/v1/fleet")["workers"])
    # And when one is there again, the work ends
    fleet.engine.podman("start", fleet.compose.container("worker-video"))
    _until(lambda: fleet.api(f"/v1/assets/{other}")["state"] == "ready", "the asset is ready")


@pytest.mark.parametrize(
    ("name", "service", "paths"),
    [("rushes-worker-light", "worker-light", ("/metrics",)), ("rushes-api", "api", ("/readyz", "/healthz"))],
)
def test_a_pod_of_the_kubernetes_manifests_runs(fleet: Fleet, name: str, service: str, paths: tuple[str, ...]) -> None:
    """Beside the services of the compose file, as far as podman understands the manifest."""
    deployment = next(one for one in of_kind("Deployment", "base") if one["metadata"]["name"] == name)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    given = json.loads(fleet.inspect(service, "{{json .Config.Env}}"))
    environment = dict(line.split("=", 1) for line in given if line.startswith(("RUSHES_", "AWS_")))
    environment |= variables(KUBERNETES / "base" / "settings.env")
    file = fleet.engine.folder / f"{name}.json"
    file.write_text(playable(deployment, f"localhost/{name.replace('-light', '')}:local", environment))
    fleet.engine.podman("play", "kube", "--network", f"{fleet.compose.project}_back", file)
    pod = f"{name}-pod-0"
    look = POD_LOOK % {"port": container["ports"][0]["containerPort"], "paths": paths}

    def looked() -> dict:
        found = fleet.engine.podman("exec", f"{pod}-{container['name']}", "python", "-c", look, check=False)
        return dict(json.loads(found)) if found else {}

    try:
        _until(looked, "the pod answers where its probes ask")
        assert looked() == {
            "user": 65532, "capabilities": 0, "confined": 1, "read only": True,
            "writable": ["/tmp", "/var/lib/rushes"], "answers": [200] * len(paths),
        }  # fmt: skip
        if name != "rushes-api":
            _sees_its_limits(fleet, pod, container)
        fleet.engine.podman("stop", "--time", "45", f"{pod}-{container['name']}")
        form = "{{.State.ExitCode}}"
        assert fleet.engine.podman("inspect", "--format", form, f"{pod}-{container['name']}").strip() == "0"
        assert not any(worker["id"].startswith(pod) for worker in fleet.api("/v1/fleet")["workers"])
    finally:
        fleet.engine.podman("pod", "rm", "--force", pod, check=False)


def _sees_its_limits(fleet: Fleet, pod: str, container: dict) -> None:
    command = container["readinessProbe"]["exec"]["command"]
    assert "is at work" in fleet.engine.podman("exec", f"{pod}-{container['name']}", *command)
    (worker,) = [one for one in fleet.api("/v1/fleet")["workers"] if one["id"].startswith(pod)]
    limits = container["resources"]["limits"]
    assert worker["pools"] == ["io", "publish", "pull"]
    assert worker["cores"] == float(limits["cpu"])
    assert f"{worker['memory'] // 2**30}Gi" == limits["memory"]
