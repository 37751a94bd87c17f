"""Players that cost next to nothing: `python -m bench.origin_players PORT[,PORT] ASSET PLAYERS SECONDS`. Prints one line of JSON.

Each keeps one connection, asks for the pointer, a playlist and three segments as fast as it can, and from then on for a segment
every four seconds. They all begin within the first second.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
import time
from dataclasses import dataclass, field

import uvloop

EVERY = 4.0
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Waits:
    """Seconds from a request to the last byte of its answer."""

    burst: list[float] = field(default_factory=list)
    steady: list[float] = field(default_factory=list)
    errors: int = 0


async def player(port: int, asset: str, seconds: float, waits: Waits) -> None:
    order = random.Random()
    await asyncio.sleep(order.random())
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    segments = [f"/media/{asset}/t/recipe/1/small/{order.randrange(200):05d}.m4s" for _ in range(200)]
    first = [f"/media/{asset}/master.m3u8", f"/media/{asset}/b/1/720p.m3u8", *segments[:3]]
    end = time.perf_counter() + seconds
    for path in first:
        waits.burst.append(await ask(reader, writer, path, waits))
    for path in segments[3:]:
        await asyncio.sleep(EVERY * (0.9 + 0.2 * order.random()))
        if time.perf_counter() > end:
            break
        waits.steady.append(await ask(reader, writer, path, waits))
    writer.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, waits: Waits) -> float:
    start = time.perf_counter()
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        found = LENGTH.search(head)
        body = await reader.readexactly(int(found[1]) if found else 0)
        waits.errors += not head.startswith(b"HTTP/1.1 200") or not body
    except (OSError, asyncio.IncompleteReadError):
        waits.errors += 1
    return time.perf_counter() - start


def shown(waits: list[float]) -> dict[str, float]:
    ordered = sorted(waits)
    return (
        {f"p{part}": round(1000 * ordered[len(ordered) * part // 100], 1) for part in (50, 95, 99)} if ordered else {}
    )


async def main(ports: list[int], asset: str, count: int, seconds: float) -> None:
    waits = Waits()
    await asyncio.gather(*(player(ports[number % len(ports)], asset, seconds, waits) for number in range(count)))
    found = {"requests": len(waits.burst) + len(waits.steady), "errors": waits.errors}
    print(json.dumps({**found, "burst_ms": shown(waits.burst), "steady_ms": shown(waits.steady)}))


if __name__ == "__main__":
    uvloop.run(main([int(port) for port in sys.argv[1].split(",")], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
