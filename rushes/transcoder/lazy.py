"""What of a plan is made only when somebody wants to see the video. Pure."""

from __future__ import annotations

from rushes.facts import SourceFacts
from rushes.plan import Ladder, Plan, Rung
from rushes.profiles import Profile
from rushes.transcoder.chunks import plan_chunks, plan_lazy_chunks
from rushes.transcoder.ladder import codecs


def put_off(plan: Plan, facts: SourceFacts, profile: Profile) -> Plan:
    """The plan with what is lazy set apart. A rung is what the nearest rung of the profile's table says, by its short side,
    whether the ladder is fixed or made for the content; the lowest of the first codec is never put off. Nor is the source
    where it is a rung itself: to copy it costs nothing."""
    if not profile.video.has_lazy or facts.video is None:
        return plan
    late = {(target.codec, target.hdr) for target in codecs(facts.video, profile) if target.lazy}
    eager, lazy = [], []
    for ladder in plan.ladders:
        whole = (ladder.codec, bool(ladder.rungs[0].hdr)) in late
        now = [] if whole else [rung for rung in ladder.rungs if not is_lazy(rung, profile)]
        if ladder is plan.ladders[0] and not now:
            now = [ladder.rungs[-1]]
        eager += _with(ladder, now)
        lazy += _with(ladder, [rung for rung in ladder.rungs if rung not in now])
    if not lazy:
        return plan
    first = [ladder for ladder in lazy if ladder.name == eager[0].name]
    chunks = {"chunks": plan_chunks(facts, *eager), "lazy_chunks": plan_lazy_chunks(facts, *first) if first else ()}
    return plan.model_copy(update={"ladders": tuple(eager), "lazy": tuple(lazy), **chunks})


def is_lazy(rung: Rung, profile: Profile) -> bool:
    side = min(rung.width, rung.height)
    return min(profile.video.rungs, key=lambda target: abs(target.short_side - side)).lazy


def _with(ladder: Ladder, rungs: list[Rung]) -> list[Ladder]:
    return [ladder.model_copy(update={"rungs": tuple(rungs)})] if rungs else []
