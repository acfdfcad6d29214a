"""Retry delays, and what policies refuse."""

import pytest

from eitherway import ConfigurationError, Limit, Retry


def test_delays_double_up_to_the_ceiling():
    """Without jitter the delay is the ceiling itself."""
    retry = Retry(base_seconds=1, ceiling_seconds=10, jitter="none")
    delays = [retry.delay_seconds(failures, max) for failures in (1, 2, 3, 4, 5, 500)]
    assert delays == [1, 2, 4, 8, 10, 10]


def test_full_jitter_spreads_from_zero():
    """The random source is asked for the whole range."""
    asked = []
    Retry(base_seconds=2).delay_seconds(2, lambda low, high: asked.append((low, high)) or 0)
    assert asked == [(0.0, 4.0)]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Retry(attempts=0),
        lambda: Retry(base_seconds=2, ceiling_seconds=1),
        lambda: Retry(jitter="some"),
        Limit,
        lambda: Limit(in_flight=0),
        lambda: Limit(per_second=0),
    ],
)
def test_impossible_policies_are_refused(wrong):
    """When they are made, not when they are used."""
    with pytest.raises(ConfigurationError):
        wrong()
