"""`docker/make_env.py`: fresh secrets, and the new ones after an update, with all that was there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

DOCKER = Path(__file__).resolve().parents[2] / "docker"


def made(folder: Path) -> dict[str, str]:
    subprocess.run([sys.executable, folder / "make_env.py"], check=True, capture_output=True)
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_what_is_there_stays_and_what_is_new_comes(tmp_path: Path) -> None:
    for name in ("make_env.py", ".env.example"):
        shutil.copy(DOCKER / name, tmp_path)
    first = made(tmp_path)
    assert all(first[name] for name in ("RUSHES_PURGE_SECRET", "POSTGRES_PASSWORD", "RUSHES_METRICS_KEY"))
    # Given the settings of an older version, with a value of one's own
    older = {name: value for name, value in first.items() if name != "RUSHES_PURGE_SECRET"} | {"S3_ACCESS_KEY": "mine"}
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in older.items()))
    # When it is run again
    second = made(tmp_path)
    # Then only the secret that is new has been made
    assert {name: value for name, value in second.items() if name != "RUSHES_PURGE_SECRET"} == older
    assert second["RUSHES_PURGE_SECRET"] not in ("", first["RUSHES_PURGE_SECRET"])
    assert (tmp_path / "secrets" / "purge-key.map").read_text() == f'"{second["RUSHES_PURGE_SECRET"]}" 1;\n'
    assert (tmp_path / "secrets" / "metrics-key").read_text() == first["RUSHES_METRICS_KEY"]
