"""Looks at servers of resumable uploads from outside: `python -m tests.conformance [NAME=]URL...`.

Prints what of tus 1.0.0, of the IETF protocol and beyond them each server keeps; several servers stand side by side.
Without an address it starts rushes and the reference server of tus (@tus/server, by Node) and looks at both.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.conformance.clause import Level, Unseen
from tests.conformance.score import (
    Outcome,
    Scores,
    discover,
    every_clause,
    failures,
    judge_all,
    record,
    table,
    wishes,
)
from tests.conformance.servers import Served, rushes, tus_node
from tests.conformance.session import Target, Tus
from tests.services.node import NodeMissing

FOUND = 200


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("servers", nargs="*", metavar="[NAME=]URL", help="where uploads are created")
    parser.add_argument("--header", action="append", default=[], metavar="NAME:VALUE", help="goes on every request")
    parser.add_argument("--metadata", metavar="TEXT", help="Upload-Metadata that the server wants of every upload")
    parser.add_argument("--get", action="store_true", help="the stored bytes are read back by GET of the upload")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="so many checks at once; 1 tells who is to blame"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only clauses whose key has this in it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every verdict, with the exchanges of failures")
    parser.add_argument("--list", action="store_true", help="print the clauses, and look at nothing")
    parser.add_argument("--exchanges", action="store_true", help="print what was said where a clause failed")
    return parser.parse_args()


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


@contextmanager
def served(given: argparse.Namespace, headers: dict[str, str]) -> Iterator[list[Served]]:
    if given.servers:
        yield [named(text, headers, get=given.get) for text in given.servers]
        return
    with TemporaryDirectory() as folder, rushes(Path(folder)) as ours, tus_node(Path(folder)) as theirs:
        yield [ours, theirs]


def named(text: str, headers: dict[str, str], *, get: bool) -> Served:
    name, _, url = ("server", "", text) if text.startswith("http") else text.partition("=")
    plain = Target(url, headers)

    def fetched(at: str) -> bytes:
        answer = Tus(plain).ask("GET", at, {})
        if answer.status != FOUND:
            raise Unseen(f"GET of the upload is {answer.status}")
        return answer.body

    return Served(name, url, fetched if get else None)


def main() -> int:
    given = arguments()
    headers = {name.strip(): value.strip() for name, _, value in (each.partition(":") for each in given.header)}
    clauses = [one for one in every_clause() if given.only in one.key]
    if given.list:
        say("\n".join(f"{one.level:6} {one.key}: {one.says} ({one.source})" for one in clauses))
        return 0
    scores: Scores = {}
    with served(given, headers) as servers:
        for each in servers:
            target = discover(Target(each.url, headers, read=each.read, metadata=given.metadata))
            scores[each.name] = judge_all(clauses, target, given.jobs)
            versions = ", ".join(map(str, target.interop)) or "none"
            say(f"{each.name}: tus {', '.join(sorted(target.extensions)) or 'nothing'}; interop versions: {versions}")
    say("\n" + table(scores) + "\n\n" + wishes(scores))
    for name, verdicts in scores.items():
        say(f"\n## {name}\n\n{failures(verdicts, exchanges=given.exchanges) or 'Nothing failed.'}")
    if given.json:
        given.json.write_text(json.dumps({name: [record(v) for v in vs] for name, vs in scores.items()}, indent=1))
    broken = (v for vs in scores.values() for v in vs if v.outcome is Outcome.FAILED and v.clause.level is Level.MUST)
    return 1 if any(broken) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NodeMissing as error:
        sys.exit(f"{error} is not there; name the address of a server to look at.")
