"""OpenStack Swift with its S3 interface: account, container, object and proxy servers in one process, one replica.

`python -m tests.services.swift FOLDER PORT` serves; `Swift(folder)` starts that as a subprocess. The folder has to lie
on a file system with user attributes (`home`). A file `least_part` in it says from how many bytes on parts are taken.
What differs from Amazon's S3 stands in docs/object-stores.md.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.services.process import S3Service, announce, die_with_parent

ACCESS_KEY, SECRET_KEY = "studio:editor", "not-a-secret"
LEAST_PART = 5 * 2**20
PARTITIONS = 2
"""As a power of two."""

BACKEND = """
[DEFAULT]
devices = {folder}/devices
mount_check = false
swift_dir = {folder}
disable_fallocate = true
log_level = ERROR
log_address = {folder}/no-syslog
fallocate_reserve = 0
[app:main]
use = egg:swift#{kind}
"""
PROXY = """
[DEFAULT]
swift_dir = {folder}
log_level = ERROR
log_address = {folder}/no-syslog
[pipeline:main]
pipeline = catch_errors listing_formats memory s3api tempauth copy slo dlo symlink proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:memory]
paste.filter_factory = tests.services.swift:memory_factory
[filter:s3api]
use = egg:swift#s3api
max_upload_part_num = 10000
min_segment_size = {least_part}
[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {secret} .admin
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
[filter:dlo]
use = egg:swift#dlo
[filter:copy]
use = egg:swift#copy
[filter:symlink]
use = egg:swift#symlink
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""


class Swift(S3Service):
    module = "tests.services.swift"
    access_key, secret_key = ACCESS_KEY, SECRET_KEY


def home() -> Path | None:
    """A new folder on a file system that keeps user attributes: Swift keeps an object's headers in them."""
    for place in (tempfile.gettempdir(), "/var/tmp", "/dev/shm"):
        with suppress(OSError):
            folder = tempfile.mkdtemp(prefix="swift-", dir=place)
            os.setxattr(folder, "user.swift.metadata", b"x" * 2000)
            return Path(folder)
    return None


class Memory:
    """What memcached would be to the proxy: one process needs no server for it. Saves asking for every container."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str, raise_on_error: bool = False) -> Any:
        return self._values.get(key)

    def set(self, key: str, value: Any, **options: Any) -> None:
        self._values[key] = value

    def delete(self, key: str, **options: Any) -> None:
        self._values.pop(key, None)


def memory_factory(settings: dict[str, str], **local: str) -> Any:
    def wrap(application: Any) -> Any:
        memory = Memory()

        def serve(environ: dict[str, Any], start_response: Any) -> Any:
            environ["swift.cache"] = memory
            return application(environ, start_response)

        serve._pipeline_final_app = getattr(application, "_pipeline_final_app", None)  # type: ignore[attr-defined]
        return serve

    return wrap


def _ring(folder: Path, name: str, port: int) -> None:
    from swift.common.ring.ring import RingData

    device = {
        "id": 0, "region": 1, "zone": 1, "weight": 1.0, "device": "disk", "meta": "",
        "ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port,
    }  # fmt: skip
    RingData([[0] * 2**PARTITIONS], [device], 32 - PARTITIONS).save(str(folder / f"{name}.ring.gz"))


def serve(folder: Path, port: int) -> None:
    import eventlet
    from eventlet import patcher, wsgi

    die_with_parent(patcher.original("threading").Thread)
    os.fsync = os.fdatasync = lambda descriptor: None  # no test takes the machine's power away
    eventlet.monkey_patch()
    from swift.common import utils
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.wsgi import ConfigString, loadapp

    utils.HASH_PATH_SUFFIX = b"the same at every start"
    (folder / "devices" / "disk").mkdir(parents=True, exist_ok=True)

    servers = []

    def start(configuration: str, port: int = 0) -> int:
        """Serves in the background; gives the port."""
        application = loadapp(ConfigString(configuration), global_conf={"log_name": "swift"})
        socket = eventlet.listen(("127.0.0.1", port), backlog=256)
        options = {"protocol": SwiftHttpProtocol, "capitalize_response_headers": False, "debug": False}
        servers.append(eventlet.spawn(wsgi.server, socket, application, utils.NullLogger(), **options))
        return int(socket.getsockname()[1])

    for kind in ("account", "container", "object"):
        _ring(folder, kind, start(BACKEND.format(folder=folder, kind=kind)))
    said = folder / "least_part"
    least_part = said.read_text(encoding="ascii") if said.exists() else LEAST_PART
    user = ACCESS_KEY.replace(":", "_")
    proxy = PROXY.format(folder=folder, user=user, secret=SECRET_KEY, least_part=least_part)
    announce(start(proxy, port))
    servers[-1].wait()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
