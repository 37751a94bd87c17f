"""moto's S3 in memory: quick to start and to answer, and believes everybody. For tests of calls, not of security.

`python -m tests.services.moto FOLDER PORT` serves; `Moto(folder)` starts that as a subprocess. A file `least_part` in the
folder says from how many bytes on parts are taken.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.services.process import S3Service, announce, die_with_parent


class Moto(S3Service):
    module = "tests.services.moto"
    access_key, secret_key = "anybody", "anything"


def serve(folder: Path, port: int) -> None:
    from moto.s3 import models
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    die_with_parent()
    if (said := folder / "least_part").exists():
        models.S3_UPLOAD_PART_MIN_SIZE = int(said.read_text(encoding="ascii"))
    server = make_server("127.0.0.1", port, DomainDispatcherApplication(create_backend_app), threaded=True)
    announce(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
