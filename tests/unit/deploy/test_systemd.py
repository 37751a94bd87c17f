"""`docker/systemd`: what systemd itself says of the units, and what must not be lost from them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rushes.settings import Settings
from rushes.states import Pool
from tests.conftest import unavailable
from tests.services.manifests import variables

UNITS = Path(__file__).resolve().parents[3] / "docker" / "systemd"


def section(unit: str, name: str = "Service") -> dict[str, str]:
    """The values of a section; of a key that comes several times all, separated by spaces."""
    found: dict[str, str] = {}
    current = ""
    for line in (UNITS / unit).read_text("utf-8").splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif current == name and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key] = f"{found[key]} {value}" if key in found else value
    return found


def verified(root: Path) -> str:
    """What systemd has to say of the units below a root of their own, in which our command lies. Empty: nothing."""
    command = root / "opt/rushes/bin/rushes"
    command.parent.mkdir(parents=True)
    command.touch(mode=0o755)
    names = [path.name.replace("@.", "@video.") for path in (root / "etc/systemd/system").glob("*.service")]
    asked = ["systemd-analyze", f"--root={root}", "verify", "--man=no", *names]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr if names else "no units"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    if shutil.which("systemd-analyze") is None:
        unavailable("systemd-analyze")
    shutil.copytree(UNITS, tmp_path / "etc/systemd/system")
    targets = tmp_path / "usr/lib/systemd/system"
    targets.mkdir(parents=True)
    for target in Path("/usr/lib/systemd/system").glob("*.target"):
        shutil.copy(target, targets)
    return tmp_path


def test_systemd_takes_the_units(root: Path) -> None:
    assert verified(root) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [("KillMode=mixed", "KillMod=mixed", "Unknown key"), ("TimeoutStopSec=45", "TimeoutStopSec=soon", "soon")],
)
def test_what_systemd_would_not_take_is_seen(root: Path, right: str, wrong: str, told: str) -> None:
    unit = root / "etc/systemd/system/rushes-worker@.service"
    text = unit.read_text("utf-8")
    assert right in text
    unit.write_text(text.replace(right, wrong))
    assert told in verified(root)


def test_a_worker_drains_before_it_is_killed() -> None:
    worker = section("rushes-worker@.service")
    drain = next(part for part in worker["Environment"].split() if part.startswith("RUSHES_DRAIN_SECONDS="))
    assert float(worker["TimeoutStopSec"]) >= float(drain.partition("=")[2]) + 10
    assert worker["KillMode"] == "mixed"  # SIGTERM to its tools would fail their steps
    assert worker["OOMPolicy"] == "continue"  # one tool's memory is not the others' end


@pytest.mark.parametrize("unit", ["rushes-api.service", "rushes-worker@.service", "rushes-migrate.service"])
def test_units_have_no_more_than_they_need(unit: str) -> None:
    found = section(unit)
    assert found["User"] == "rushes"
    assert (found["NoNewPrivileges"], found["ProtectSystem"], found["ProtectHome"]) == ("yes", "strict", "yes")
    assert found["CapabilityBoundingSet"] == ""


def test_a_worker_may_shut_its_tools_in() -> None:
    """bwrap makes namespaces and a /proc of its own: the kernel refuses that where parts of /proc are hidden."""
    worker = section("rushes-worker@.service").keys()
    assert not worker & {"RestrictNamespaces", "ProtectProc", "ProtectKernelTunables", "ProtectControlGroups"}


def test_files_of_settings_name_settings() -> None:
    known = {f"RUSHES_{name.upper()}" for name in Settings.model_fields} | {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
    for path in UNITS.glob("*.env.example"):
        assert variables(path).keys() <= known
    assert set(variables(UNITS / "worker-light.env")["POOLS"].split(",")) <= set(Pool)
