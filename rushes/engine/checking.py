"""Every build that is to be published is checked first, beside the verdict (`packaging.lint`). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rushes.engine.specs import step
from rushes.model import LintResult, StepSpec
from rushes.noun import Reason
from rushes.states import StepKind

PACKAGE, LINT = "package.", "lint."
CHECKED = "checked"
"""Parameter of a publication that waits for a check: without one, it does not publish."""


READY = "lint.ready"
"""The check of the build that makes an asset ready: what fails it is the end of the asset, or of the encode."""
FAILED = "lint_failed"


def refusal(build: int, musts: Sequence[str]) -> Reason:
    """Why a build is not published."""
    said = f"Build {build} breaks {len(musts)} of the rules that a stream has to keep: {', '.join(musts)}."
    return Reason(code=FAILED, message=said)


def refused(result: LintResult) -> Reason:
    return refusal(result.build, result.musts)


def lint_key(package: str) -> str:
    """`package.ready~2` -> `lint.ready~2`."""
    return LINT + package.removeprefix(PACKAGE)


def checked(specs: Iterable[StepSpec]) -> list[StepSpec]:
    """The same steps, and before each publication the checks of the builds that it may publish. A check is required where its
    publication is."""
    found: list[StepSpec] = []
    keys: set[str] = set()
    for spec in specs:
        packages = [key for key in spec.after if key.startswith(PACKAGE)] if _is_new(spec) else []
        for package in packages:
            if lint_key(package) not in keys:
                found.append(_check(package, spec))
                keys.add(lint_key(package))
        lints = tuple(lint_key(package) for package in packages)
        found.append(_waiting(spec, lints) if lints else spec)
    return found


def _is_new(spec: StepSpec) -> bool:
    return spec.kind is StepKind.PUBLISH and not spec.params.get(CHECKED)


def _check(package: str, publication: StepSpec) -> StepSpec:
    """As urgent as what waits for it."""
    return step(
        lint_key(package),
        StepKind.LINT,
        package,
        priority=publication.priority,
        cost=0.1,
        required=publication.required,
    )


def _waiting(spec: StepSpec, lints: tuple[str, ...]) -> StepSpec:
    return spec.model_copy(update={"after": (*spec.after, *lints), "params": {**spec.params, CHECKED: True}})
