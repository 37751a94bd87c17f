"""Varnish with `docker/varnish/default.vcl`; only the origin's address is another."""

from __future__ import annotations

import os
import shutil
from typing import ClassVar

from tests.services.edge import ROOT, SECRET, Edge

PROGRAM = shutil.which("varnishd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Varnish(Edge):
    name = "varnish"
    environment: ClassVar[dict[str, str]] = {"PATH": os.environ.get("PATH", ""), "RUSHES_PURGE_SECRET": SECRET}

    def command(self) -> list[str]:
        assert PROGRAM
        settings = ROOT / "docker" / "varnish"
        host, _, port = self.origin.removeprefix("http://").partition(":")
        backend = (settings / "backend.vcl").read_text().replace('"edge"', f'"{host}"').replace('"8081"', f'"{port}"')
        (self.folder / "backend.vcl").write_text(backend)
        shutil.copy(settings / "default.vcl", self.folder / "default.vcl")
        options = ["-p", f"vcl_path={self.folder}", "-p", "http_gzip_support=off", "-p", "thread_pool_min=10"]
        jail = [] if os.geteuid() else ["-j", "none"]
        return [
            PROGRAM, *jail, "-F", "-a", f"127.0.0.1:{self.port}", "-f", str(self.folder / "default.vcl"),
            "-s", "malloc,256m", "-n", str(self.folder / "work"), *options,
        ]  # fmt: skip
