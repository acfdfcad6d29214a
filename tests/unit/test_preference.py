"""`Prefer` as RFC 7240 writes it (PREF-1, PREF-2, PREF-5)."""

import pytest
from abnf.grammars import rfc7240

from eitherway.gateway.preference import Preferences, applied
from eitherway.gateway.routes import Request


def preferred(*lines):
    headers = [(b"prefer", line.encode("latin-1")) for line in lines]
    return Preferences.of(Request({"headers": headers}, None, None))


@pytest.mark.parametrize(
    ("lines", "respond_async", "wait_seconds"),
    [
        ((), False, None),
        (("respond-async",), True, None),
        (("Respond-ASYNC , WAIT = 5",), True, 5),
        (("respond-async", "wait=5"), True, 5),
        (("wait=1, wait=9",), False, 1),
        (("wait=soon, wait=9",), False, None),
        (('wait="5"',), False, 5),
        (('wait="\\5"',), False, 5),
        (("wait=007",), False, 7),
        (("wait=" + "9" * 10_000,), False, 1e9),
        (("respond-async;x=y; z",), True, None),
        (('respond-async;x="a, wait=3;b", wait=2;y',), True, 2),
        (('other="a, wait=4", wait=2',), False, 2),
        ((",, wait=1 ,,",), False, 1),
        (('respond-async=""',), True, None),
        (("respond-asynchronously",), False, None),
        (("respond-async=no",), False, None),
        (("wait=-1",), False, None),
        (("wait=1.5",), False, None),
        (("wait",), False, None),
        (("wait=\xb2",), False, None),
        (("wait=1 2, respond-async",), True, None),
        (("=5, ;, @, respond-async",), True, None),
        (('respond-async, other="a, wait=4',), True, None),
    ],
)
def test_preferences_are_read_as_the_grammar_says(lines, respond_async, wait_seconds):
    """Names case-blind, lines joined, the first counts; what is malformed is as if not there."""
    assert preferred(*lines) == Preferences(respond_async, wait_seconds)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["a ;", '"', 'a="', '\\"', "a, ", " ;", "\t", 'a="\\'])
def test_no_header_takes_long_to_read(part):
    """Each is read in one pass, also where it does not fit in the end."""
    assert preferred(part * 20_000 + "@") == Preferences()


@pytest.mark.parametrize("responded_async", [False, True])
@pytest.mark.parametrize("waited_seconds", [None, 0.0, 10.0, 2.5])
def test_what_was_applied_is_named_by_the_grammar(responded_async, waited_seconds):
    """Accepted by the RFC's own grammar, without parameters; no header where nothing was."""
    fields = applied(responded_async=responded_async, waited_seconds=waited_seconds)
    if not responded_async and waited_seconds is None:
        assert fields == []
        return
    ((name, value),) = fields
    assert name == b"preference-applied"
    rule = rfc7240.Rule("Preference-Applied")
    rule.parse_all(f"Preference-Applied: {value.decode()}")
    assert b";" not in value
