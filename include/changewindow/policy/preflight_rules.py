"""The gate's rules about what a run has found out itself: before its gate, and before each of its steps."""

from collections.abc import Iterator

from changewindow.documents.findings import Finding
from changewindow.policy.decision import Answers, Satisfied
from changewindow.policy.standing import ROLLED_BACK, Case, Preflight

TRY_AGAIN = "then trigger the change again"


def preflight(case: Case) -> Answers:
    """Say whether everything that was to be found out before the gate is good."""
    known = case.intent.preflight
    findings = list(preflight_findings(known)) if known else []
    yield from findings
    if known is None:
        sentence = "asked at the gate: checks, confirmations, and what the steps need to be applied and undone"
        yield Satisfied("preflight", sentence, is_asked=False)
    elif not known.is_whole and not findings:
        yield Satisfied("preflight", "not asked again, because the change cannot start anyway", is_asked=False)
    elif not findings:
        yield Satisfied("preflight", "every check is good, and nothing is missing for the steps")


def preflight_findings(known: Preflight) -> Iterator[Finding]:
    """Yield what stands against a run of what it found before its gate."""
    for task, reason in known.failed.items():
        yield Finding("check_failed", f"{task} failed: {reason.rstrip('.')}", f"Put right what it names, {TRY_AGAIN}.")
    for task, state in known.unproven.items():
        sentence = f"{task} is {state}, which proves nothing"
        yield Finding("check_unproven", sentence, "Trigger the change again, and let every check come to its end.")
    for step, lack in known.missing:
        sentence = f"step '{step}' is not ready: {lack.rstrip('.')}"
        yield Finding("prerequisite_missing", sentence, f"See to that, {TRY_AGAIN}.")
    if known.not_good:
        sentence = f"not good at the gate: {known.not_good.rstrip('.')}"
        yield Finding("not_good", sentence, f"Put it right, {TRY_AGAIN}.")


def earlier_steps(case: Case) -> Answers:
    """Say whether every step before this one is applied."""
    step = case.intent.step
    for earlier in step.not_applied if step else ():
        yield Finding("earlier_step_missing", f"step {earlier} is not applied", ROLLED_BACK)
    if step and not step.not_applied:
        yield Satisfied("earlier_steps", f"all {step.number - 1} steps before it are applied")


def may_repeat(case: Case) -> Answers:
    """Say whether the step has not started yet, or may be repeated."""
    step = case.intent.step
    if step and step.has_started and not step.safe_to_repeat:
        sentence = f"it started already, and a step of this kind is not repeated: {step.name}"
        yield Finding("not_repeatable", sentence, ROLLED_BACK)
    elif step:
        started = "it started already, and may be repeated" if step.has_started else "it has not started before"
        yield Satisfied("may_repeat", started)
