"""What dead letters are grouped by: one cause for one mistake, whichever order it met."""

from __future__ import annotations

import pytest

from eitherway.causes import cause_of


class BrokenError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("order 17 is gone"), "ValueError: order # is gone"),
        (KeyError("order-17"), "KeyError: 'order-#'"),
        (ValueError("job 550e8400-e29b-41d4-a716-446655440000"), "ValueError: job #"),
        (ValueError("cus_9f8e7d1a of 01ARZ3NDEKTSV4RRFFQ69G5FAV"), "ValueError: cus_# of #"),
        (OSError("10.0.0.1:5432 refused after 1.5 s"), "OSError: # refused after # s"),
        (ValueError("decade, facade"), "ValueError: decade, facade"),
        (ValueError("\n\n first 1 \nsecond"), "ValueError: first #"),
        (ValueError(), "ValueError"),
        (ValueError("x" * 500), "ValueError: " + "x" * 188),
        (BrokenError(), "BrokenError"),
    ],
)
def test_the_same_mistake_has_the_same_cause(error: Exception, expected: str) -> None:
    assert cause_of(error) == expected
