"""Says in a sentence what an asset is waiting for. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rushes.model import Asset, StepView
from rushes.states import AssetState, Publication, StepKind, StepState


def explain(asset: Asset, steps: Sequence[StepView]) -> str:
    match asset.state:
        case AssetState.UPLOADING if pull := next((step for step in steps if step.kind is StepKind.PULL), None):
            return _pulled(pull)
        case AssetState.UPLOADING:
            return "The upload is not complete: it waits for the client to send the remaining bytes."
        case AssetState.FAILED if asset.reason:
            return f"It failed ({asset.reason.code}): {asset.reason.message}"
        case AssetState.DELETED:
            return "It was deleted."
    running = [step for step in steps if step.state is StepState.RUNNING]
    if running:
        return "Running: " + ", ".join(f"{step.key} ({step.progress:.0%})" for step in running) + "."
    ready = [step for step in steps if step.state is StepState.READY]
    return _queued(ready) if ready else _finished(asset)


def _pulled(pull: StepView) -> str:
    if pull.state is StepState.RUNNING:
        return f"It is being fetched from the address that was given ({pull.progress:.0%})."
    again = f" It was tried {pull.attempts} times so far." if pull.attempts else ""
    return f"It waits to be fetched from the address that was given.{again}"


def _queued(ready: Sequence[StepView]) -> str:
    fresh = ", ".join(f"pool {step.pool} (for {step.key})" for step in ready if not step.attempts)
    again = ", ".join(f"{step.key} ({step.attempts} before)" for step in ready if step.attempts)
    sentences = [f"Waiting for a free worker of {fresh}."] if fresh else []
    return " ".join([*sentences, f"Attempts failed and will be repeated: {again}."] if again else sentences)


def _finished(asset: Asset) -> str:
    rules = ", ".join(asset.verdict.rules) if asset.verdict else "none"
    match asset.publication:
        case Publication.PUBLISHED if asset.lazy:
            missing = ", ".join(rung.name for rung in asset.lazy)
            return f"Somebody to watch it: it is published, and {missing} is made on demand."
        case Publication.PUBLISHED:
            return "Nothing: it is published and all its steps have ended."
        case Publication.HELD:
            return f"A decision: it is held by policy (rules: {rules})."
        case Publication.BLOCKED:
            return f"Nothing: it is blocked by policy (rules: {rules})."
        case _:
            return "Nothing is running and nothing is ready."
