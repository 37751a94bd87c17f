"""moto's S3 in memory: quick to start and to answer, and believes everybody. For tests of calls, not of security.

`python -m tests.services.moto FOLDER PORT` serves; `Moto(folder)` starts that as a subprocess.
"""

from __future__ import annotations

import sys

from tests.services.process import S3Service, announce, die_with_parent


class Moto(S3Service):
    module = "tests.services.moto"
    access_key, secret_key = "anybody", "anything"


def serve(port: int) -> None:
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    die_with_parent()
    server = make_server("127.0.0.1", port, DomainDispatcherApplication(create_backend_app), threaded=True)
    announce(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[2]))
