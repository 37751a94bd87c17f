"""The sandboxes' command lines."""

from __future__ import annotations

import json
from pathlib import Path

from rushes.ffmpeg.confinement import Confinement, Mode, bwrap_command, environment, jail_command, limits

SHUT = Confinement(reads=(Path("/in/v.mp4"),), libraries=(Path("/opt/ffmpeg"),))
OPEN = Confinement(reads=(Path("/in/v.mp4"),), writes=Path("/scratch/1"))


def binds(command: list[str], option: str) -> list[str]:
    return [command[index + 1] for index, word in enumerate(command) if word == option]


def test_bubblewrap_shuts_everything_out() -> None:
    command = bwrap_command("bwrap", SHUT)
    assert command[0] == "bwrap"
    for option in ("--unshare-all", "--die-with-parent", "--clearenv"):
        assert option in command
    assert command[command.index("--cap-drop") + 1] == "ALL"
    assert "--share-net" not in command
    assert "--proc" not in command
    assert command[-1] == "--"


def test_bubblewrap_shows_the_named_files_read_only() -> None:
    command = bwrap_command("bwrap", SHUT)
    assert binds(command, "--ro-bind") == ["/opt/ffmpeg", "/in/v.mp4"]
    assert binds(command, "--bind") == []
    assert binds(command, "--remount-ro") == ["/"]
    shown = set(binds(command, "--ro-bind-try"))
    assert not shown & {"/", "/etc", "/home", "/root", "/usr", "/proc", "/tmp", "/var"}


def test_only_the_one_directory_can_be_written() -> None:
    command = bwrap_command("bwrap", OPEN)
    assert binds(command, "--bind") == ["/scratch/1"]
    assert limits(OPEN)["FSIZE"] > 0
    assert limits(SHUT)["FSIZE"] == 0


def test_limits_are_set_before_bubblewrap_starts() -> None:
    command = bwrap_command("bwrap", SHUT, "/usr/bin/prlimit")
    assert command[:2] == ["/usr/bin/prlimit", "--core=0"]
    assert "--fsize=0" in command
    assert command.index("bwrap") == command.index("--") + 1


def plan_of(mode: Mode) -> dict[str, object]:
    command = jail_command(mode, "/usr/bin/python3", 42, OPEN)
    assert command[1:3] == ["-I", "-S"]
    assert command[-1] == "--"
    plan: dict[str, object] = json.loads(command[-2])
    return plan


def test_the_jail_is_told_what_it_may_touch() -> None:
    plan = plan_of(Mode.LANDLOCK)
    assert plan["landlock"]
    assert plan["confine"]
    assert plan["parent"] == 42
    assert "/in/v.mp4" in plan["reads"]  # type: ignore[operator]  # JSON
    assert plan["writes"] == ["/dev/null", "/dev/urandom", "/scratch/1"]


def test_the_weaker_modes() -> None:
    assert (plan_of(Mode.RLIMITS)["landlock"], plan_of(Mode.RLIMITS)["confine"]) == (False, True)
    assert (plan_of(Mode.OFF)["landlock"], plan_of(Mode.OFF)["confine"]) == (False, False)
    assert [mode.hides_files for mode in Mode] == [True, True, False, False]


def test_the_environment_has_no_secrets_in_it(monkeypatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    for mode in Mode:
        assert "canary" not in environment(mode, OPEN).values()
        assert environment(mode, OPEN)["TMPDIR"] == "/scratch/1"
