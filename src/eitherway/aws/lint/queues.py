"""Traps of queues and of what is fed from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .findings import Finding, Json, Stack, listed, mapping_of, names_in
from .roles import role_in

RECEIVES_MIN = 20
"""Throttled receives count, too, although no code ran: fewer send healthy messages away."""

_UNWINDOWED_MAX = 10
_FEEDS = {
    "SQS::Queue": "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes",
    "DynamoDB::Table": (
        "dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:DescribeStream dynamodb:ListStreams"
    ),
}


class _Feed(NamedTuple):
    """A mapping from a queue to a function, both of the stack, each by name and properties."""

    mapping_name: str
    mapping: Json
    function_name: str
    function: Json
    queue_name: str
    queue: Json


def _feeds(stack: Stack) -> Iterator[_Feed]:
    for name, mapping in stack.of("Lambda::EventSourceMapping"):
        function_name = stack.named_in(mapping.get("FunctionName"), "Lambda::Function")
        queue_name = stack.named_in(mapping.get("EventSourceArn"), "SQS::Queue")
        if function_name is None or queue_name is None:
            continue
        function = stack.get(function_name, "Lambda::Function") or {}
        queue = stack.get(queue_name, "SQS::Queue") or {}
        yield _Feed(name, mapping, function_name, function, queue_name, queue)


def batch_without_window(stack: Stack) -> Iterator[Finding]:
    """More than 10 messages at once need a window of a second."""
    for name, mapping in stack.of("Lambda::EventSourceMapping"):
        if stack.named_in(mapping.get("EventSourceArn"), "SQS::Queue") is None:
            continue
        batch = stack.number(mapping.get("BatchSize"), 10)
        window = stack.number(mapping.get("MaximumBatchingWindowInSeconds"), 0)
        if batch and window is not None and batch > _UNWINDOWED_MAX and window < 1:
            yield Finding(
                "batch-without-window",
                name,
                f"a batch of {batch:g} needs MaximumBatchingWindowInSeconds of 1 or more",
            )


def few_receives(stack: Stack) -> Iterator[Finding]:
    """Redrive is a backstop: attempts are counted in records."""
    for name, queue in stack.of("SQS::Queue"):
        redrive = mapping_of(queue.get("RedrivePolicy"))
        receives = stack.number(redrive.get("maxReceiveCount"), 0)
        if redrive and receives is not None and receives < RECEIVES_MIN:
            yield Finding(
                "few-receives",
                name,
                f"maxReceiveCount {receives:g} is reached by throttles alone: "
                f"give {RECEIVES_MIN} or more",
            )


def no_redrive(stack: Stack) -> Iterator[Finding]:
    """A message that kills its worker would be fed to it for days."""
    targets = {
        target
        for _, queue in stack.of("SQS::Queue")
        for target in names_in(mapping_of(queue.get("RedrivePolicy")).get("deadLetterTargetArn"))
    }
    for feed in _feeds(stack):
        is_dead = feed.queue_name in targets or "RedriveAllowPolicy" in feed.queue
        if "RedrivePolicy" not in feed.queue and not is_dead:
            yield Finding(
                "no-redrive", feed.queue_name, "give it a RedrivePolicy, or poison goes round"
            )


def reserved_concurrency(stack: Stack) -> Iterator[Finding]:
    """It throttles what polls, and each throttle counts as a receive."""
    for feed in _feeds(stack):
        if "ReservedConcurrentExecutions" in feed.function:
            yield Finding(
                "reserved-concurrency",
                feed.function_name,
                "reserved concurrency sends healthy messages to the dead queue: "
                "use MaximumConcurrency of the mapping",
            )


def short_visibility(stack: Stack) -> Iterator[Finding]:
    """A message that is seen again while it is worked on is worked on twice."""
    for feed in _feeds(stack):
        window = stack.number(feed.mapping.get("MaximumBatchingWindowInSeconds"), 0)
        timeout = stack.number(feed.function.get("Timeout"), 3)
        visibility = stack.number(feed.queue.get("VisibilityTimeout"), 30)
        if window is None or timeout is None or visibility is None:
            continue
        wanted = 6 * timeout + window
        if visibility < wanted:
            yield Finding(
                "short-visibility",
                feed.queue_name,
                f"VisibilityTimeout {visibility:g} is below {wanted:g}: "
                "six times the function's timeout, and the window",
            )


def whole_batches(stack: Stack) -> Iterator[Finding]:
    """Without partial answers one failure repeats its whole batch."""
    for feed in _feeds(stack):
        if "ReportBatchItemFailures" not in listed(feed.mapping.get("FunctionResponseTypes")):
            yield Finding(
                "whole-batches",
                feed.mapping_name,
                "FunctionResponseTypes lacks ReportBatchItemFailures",
            )


def unlimited_concurrency(stack: Stack) -> Iterator[Finding]:
    """A queue that nothing holds back empties itself onto the database."""
    for feed in _feeds(stack):
        if "MaximumConcurrency" not in mapping_of(feed.mapping.get("ScalingConfig")):
            yield Finding(
                "unlimited-concurrency",
                feed.mapping_name,
                "ScalingConfig has no MaximumConcurrency",
            )


def mapping_permissions(stack: Stack) -> Iterator[Finding]:
    """A mapping reads with the role of its function."""
    for name, mapping in stack.of("Lambda::EventSourceMapping"):
        function = stack.named_in(mapping.get("FunctionName"), "Lambda::Function")
        role = role_in(stack, (stack.get(function, "Lambda::Function") or {}).get("Role"))
        for kind, actions in _FEEDS.items():
            source = stack.named_in(mapping.get("EventSourceArn"), kind)
            if source is None or role is None:
                continue
            lacking = [one for one in actions.split() if not role.allows(one, source)]
            if lacking:
                yield Finding(
                    "mapping-permissions",
                    name,
                    f"{role.name} does not allow {lacking[0]} on {source}",
                )
