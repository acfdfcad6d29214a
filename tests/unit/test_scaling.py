"""How many workers there should be."""

import pytest

from eitherway import ConfigurationError
from eitherway.worker.scaling import Load, Scaling

NOTHING = Load(jobs=0, oldest_due=None)


def waiting_since(due):
    return Load(jobs=5, oldest_due=due)


def test_one_worker_is_added_at_a_time_while_the_oldest_job_is_too_old():
    """Up to the most, with time between for the last one to help."""
    scaling, workers, counts = Scaling(1, 3, target_seconds=2), 1, []
    for now in range(100, 110):
        workers = scaling.wanted(workers, waiting_since(99), now)
        counts.append(workers)
    assert counts == [1, 1, 2, 2, 3, 3, 3, 3, 3, 3]


def test_young_jobs_and_busy_workers_change_nothing():
    """Neither more nor fewer."""
    scaling = Scaling(1, 4)
    assert scaling.wanted(2, waiting_since(100), 101) == 2
    assert scaling.wanted(2, Load(jobs=1, oldest_due=None), 200) == 2


def test_workers_are_drained_one_by_one_when_nothing_is_left():
    """After a while of nothing to do, down to the least."""
    scaling, workers, counts = Scaling(1, 4, idle_seconds=10), 3, []
    for now in range(100, 140, 5):
        workers = scaling.wanted(workers, NOTHING, now)
        counts.append(workers)
    assert counts == [3, 3, 2, 2, 1, 1, 1, 1]


def test_a_job_between_starts_the_wait_again():
    """Idle means all the time."""
    scaling = Scaling(1, 4, idle_seconds=10)
    assert scaling.wanted(2, NOTHING, 100) == 2
    assert scaling.wanted(2, waiting_since(108), 109) == 2
    assert scaling.wanted(2, NOTHING, 112) == 2
    assert scaling.wanted(2, NOTHING, 122) == 1


def test_bounds_are_a_number_or_two():
    """Anything else is told what to give."""
    assert (Scaling.parse("2").least, Scaling.parse("2").most) == (2, 2)
    assert (Scaling.parse("1:4").least, Scaling.parse("1:4").most) == (1, 4)
    for wrong in ("", "0", "4:1", "1:", "a:b", "1:2:3", "-1"):
        with pytest.raises(ConfigurationError, match="MIN:MAX"):
            Scaling.parse(wrong)
