"""The command `rushes simulate`: what a fleet would do with uploads, by the scheduler and the graph of this release."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from rushes.console import as_json, stderr
from rushes.encoding import JsonOption
from rushes.engine.fair import Share
from rushes.engine.simulate.arrivals import Arrival
from rushes.engine.simulate.fleet import Group, Rules, parse_group
from rushes.engine.simulate.report import Report, Times
from rushes.engine.simulate.run import Run
from rushes.errors import Refused
from rushes.quotas import load_quotas
from rushes.rehearsal import Crowd, Terms, fitting, read_fitted, read_trace, typical
from rushes.settings import Settings, load_policy, load_profile, load_settings

app = typer.Typer(
    help="Try a fleet that is not there: how long uploads take, and what it costs.",
    epilog="Example: rushes simulate --rate 1000000/d --what-if video=1200x4 --what-if loss=20",
)
PER = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
RULES = ("loss", "notice", "startup")


@dataclass(frozen=True)
class Case:
    """One fleet that is tried."""

    name: str
    groups: tuple[Group, ...]
    rules: Rules


@app.callback(invoke_without_command=True)
def simulate(  # noqa: PLR0913 - each is an option of the command
    context: typer.Context,
    trace: Annotated[
        Path | None, typer.Option(help="Uploads that were recorded (`rushes simulate record`), instead of drawn ones.")
    ] = None,
    recorded_on: Annotated[
        list[str] | None, typer.Option(help="all=3x8: workers that the trace was recorded on. Once for each group.")
    ] = None,
    rate: Annotated[str, typer.Option(help="Uploads that are drawn: 1000000/d, 40000/h, 10/s.")] = "1000/h",
    hours: Annotated[float, typer.Option(min=0.01, help="For how long they come.")] = 24.0,
    workers: Annotated[
        list[str] | None,
        typer.Option(
            help="video=400x8: 400 workers of 8 cores. video=0..400x8: as many as it takes. Once for each group."
        ),
    ] = None,
    what_if: Annotated[
        list[str] | None, typer.Option(help="Another fleet beside it: video=800x8,loss=20. Once for each.")
    ] = None,
    profile: Annotated[str | None, typer.Option(help="Name of a profile, or a file.")] = None,
    tenants: Annotated[int, typer.Option(min=1, help="Of the uploads that are drawn.")] = 1000,
    weight: Annotated[
        list[str] | None, typer.Option(help="tenant-1=4: its weight, and its times are told. Once for each.")
    ] = None,
    bulk: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of them that nobody waits for.")] = 0.05,
    spot_loss: Annotated[
        float, typer.Option(min=0.0, max=99.0, help="Percent of the workers that are lost an hour.")
    ] = 0.0,
    notice: Annotated[float, typer.Option(min=0.0, help="Seconds that they get; 0: none.")] = 30.0,
    startup: Annotated[float, typer.Option(min=0.0, help="Seconds until a new worker takes its first step.")] = 90.0,
    price: Annotated[float, typer.Option(min=0.0, help="Of a core for an hour.")] = 0.04,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 1,
    json_output: JsonOption = False,
) -> None:
    """Try a fleet that is not there: how long uploads take until they are playable and ready, and what it costs."""
    if context.invoked_subcommand:
        return
    if recorded_on and not trace:
        raise typer.BadParameter("--recorded-on goes with --trace: drawn uploads were recorded nowhere.")
    settings = load_settings(os.environ, profile=profile)
    terms = Terms(load_profile(settings.profile), load_policy(settings.policy))
    if trace:
        source, crowd = _recorded(trace, terms, _groups(recorded_on or ()), _rules(settings))
    else:
        crowd = Crowd(parse_rate(rate), hours * 3600, tenants, typical(terms, bulk))
        source = crowd.arrivals
    rules = replace(_rules(settings), loss=spot_loss / 100, notice=notice, startup=startup)
    cases, weights = _cases(rules, crowd, workers or (), what_if or ()), parse_weights(weight or ())
    share = shares(settings, weights)
    _say([(case, _played(case, source(seed), share, (seed, price, tuple(weights)))) for case in cases], json_output)


def _played(
    case: Case, arrivals: Iterator[Arrival], share: Callable[[str], Share], terms: tuple[int, float, tuple[str, ...]]
) -> Report:
    """`terms`: seed, price, tenants whose times are told apart."""
    seed, price, tenants = terms
    with stderr().status(f"{case.name} ..."):
        return Run(case.groups, case.rules, share, seed, tenants).play(arrivals).report(price)


def _say(reports: list[tuple[Case, Report]], json_output: bool) -> None:
    if json_output:
        print(as_json({"cases": [{"name": case.name, **report.model_dump()} for case, report in reports]}))
    else:
        print("\n".join((*told(reports[0][1]), *(compared(reports) if len(reports) > 1 else ()))))


def _rules(settings: Settings) -> Rules:
    return Rules(
        lease=settings.lease_seconds, heartbeat=settings.heartbeat_seconds, drain=settings.drain_seconds,
        age=settings.age_seconds,
    )  # fmt: skip


def _groups(texts: Sequence[str]) -> list[Group]:
    try:
        return [parse_group(text) for text in texts]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _cases(rules: Rules, crowd: Crowd, workers: Sequence[str], what_if: Sequence[str]) -> list[Case]:
    groups = _groups(workers)
    try:
        base = Case("as given" if groups else "as fits", tuple(groups or fitting(crowd)), rules)
        cases = [base, *(changed(base, text) for text in what_if)]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    for case in cases:
        served = {pool for group in case.groups for pool in group.pools if group.count}
        missing = sorted({pool for one in crowd.mix for pool in one.shape.pools} - served)
        if missing:
            raise typer.BadParameter(f"{case.name}: nobody serves the pool {', '.join(missing)}, so nothing would end.")
    return cases


def parse_rate(text: str) -> float:
    """`1000000/d` -> uploads a second."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)/(d|h|min|s)", text.strip())
    if not found or not float(found[1]):
        raise typer.BadParameter("--rate is a number of uploads by d, h, min or s, such as 1000000/d.")
    return float(found[1]) / PER[found[2]]


def _recorded(
    path: Path, terms: Terms, groups: Sequence[Group], rules: Rules
) -> tuple[Callable[[int], Iterator[Arrival]], Crowd]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        arrivals, _ = read_fitted(lines, terms, groups, rules) if groups else read_trace(lines, terms)
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {error}.") from error
    except Refused as error:
        raise typer.BadParameter(f"{path}: {error.message}") from error
    return lambda _: iter(arrivals), Crowd.of(arrivals)


def changed(base: Case, text: str) -> Case:
    """`video=800x8,loss=20`: the base with these workers instead, and these rules. Raises ValueError."""
    groups, rules = {group.name: group for group in base.groups}, base.rules
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name in RULES:
            number = float(value) if re.fullmatch(r"\d+(\.\d+)?", value) else -1.0
            if number < 0 or (name == "loss" and number > 99):
                raise ValueError(f"{part!r}: {name} is a number, such as {name}=20.")
            rules = replace(rules, **{name: number / 100 if name == "loss" else number})
        else:
            group = parse_group(part.strip())
            groups[group.name] = group
    return Case(text, tuple(groups.values()), rules)


def parse_weights(texts: Sequence[str]) -> dict[str, float]:
    """`tenant-1=4` -> its weight."""
    found = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        if not name or not re.fullmatch(r"\d+(\.\d+)?", value) or not float(value):
            raise typer.BadParameter("--weight is a tenant and a number above 0, such as tenant-1=4.")
        found[name] = float(value)
    return found


def shares(settings: Settings, weights: Mapping[str, float]) -> Callable[[str], Share]:
    """As the workers would know them (`RUSHES_QUOTAS`), but for some weights."""
    quotas = load_quotas(settings)
    known = {name: Share(quota.weight, quota.running) for name, quota in quotas.tenants.items()}
    usual = Share(quotas.usual.weight, quotas.usual.running)
    known |= {name: replace(known.get(name, usual), weight=weight) for name, weight in weights.items()}
    return lambda tenant: known.get(tenant, usual)


# -- what is said -----------------------------------------------------------------------------------------------------


def told(report: Report) -> Iterator[str]:
    yield f"{report.uploads} uploads, done within {report.hours:.1f} h" + (
        f"; {report.unfinished} are not" if report.unfinished else ""
    )
    yield f"{'seconds from the last byte':30}{'p50':>9}{'p95':>9}{'p99':>9}{'worst':>9}"
    yield _times("playable", report.playable)
    yield _times("ready", report.ready)
    for name, found in report.by_label.items() if len(report.by_label) > 1 else ():
        yield _times(f"  ready: {name}", found)
    for name, found in report.by_tenant.items():
        yield _times(f"  ready: {name} ({found.count})", found)
    yield ""
    yield f"{'workers':22}{'most':>7}{'core hours':>12}{'used':>7}{'CPU hours':>11}{'wasted':>8}{'cost':>11}"
    for use in report.groups:
        yield (
            f"{use.group:22}{use.most:7}{use.core_hours:12.0f}{use.used:7.0%}{use.cpu_hours:11.0f}"
            f"{use.wasted_cpu_hours:8.1f}{use.cost:11.2f}"
        )
    yield f"{'all':22}{'':7}{'':12}{'':7}{'':11}{report.wasted:8.2%}{report.cost:11.2f}"
    yield f"{report.cost_per_thousand:.2f} for a thousand uploads"
    slow = [wait for wait in report.waits if wait.worst >= 1.0]
    if slow:
        yield ""
        yield f"{'waits of a second and more':30}{'steps':>9}{'mean':>9}{'worst':>9}"
    names = ("bulk", "enrich", "normal", "fast")
    for wait in slow:
        yield f"{wait.pool + ', ' + names[wait.level]:30}{wait.steps:9}{wait.mean:9.2f}{wait.worst:9.1f}"


def _times(name: str, found: Times) -> str:
    return f"{name:30}{found.p50:9.1f}{found.p95:9.1f}{found.p99:9.1f}{found.worst:9.1f}"


def compared(reports: list[tuple[Case, Report]]) -> Iterator[str]:
    yield ""
    yield f"{'what if':30}{'playable p50':>13}{'p95':>9}{'p99':>9}{'ready p50':>11}{'p95':>9}{'p99':>9}{'wasted':>8}{'cost':>11}"
    for case, one in reports:
        yield (
            f"{case.name:30}{one.playable.p50:13.1f}{one.playable.p95:9.1f}{one.playable.p99:9.1f}{one.ready.p50:11.1f}"
            f"{one.ready.p95:9.1f}{one.ready.p99:9.1f}{one.wasted:8.2%}{one.cost:11.2f}"
        )


# -- record -----------------------------------------------------------------------------------------------------------


@app.command(epilog="Example: rushes simulate record --hours 24 -o yesterday.jsonl")
def record(
    out: Annotated[Path, typer.Option("-o", "--out", help="File for the trace.")],
    hours: Annotated[float, typer.Option(min=0.01, help="Uploads of so long, up to now.")] = 24.0,
    data: Annotated[Path | None, typer.Option(help="Directory of the embedded stack.")] = None,
) -> None:
    """Write down which uploads came, and what their steps took, for simulations. No title, no metadata and no name is in it."""
    from rushes import wiring
    from rushes.catalog import trace
    from rushes.workers.doorbell import open_doorbell

    settings = load_settings(os.environ, data=data)
    store = wiring.open_catalog(settings, open_doorbell(settings))
    count = 0
    with out.open("w", encoding="utf-8") as file:
        for line in trace.lines(store, hours * 3600):
            file.write(_line(line))
            count += 1
    stderr().print(f"{count - 1} uploads are in {out}.", markup=False, soft_wrap=True)


def _line(values: dict[str, Any]) -> str:
    return as_json(values) + "\n"
