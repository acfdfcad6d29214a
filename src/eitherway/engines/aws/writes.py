"""Conditional writes: one by itself, or several as one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from botocore.exceptions import ClientError

from ...errors import EngineError, EngineUnavailableError
from .codec import Image, to_image
from .rows import Row
from .store import FOR_NOW, Store, code_of

WRITES_MAX = 100
"""Of one transaction, checks included."""

MARK = "mark"
"""The attribute that says which update an item had last."""

_FAILED = ("ConditionalCheckFailed", "ConditionalCheckFailedException")
_RACED = "TransactionConflict"


@dataclass(frozen=True, kw_only=True, slots=True)
class Write:
    """An item to put, change, delete or only check; under a condition, or without one."""

    action: Literal["Put", "Update", "Delete", "ConditionCheck"] = "Put"
    table: str
    image: Image  # unless it is a put, the key alone
    update: str = ""
    mark: str = ""  # of an update: what it leaves in `MARK`, to be known again by
    condition: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """As DynamoDB takes it."""
        given: dict[str, Any] = {"TableName": self.table}
        given["Item" if self.action == "Put" else "Key"] = self.image
        if self.update:
            given["UpdateExpression"] = self.update
        if self.condition:
            given["ConditionExpression"] = self.condition
            given["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if self.names:
            given["ExpressionAttributeNames"] = self.names
        if self.values:
            given["ExpressionAttributeValues"] = self.values
        return given


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A write that was refused: its condition did not hold, or (`raced`) others write there now."""

    write: Write
    raced: bool


def create(store: Store, row: Row) -> Write:
    """Store a row that must not be there yet."""
    return Write(table=store.jobs, image=to_image(row), condition="attribute_not_exists(id)")


def swap(store: Store, before: Row, after: Row) -> Write:
    """Put a row in the place of the one that was read, if nobody else has."""
    return Write(
        table=store.jobs,
        image=to_image(after),
        condition="stamp = :stamp",
        values={":stamp": {"N": str(before.stamp)}},
    )


async def commit(store: Store, writes: Sequence[Write]) -> Sequence[Refused]:
    """Do all of it or nothing; those that were refused, empty once it is committed.

    A single write is no transaction, and half as dear.
    """
    if not writes:
        return ()
    if len(writes) == 1:
        return await _one(store, writes[0])
    if len(writes) > WRITES_MAX:
        raise EngineError(f"{len(writes)} items in one commit: DynamoDB takes {WRITES_MAX}")
    members = [{write.action: write.arguments()} for write in writes]
    try:
        await store.call(store.dynamo.transact_write_items, TransactItems=members)
    except EngineError as error:
        if code_of(error.__cause__) != "TransactionCanceledException":
            raise
        return refusals(writes, error)
    return ()


async def _one(store: Store, write: Write) -> Sequence[Refused]:
    dynamo = store.dynamo
    arguments = write.arguments()
    if write.action == "ConditionCheck":  # there is none outside of a transaction
        arguments = {"TransactItems": [{write.action: arguments}]}
    methods = {
        "Put": dynamo.put_item,
        "Update": dynamo.update_item,
        "Delete": dynamo.delete_item,
        "ConditionCheck": dynamo.transact_write_items,
    }
    try:
        await store.call(methods[write.action], **arguments)
    except EngineError as error:
        code = code_of(error.__cause__)
        if code == "TransactionCanceledException":
            return refusals([write], error)
        if code in _FAILED:
            return () if _was_done(write, error) else [Refused(write=write, raced=False)]
        if code == "TransactionConflictException":
            return [Refused(write=write, raced=True)]
        raise
    return ()


def _was_done(write: Write, error: EngineError) -> bool:
    """Whether it is refused for what it did itself: its answer was lost, and it was sent again.

    A transaction has a token for that, which boto3 makes.
    """
    cause = error.__cause__
    response = cause.response if isinstance(cause, ClientError) else {}
    if not response.get("ResponseMetadata", {}).get("RetryAttempts"):
        return False
    there = response.get("Item", {})
    if write.action == "Put":
        return is_same(there, write.image)
    if write.action == "Delete":
        return not there
    return bool(write.mark) and there.get(MARK) == {"S": write.mark}


def is_same(one: Image, other: Image) -> bool:
    """Whether two images say the same: DynamoDB writes numbers its own way (`1.0` as `1`)."""
    if one.keys() != other.keys():
        return False
    return all(_plain(value) == _plain(other[name]) for name, value in one.items())


def _plain(value: Any) -> Any:
    return Decimal(value["N"]) if "N" in value else value


def refusals(writes: Sequence[Write], error: EngineError) -> list[Refused]:
    """Which writes a transaction was refused for; raises where it was for none of them."""
    cause = error.__cause__
    response = cause.response if isinstance(cause, ClientError) else {}
    reasons = [each.get("Code") for each in response.get("CancellationReasons", ())]
    refused = [
        Refused(write=write, raced=code == _RACED)
        for write, code in zip(writes, reasons, strict=True)
        if code in (*_FAILED, _RACED)
    ]
    if refused:
        return refused
    codes = {code for code in reasons if code and code != "None"}
    told = f"DynamoDB refuses a commit: {', '.join(sorted(codes))}"
    raise (EngineUnavailableError if codes <= FOR_NOW else EngineError)(told) from cause
