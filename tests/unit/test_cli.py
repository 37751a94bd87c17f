"""The command line's exit codes and sentences, with the work itself left out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rushes import cli
from rushes.catalog.database import DatabaseUnavailable
from rushes.errors import RushesError
from rushes.model import Asset
from rushes.noun import Reason
from rushes.oneshot import Finished
from rushes.states import AssetState, Publication


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """`run("ls", "--json")` -> (exit code, standard output, standard error)."""
    for name in ("RUSHES_SERVER", "RUSHES_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RUSHES_CONFIG", str(tmp_path / "none.toml"))

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rushes", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return code, told.out, told.err

    return call


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("up", "--port", "70000"),
        ("transcode", "no-such-file.mp4", "-o", "out"),
        ("transcode",),
        ("push", "x.mp4", "--wait", "tea"),
        (),
    ],
)
def test_a_wrong_command_line_is_64(run, arguments: tuple[str, ...]) -> None:
    code, _, told = run(*arguments)
    assert code == 64
    assert "Traceback" not in told


@pytest.mark.parametrize("below", ["", "below"])
def test_a_stream_needs_a_directory(run, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    code, _, told = run("transcode", str(tmp_path / "file"), "-o", str(tmp_path / "file" / below))
    assert code == 64
    assert "is no directory" in told


def test_a_wrong_setting_is_64_and_a_sentence(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUSHES_SLOTS", "many")
    code, _, told = run("migrate", "--data", str(tmp_path / "data"))
    assert code == 64
    assert "slots" in told


def test_a_wrong_file_of_quotas_is_told_before_anything_starts(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "quotas.toml").write_text("[tenant.acme]\nopen = 1\n")
    monkeypatch.setenv("RUSHES_QUOTAS", str(tmp_path / "quotas.toml"))
    code, _, told = run("up", "--data", str(tmp_path / "data"))
    assert code == 64
    assert "[tenant.acme]: open" in told
    assert not (tmp_path / "data").exists()


def test_an_open_door_is_refused(run, tmp_path: Path) -> None:
    code, _, told = run("up", "--host", "0.0.0.0", "--data", str(tmp_path / "data"))
    assert code == 64
    assert "RUSHES_AUTH=off is accepted on loopback only" in told


def test_a_server_that_does_not_answer_is_1_and_says_what_to_do(run) -> None:
    code, _, told = run("ls", "--server", "http://127.0.0.1:1")
    assert code == 1
    assert "Is `rushes up` running?" in " ".join(told.split())


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied", "/x"), DatabaseUnavailable("locked"), RushesError("internal")]
)
def test_trouble_of_ours_is_1_and_a_sentence_without_a_traceback(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("rushes.catalog.sqlite.SqliteDatabase.migrate", broken)
    monkeypatch.setattr("rushes.wiring.START_PATIENCE", 0.0)
    code, _, told = run("migrate", "--data", str(tmp_path))
    assert code == 1
    assert told.strip()
    assert "Traceback" not in told


def test_migrating_says_what_it_did(run, tmp_path: Path) -> None:
    code, out, _ = run("migrate", "--data", str(tmp_path), "--json")
    assert (code, json.loads(out)[0]) == (0, "0001_first.sql")
    assert run("migrate", "--data", str(tmp_path)) == (0, "The database is up to date.\n", "")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"state": AssetState.READY, "publication": Publication.PUBLISHED}, 0),
        ({"state": AssetState.READY, "publication": Publication.HELD}, 3),
        ({"state": AssetState.READY, "publication": Publication.BLOCKED}, 3),
        ({"state": AssetState.FAILED, "reason": Reason(code="not_media", message="No video.")}, 2),
        ({"state": AssetState.FAILED, "reason": Reason(code="over_limit_memory", message="Too much.")}, 2),
        ({"state": AssetState.FAILED, "reason": Reason(code="internal", message="Ours.")}, 1),
        ({"state": AssetState.FAILED, "reason": Reason(code="quarantined", message="Ours.")}, 1),
    ],
)
def test_transcode_ends_with_the_documented_code(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fields: dict[str, object], code: int
) -> None:
    asset = Asset(id="0" * 26, tenant="default", created_at=0.0, **fields)
    cost = {"cpu_seconds": 1.0, "bytes_stored": 1.0}
    monkeypatch.setattr("rushes.oneshot.transcode", lambda *_: Finished(asset, [], cost))
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    ended, out, told = run("transcode", str(clip), "-o", str(tmp_path / "out"), "--json")
    assert ended == code
    assert json.loads(out.splitlines()[-1])["state"] == asset.state.value
    assert (tmp_path / "out" / "asset.json").is_file()
    if asset.reason:
        assert f"{asset.reason.code}: {asset.reason.message}" in told


def test_up_ends_with_the_code_of_the_stack(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("rushes.server.run_stack", lambda *_: 64)
    assert run("up", "--data", str(tmp_path))[0] == 64


def test_lint_says_what_a_stream_breaks_and_how_it_ended(run, tmp_path: Path) -> None:
    (tmp_path / "master.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ngone.m3u8\n")
    code, out, told = run("lint", str(tmp_path))
    assert code == 2
    assert "hls.reachable" in out and "RFC 8216bis" in out and "FAILED" in out
    assert "Traceback" not in told
    code, out, _ = run("lint", str(tmp_path), "--json")
    assert (code, json.loads(out)["passed"]) == (2, False)
    assert "hls.reachable" in json.loads(out)["musts"]


@pytest.mark.parametrize("more", [("--fail-on", "tea"), ("--deep", "--quick"), ()])
def test_lint_of_nothing_is_a_wrong_command_line(run, tmp_path: Path, more: tuple[str, ...]) -> None:
    code, _, told = run("lint", str(tmp_path / "gone"), *more)
    assert code == 64
    assert "Traceback" not in told
