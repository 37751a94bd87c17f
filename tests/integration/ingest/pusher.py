"""`rushes push` as a program of its own, so that it can be killed. `pusher.py SERVER WAIT CHUNK FILE...`"""

import sys
from pathlib import Path

from rich.console import Console

from rushes.ingest import transfer
from rushes.ingest.push import push

if __name__ == "__main__":
    server, wait, chunk, *files = sys.argv[1:]
    transfer.CHUNK = int(chunk)
    sys.exit(
        push(
            [Path(file) for file in files],
            server=server,
            token="a-token",
            wait=wait,
            json_output=True,
            console=Console(stderr=True),
        )
    )
