"""nginx with `docker/nginx/nginx.conf`: only ports, places and the origin's address are others."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from rushes.chaos.member import free_port
from tests.services.edge import ROOT, SECRET, Edge

PROGRAM = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


class Nginx(Edge):
    name = "nginx"
    objects: Path | None = None
    """Where the store has its files, for an origin that lets nginx send them."""

    def command(self) -> list[str]:
        assert PROGRAM
        settings = ROOT / "docker" / "nginx"
        host = self.origin.removeprefix("http://")
        (self.folder / "cache").mkdir()
        upstream = re.sub(r"^resolver .*$", "", (settings / "upstream.conf").read_text(), flags=re.MULTILINE)
        (self.folder / "upstream.conf").write_text(re.sub(r"server \S+ resolve", f"server {host}", upstream))
        (self.folder / "purge-key.map").write_text(f'"{SECRET}" 1;\n')
        text = (settings / "nginx.conf").read_text()
        places = {
            "/etc/nginx/": f"{self.folder}/", "/var/cache/nginx": f"{self.folder}/cache", "/tmp/": f"{self.folder}/",
            "/dev/stdout": f"{self.folder}/requests.jsonl",
            "listen 8080": f"listen 127.0.0.1:{self.port}", "listen 8081": f"listen 127.0.0.1:{free_port()}",
        }  # fmt: skip
        text = re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)
        (self.folder / "nginx.conf").write_text(text)
        if self.objects:
            accel = (settings / "accel.conf").read_text()
            (self.folder / "accel.conf").write_text(accel.replace("/var/lib/rushes/objects", str(self.objects)))
        user = "user root;" if os.geteuid() == 0 else ""
        return [PROGRAM, "-c", str(self.folder / "nginx.conf"), "-e", "stderr", "-g", f"daemon off; {user}"]
