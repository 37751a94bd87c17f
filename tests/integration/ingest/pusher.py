"""`rushes push` as a program of its own, so that it can be killed. `pusher.py SERVER WAIT CHUNK PARALLEL FILE...`"""

import sys
from pathlib import Path

from rich.console import Console

from rushes.ingest import wire
from rushes.ingest.push import push

if __name__ == "__main__":
    server, wait, chunk, parallel, *files = sys.argv[1:]
    wire.CHUNK = int(chunk)
    sys.exit(
        push(
            [Path(file) for file in files],
            server=server,
            token="a-token",
            wait=wait,
            parallel=int(parallel),
            json_output=True,
            console=Console(stderr=True),
        )
    )
