"""`./dev bench [NAME]`: each benchmark prints a ratio against a floor or a peer that ran beside it."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "transcode", "playable", "scale", "autoscale", "bits", "early", "fleet", "ingest", "origin", "lint", "lazy", "edges",
    "fairness", "simulate", "scale_out", "loads", "history", "traces",
)  # fmt: skip


def main() -> None:
    names = sys.argv[1:] or NAMES
    for name in names:
        if name not in NAMES:
            sys.exit(f"There is no benchmark {name!r}; there are: {', '.join(NAMES)}.")
        importlib.import_module(f"bench.{name}").main()


main()
