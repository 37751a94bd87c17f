"""The long round: `python -m tests.fuzz --files 500 [--seed N] [--jobs 2] [--media FOLDER] [--keep FOLDER]`.

Exit code 1 where a fault was found; the files that showed one are kept, with what was wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.fuzz import seeds
from tests.fuzz.pipeline import Report
from tests.fuzz.round import one


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first file, to see one again")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--media", type=Path, help="folder of further clips to damage")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "rushes-fuzz")
    asked = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="rushes-fuzz-"))
    paths = [*seeds.make(work / "seeds"), *seeds.found(asked.media)]
    numbers = range(asked.first, asked.first + asked.files)
    try:
        with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
            futures = [pool.submit(one, number, asked.seed, paths, work / "runs", asked.keep) for number in numbers]
            reports = [_told(future.result()) for future in futures]
    finally:
        left = [path for path in (work / "runs").glob("*") if path.is_dir()] if (work / "runs").exists() else []
        shutil.rmtree(work)
    faults = [report for report in reports if report.faults]
    spent, longest = sum(report.seconds for report in reports), max(report.seconds for report in reports)
    say(
        f"{len(reports)} files, {spent:.0f} s in all, longest {longest:.1f} s; {len(faults)} with faults, {len(left)} left"
    )
    for outcome, count in Counter(report.outcome for report in reports).most_common():
        say(f"{count:6d}  {outcome}")
    return 1 if faults or left else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _told(report: Report) -> Report:
    mark = "FAULT" if report.faults else "     "
    say(f"{mark} {report.seconds:6.1f} s  {report.outcome:22} {report.name}")
    return report


if __name__ == "__main__":
    sys.exit(main())
