"""Containers without a registry: a Debian image made here, our own images from it, and stand-ins for those others publish.

`Engine(folder)` is buildah and podman with storage, networks and settings of their own below `folder`; `close` removes all of
it. Needs root. The stand-ins carry the names that `docker/compose.yaml` uses and take the same commands and environment;
inside are Debian's packages, and Swift for S3.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import ssl
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from rushes.clock import pause

ROOT = Path(__file__).resolve().parents[2]
BASE = "docker.io/library/debian:bookworm-slim"
MIRROR = "http://deb.debian.org/debian"
COMMANDS = ("debootstrap", "buildah", "podman", "runc", "catatonit", "iptables")
PACKAGES = ("swift", "eventlet", "podman_compose")
UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt/archives", "var/log")
"""What Debian's slim images leave out."""
AUTHORITIES = "/etc/build-authorities.crt"

CONTAINERS_CONF = """
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
lock_type = "file"
tmp_dir = "{folder}/tmp"
volume_path = "{folder}/volumes"
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
pids_limit = 0
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""
STORAGE_CONF = """
[storage]
driver = "{driver}"
graphroot = "{folder}/images"
runroot = "{folder}/run"
"""

STAND_INS = {"postgres": "postgres", "redis": "redis", "nginx": "edge", "prometheus": "prometheus", "s3": "s3"}
"""Stage below -> service of the compose file whose image it stands for."""
CONTAINERFILE = f"""
FROM {BASE} AS services
RUN printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d \
 && mkdir /etc/postgresql-common && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
 && groupadd --gid 999 postgres && useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres \
 && apt-get update -qq && apt-get install -y -qq --no-install-recommends \
    nginx-light postgresql-15 prometheus python3 python3-venv redis-server wget >/dev/null \
 && rm -rf /var/lib/apt/lists/*

FROM services AS postgres
COPY postgres.sh /usr/local/bin/
RUN install -d -o 999 -g 999 -m 0700 /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin LANG=C.UTF-8
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["sh", "/usr/local/bin/postgres.sh"]

FROM services AS redis
RUN install -d -o 999 -g 999 /data
VOLUME /data
CMD ["redis-server"]

FROM services AS nginx
RUN install -d -o 101 -g 101 /var/cache/nginx && ln -sf /dev/stderr /var/log/nginx/error.log
USER 101:101
CMD ["nginx", "-g", "daemon off;"]

FROM services AS prometheus
RUN install -d -o 65534 -g 65534 /prometheus
USER 65534:65534
VOLUME /prometheus
ENTRYPOINT ["prometheus"]

FROM services AS s3
RUN python3 -m venv /opt/swift \
 && /opt/swift/bin/pip install -q --disable-pip-version-check swift=={{swift}} eventlet=={{eventlet}} setuptools
COPY s3.py /opt/
COPY services /opt/tests/services
ENV PYTHONPATH=/opt
ENTRYPOINT ["/opt/swift/bin/python", "-W", "ignore", "/opt/s3.py"]
"""
POSTGRES = """
set -eu
export PGDATA=/var/lib/postgresql/data
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf %s "$POSTGRES_PASSWORD" > /tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password $POSTGRES_INITDB_ARGS
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  echo "CREATE DATABASE $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp
"""
S3 = r"""
import os
import sys
from pathlib import Path

import eventlet
from tests.services import swift

listen, port = eventlet.listen, int(os.environ["VGW_PORT"].strip(":"))


def anywhere(address, **options):
    return listen(("0.0.0.0" if address[1] == port else address[0], address[1]), **options)


eventlet.listen = anywhere
swift.die_with_parent = lambda *thread: None
swift.PROXY = swift.PROXY.replace("pipeline = ", "pipeline = healthcheck ")
swift.PROXY += "[filter:healthcheck]\nuse = egg:swift#healthcheck\n"
swift.ACCESS_KEY, swift.SECRET_KEY = os.environ["ROOT_ACCESS_KEY"], os.environ["ROOT_SECRET_KEY"]
swift.serve(Path(sys.argv[-1]), port)
"""


def missing() -> list[str]:
    """What this machine lacks to run containers."""
    lacking = [name for name in COMMANDS if shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None]
    lacking += [name for name in ("netavark", "aardvark-dns") if not Path("/usr/lib/podman", name).exists()]
    lacking += [name for name in PACKAGES if find_spec(name) is None]
    return lacking + (["root"] if os.geteuid() else [])


class Engine:
    """buildah and podman with a store of their own."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made, and has to have a short path: sockets lie below it."""
        self.folder = folder
        self.log = folder / "log.txt"
        for name in ("tmp", "volumes", "networks", "scratch"):
            (folder / name).mkdir(parents=True)
        (folder / "containers.conf").write_text(CONTAINERS_CONF.format(folder=folder))
        kind = subprocess.run(["stat", "-f", "-c", "%T", folder], check=True, capture_output=True, text=True).stdout
        driver = "vfs" if kind.strip() in ("overlayfs", "tmpfs") else "overlay"
        (folder / "storage.conf").write_text(STORAGE_CONF.format(folder=folder, driver=driver))
        self.environment = os.environ | {
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "TMPDIR": str(folder / "scratch"),
            "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin",
        }

    def again(self, *command: str | Path) -> str:
        """What fetches something: thrice, for the network may have a bad moment."""
        for seconds in (10.0, 30.0):
            with contextlib.suppress(RuntimeError):
                return self.run(*command)
            pause(seconds)
        return self.run(*command)

    def run(self, *command: str | Path, check: bool = True) -> str:
        """What the command prints. RuntimeError with the end of what it complained about."""
        done = subprocess.run(
            list(map(str, command)),
            env=self.environment,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}\n")
        if check and done.returncode:
            raise RuntimeError(
                f"{command[0]} {command[1]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
            )
        return done.stdout

    def podman(self, *arguments: str | Path, check: bool = True) -> str:
        return self.run("podman", *arguments, check=check)

    # -- images -------------------------------------------------------------------------------------------------------

    def make_base(self) -> None:
        """Debian's minimal system as the image that our Dockerfile builds on."""
        tree = self.folder / "debian"
        self.again("debootstrap", "--variant=minbase", "bookworm", tree, self._mirror())
        for name in UNNEEDED:
            shutil.rmtree(tree / name, ignore_errors=True)
            (tree / name).mkdir(parents=True)
        container = self.run("buildah", "from", "scratch").strip()
        self.run("buildah", "add", "--quiet", container, tree, "/")
        self.run("buildah", "config", "--cmd", "/bin/bash", *self._authorities(container), container)
        self.run("buildah", "commit", "--quiet", "--rm", container, BASE)
        shutil.rmtree(tree)

    def build(self, context: Path, file: Path, target: str, tag: str) -> None:
        self.again(
            "buildah", "bud", "--isolation", "chroot", "--network", "host", "--pull=never", "--layers", "--format", "docker",
            "--file", file, "--target", target, "--tag", tag, context,
        )  # fmt: skip

    def build_stand_ins(self, images: dict[str, str]) -> None:
        """`images`: service of the compose file -> the name it wants."""
        context = self.folder / "stand-ins"
        shutil.copytree(Path(__file__).parent, context / "services", ignore=shutil.ignore_patterns("__pycache__"))
        (context / "postgres.sh").write_text(POSTGRES)
        (context / "s3.py").write_text(S3)
        text = CONTAINERFILE.format(swift=version("swift"), eventlet=version("eventlet"))
        (context / "Containerfile").write_text(text)
        for stage, service in STAND_INS.items():
            self.build(context, context / "Containerfile", stage, images[service])

    def image_bytes(self, image: str) -> int:
        return int(self.podman("image", "inspect", "--format", "{{.Size}}", image))

    def _mirror(self) -> str:
        """Where this machine gets bookworm from, if it does."""
        form = ["--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Identifier: Packages"]
        listed = self.run("apt-get", "indextargets", *form, check=False)
        found = re.search(r"^(\S+) bookworm main$", listed, re.MULTILINE)
        return found[1].rstrip("/") if found else MIRROR

    def _authorities(self, container: str) -> list[str]:
        """Builds believe whom this machine believes: it may stand behind a proxy with a certificate of its own."""
        own = ssl.get_default_verify_paths().cafile
        if own is None:
            return []
        self.run("buildah", "copy", "--quiet", container, Path(own).resolve(), AUTHORITIES)
        names = ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
        return [part for name in names for part in ("--env", f"{name}={AUTHORITIES}")]

    # -- the end ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Containers, networks, volumes, images: everything goes, whatever state it is in."""
        self.podman("rm", "--all", "--force", "--time", "0", check=False)
        self.podman("network", "prune", "--force", check=False)
        self.podman("volume", "prune", "--force", check=False)
        self.run("buildah", "rm", "--all", check=False)
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in sorted((path for path in mounts if path.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)
        subprocess.run(
            ["rm", "-rf", self.folder], check=False
        )  # a quarter of a million files: Python takes twice as long


class Compose:
    """A compose file, brought up by podman-compose."""

    def __init__(self, engine: Engine, file: Path, environment_file: Path) -> None:
        self._engine = engine
        self.project = f"rushes-test-{os.getpid()}"
        self._command = [sys.executable, "-m", "podman_compose", "--file", str(file), "--project-name", self.project]
        self._command += ["--env-file", str(environment_file)]

    def __call__(self, *arguments: str, check: bool = True) -> str:
        return self._engine.run(*self._command, *arguments, check=check)

    def container(self, service: str, number: int = 1) -> str:
        return f"{self.project}_{service}_{number}"

    def inside(self, service: str, *command: str, check: bool = True) -> str:
        """What a command prints that is run in the service's first container."""
        return self._engine.podman("exec", self.container(service), *command, check=check)

    def logs(self) -> str:
        """The end of each container's log, for a report of what went wrong."""
        names = self._engine.podman("ps", "--all", "--format", "{{.Names}} {{.Status}}", check=False).splitlines()
        parts = []
        for line in names:
            with contextlib.suppress(RuntimeError):
                done = subprocess.run(
                    ["podman", "logs", "--tail", "25", line.split()[0]], env=self._engine.environment, check=False,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                )  # fmt: skip
                parts.append(f"---- {line}\n{done.stdout}")
        return "\n".join(parts)


def older_nginx(upstream: str) -> str:
    """Debian's nginx cannot look names up again (`resolve`); the rest of the file stays."""
    return re.sub(r"^resolver .*$", "", upstream, flags=re.MULTILINE).replace(" resolve ", " ")
