"""The states of an extract and what may follow what: the law of the gate, as data."""

from __future__ import annotations

from enum import StrEnum

from ..core.errors import GateRefusedError
from ..security.permissions import Action


class State(StrEnum):
    """Where an extract stands."""

    SUBMITTED = "submitted"
    BUILT = "built"
    EVIDENCE_FAILED = "evidence_failed"
    IN_REVIEW = "in_review"
    PARTLY_APPROVED = "partly_approved"
    APPROVED = "approved"
    RETURNED = "returned"
    REJECTED = "rejected"
    PUBLISHED = "published"
    REVOKED = "revoked"


class Step(StrEnum):
    """What can be done with an extract."""

    BUILD = "build"
    PASS_EVIDENCE = "pass_evidence"  # noqa: S105 - a step of the workflow, no password
    FAIL_EVIDENCE = "fail_evidence"
    APPROVE_FIRST = "approve_first"
    APPROVE_LAST = "approve_last"
    RETURN = "return"
    REJECT = "reject"
    PUBLISH = "publish"
    REVOKE = "revoke"


TRANSITIONS: dict[Step, tuple[frozenset[State], State]] = {
    Step.BUILD: (frozenset({State.SUBMITTED, State.RETURNED, State.EVIDENCE_FAILED}), State.BUILT),
    Step.PASS_EVIDENCE: (frozenset({State.BUILT}), State.IN_REVIEW),
    Step.FAIL_EVIDENCE: (frozenset({State.BUILT}), State.EVIDENCE_FAILED),
    Step.APPROVE_FIRST: (frozenset({State.IN_REVIEW}), State.PARTLY_APPROVED),
    Step.APPROVE_LAST: (frozenset({State.PARTLY_APPROVED}), State.APPROVED),
    Step.RETURN: (
        frozenset({State.EVIDENCE_FAILED, State.IN_REVIEW, State.PARTLY_APPROVED, State.APPROVED}),
        State.RETURNED,
    ),
    Step.REJECT: (
        frozenset({State.EVIDENCE_FAILED, State.IN_REVIEW, State.PARTLY_APPROVED, State.APPROVED}),
        State.REJECTED,
    ),
    Step.PUBLISH: (frozenset({State.APPROVED}), State.PUBLISHED),
    Step.REVOKE: (frozenset({State.PUBLISHED}), State.REVOKED),
}
ACTION_OF: dict[Step, Action] = {
    Step.BUILD: Action.BUILD_EXTRACT,
    Step.PASS_EVIDENCE: Action.BUILD_EXTRACT,
    Step.FAIL_EVIDENCE: Action.BUILD_EXTRACT,
    Step.APPROVE_FIRST: Action.APPROVE_EXTRACT,
    Step.APPROVE_LAST: Action.APPROVE_EXTRACT,
    Step.RETURN: Action.RETURN_EXTRACT,
    Step.REJECT: Action.RETURN_EXTRACT,
    Step.PUBLISH: Action.PUBLISH_EXTRACT,
    Step.REVOKE: Action.REVOKE_EXTRACT,
}


def next_state(state: State, step: Step) -> State:
    """Return the state after a step.

    Parameters
    ----------
    state : State
        Where the extract stands.
    step : Step
        What is to be done.

    Returns
    -------
    State
        Where it stands afterwards.

    Raises
    ------
    GateRefusedError
        If the step is not possible in this state.
    """
    allowed, after = TRANSITIONS[step]
    if state not in allowed:
        names = ", ".join(sorted(s.value for s in allowed))
        raise GateRefusedError(
            f"an extract that is {state.value} cannot take the step {step.value}; it must be: {names}"
        )
    return after
