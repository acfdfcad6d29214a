"""The one transition table."""

import itertools

import pytest

from eitherway import TransitionError
from eitherway.job import TERMINAL, JobState, check_transition

LEGAL = {
    "scheduled": "queued canceled failed",
    "queued": "running canceled failed",
    "running": "succeeded failed retrying queued canceled",
    "retrying": "running canceled failed",
    "succeeded": "",
    "failed": "queued",
    "canceled": "",
}


@pytest.mark.parametrize(("current", "new"), list(itertools.product(JobState, repeat=2)))
def test_exactly_the_documented_transitions_are_legal(current, new):
    """Every pair of states, and what the error names."""
    if new in LEGAL[current].split():
        check_transition(current, new)
    else:
        with pytest.raises(TransitionError, match=f"{new}.* not from {current}"):
            check_transition(current, new)


def test_three_states_are_final():
    """And `done` says so."""
    assert {state for state in JobState if state.done} == TERMINAL
    assert sorted(TERMINAL) == ["canceled", "failed", "succeeded"]
