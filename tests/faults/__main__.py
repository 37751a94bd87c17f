"""`python -m tests.faults --runs 200`: random days on a few stacks beside each other. Prints each run and the sum."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.faults.series import series


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--stacks", type=int, default=3, help="beside each other")
    said = parser.parse_args()
    seeds = list(range(said.seed, said.seed + said.runs))
    with ProcessPoolExecutor(said.stacks, mp_context=get_context("spawn")) as pool:
        found = [
            run for part in pool.map(series, (seeds[n :: said.stacks] for n in range(said.stacks))) for run in part
        ]
    bad = [seed for seed, _, broken in found if broken]
    print(f"{len(found)} runs, {sum(count for _, count, _ in found)} assets, {len(bad)} runs broken: {bad}")  # noqa: T201
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
