"""Who commits: the user's own `begin()` block, or `once`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransactionOrigin

from ..errors import ConfigurationError
from .schema import once_table


def begun_by_user(session: Session) -> bool:
    """Whether the session is inside an explicit `begin()`, whose block commits."""
    transaction = session.get_transaction()
    return transaction is not None and transaction.origin is SessionTransactionOrigin.BEGIN


def check_transaction(session: Session) -> None:
    """Refuse the places where nothing could be promised."""
    if event.contains(session, "before_commit", _refuse):
        raise ConfigurationError("once() in the body of once(): one of them is enough")
    if session.in_nested_transaction():
        raise ConfigurationError(
            "once() in a begin_nested() block: call it outside, and begin_nested() in its body"
        )
    connection = session.connection(bind_arguments={"clause": once_table})
    if connection._is_autocommit_isolation():  # noqa: SLF001 - told nowhere else
        raise ConfigurationError(
            "once() in AUTOCOMMIT: it needs transactions, give its engine another isolation level"
        )


@contextmanager
def uncommitted(session: Session) -> Iterator[None]:
    """While a body runs: its transaction goes on, whatever the body tries."""
    transaction = session.get_transaction()
    event.listen(session, "before_commit", _refuse)
    try:
        yield
    finally:
        event.remove(session, "before_commit", _refuse)
    if session.get_transaction() is not transaction:
        raise ConfigurationError("the body of once() has rolled back: raise instead")


def _refuse(session: Session) -> None:
    if not session.in_nested_transaction():  # a savepoint of the body's own may end
        raise ConfigurationError(
            "the body of once() commits: leave that to once(), or its result "
            "would not be in the same commit"
        )
