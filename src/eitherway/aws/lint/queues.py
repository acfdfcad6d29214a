"""Traps of queues and of what is fed from them."""

from __future__ import annotations

from collections.abc import Iterator

from .findings import Finding, Json, Stack

RECEIVES_MIN = 20
"""Throttled receives count, too, although no code ran: fewer send healthy messages away."""

_UNWINDOWED_MAX = 10
_FEEDS = {
    "SQS::Queue": "sqs:ReceiveMessage sqs:DeleteMessage sqs:GetQueueAttributes",
    "DynamoDB::Table": "dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:DescribeStream",
}


def batch_without_window(stack: Stack) -> Iterator[Finding]:
    """More than 10 messages at once need a window of a second."""
    for name, mapping in stack.of("Lambda::EventSourceMapping"):
        if stack.named_in(mapping.get("EventSourceArn"), "SQS::Queue") is None:
            continue
        batch, window = (
            mapping.get("BatchSize", 10),
            mapping.get("MaximumBatchingWindowInSeconds", 0),
        )
        if batch > _UNWINDOWED_MAX and window < 1:
            yield Finding(
                "batch-without-window",
                name,
                f"a batch of {batch} needs MaximumBatchingWindowInSeconds of 1 or more",
            )


def few_receives(stack: Stack) -> Iterator[Finding]:
    """Redrive is a backstop: attempts are counted in records."""
    for name, queue in stack.of("SQS::Queue"):
        redrive = queue.get("RedrivePolicy")
        if redrive and redrive.get("maxReceiveCount", 0) < RECEIVES_MIN:
            yield Finding(
                "few-receives",
                name,
                f"maxReceiveCount {redrive.get('maxReceiveCount')} is reached by throttles alone: "
                f"give {RECEIVES_MIN} or more",
            )


def _consumers(stack: Stack) -> Iterator[tuple[str, Json, str, Json, str, Json]]:
    """Mappings from queues: mapping, function and queue, each by name and properties."""
    for name, mapping in stack.of("Lambda::EventSourceMapping"):
        queue = stack.named_in(mapping.get("EventSourceArn"), "SQS::Queue")
        function = stack.named_in(mapping.get("FunctionName"), "Lambda::Function")
        if queue is None or function is None:
            continue
        yield (
            *(name, mapping),
            *(function, stack.get(function, "Lambda::Function") or {}),
            *(queue, stack.get(queue, "SQS::Queue") or {}),
        )


def reserved_concurrency(stack: Stack) -> Iterator[Finding]:
    """It throttles what polls, and each throttle counts as a receive."""
    for _, _, function, properties, _, _ in _consumers(stack):
        if "ReservedConcurrentExecutions" in properties:
            yield Finding(
                "reserved-concurrency",
                function,
                "reserved concurrency sends healthy messages to the dead queue: "
                "use MaximumConcurrency of the mapping",
            )


def short_visibility(stack: Stack) -> Iterator[Finding]:
    """A message that is seen again while it is worked on is worked on twice."""
    for _, mapping, _, function, queue, properties in _consumers(stack):
        window = mapping.get("MaximumBatchingWindowInSeconds", 0)
        wanted = 6 * function.get("Timeout", 3) + window
        if properties.get("VisibilityTimeout", 30) < wanted:
            yield Finding(
                "short-visibility",
                queue,
                f"VisibilityTimeout {properties.get('VisibilityTimeout', 30)} is below {wanted}: "
                "six times the function's timeout, and the window",
            )


def whole_batches(stack: Stack) -> Iterator[Finding]:
    """Without partial answers one failure repeats its whole batch."""
    for name, mapping, _, _, _, _ in _consumers(stack):
        if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
            yield Finding(
                "whole-batches", name, "FunctionResponseTypes lacks ReportBatchItemFailures"
            )


def unlimited_concurrency(stack: Stack) -> Iterator[Finding]:
    """A queue that nothing holds back empties itself onto the database."""
    for name, mapping, _, _, _, _ in _consumers(stack):
        if "MaximumConcurrency" not in (mapping.get("ScalingConfig") or {}):
            yield Finding("unlimited-concurrency", name, "ScalingConfig has no MaximumConcurrency")


def mapping_permissions(stack: Stack) -> Iterator[Finding]:
    """A mapping reads with the role of its function."""
    for name, mapping in stack.of("Lambda::EventSourceMapping"):
        function = stack.named_in(mapping.get("FunctionName"), "Lambda::Function")
        role = stack.named_in(
            (stack.get(function, "Lambda::Function") or {}).get("Role"), "IAM::Role"
        )
        for kind, actions in _FEEDS.items():
            source = stack.named_in(mapping.get("EventSourceArn"), kind)
            if source is None or role is None:
                continue
            lacking = [one for one in actions.split() if not stack.allows(role, one, source)]
            if lacking:
                yield Finding(
                    "mapping-permissions", name, f"{role} does not allow {lacking[0]} on {source}"
                )
