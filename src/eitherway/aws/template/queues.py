"""An operation's queues, and how its worker is fed from them."""

from __future__ import annotations

from typing import Any

from ..accepting import RETENTION_SECONDS_MAX
from ..feeding import CONCURRENCY_MIN, Queue
from .base import dead_queue_arn
from .cloudformation import Resources, attribute, ref

REPORT = ["ReportBatchItemFailures"]


def add_queues(resources: Resources, name: str, queue: Queue) -> tuple[str, str]:
    """The queue of an operation's hints and that of its suspects; their names."""
    return (
        _add(resources, f"{name}Queue", queue.name, queue),
        _add(resources, f"{name}QueueAlone", queue.alone, queue),
    )


def _add(resources: Resources, name: str, physical: str, queue: Queue) -> str:
    """Redrive is a backstop, far above the attempts, which the record counts."""
    redrive = {"deadLetterTargetArn": dead_queue_arn(), "maxReceiveCount": queue.receives_max}
    properties = {
        "QueueName": physical,
        "VisibilityTimeout": queue.visibility_seconds,
        "MessageRetentionPeriod": RETENTION_SECONDS_MAX,
        "RedrivePolicy": redrive,
    }
    return resources.add(name, "AWS::SQS::Queue", properties)


def add_mappings(resources: Resources, name: str, queue: Queue, worker: str) -> None:
    """Feed the worker: batches within the limits, suspects one by one."""
    _feed(
        resources,
        f"{name}Mapping",
        f"{name}Queue",
        worker,
        batch=queue.batch,
        concurrency=queue.concurrency,
        window_seconds=queue.window_seconds,
    )
    _feed(
        resources,
        f"{name}MappingAlone",
        f"{name}QueueAlone",
        worker,
        batch=1,
        concurrency=CONCURRENCY_MIN,
        window_seconds=0,
    )


def _feed(
    resources: Resources,
    name: str,
    queue: str,
    worker: str,
    *,
    batch: int,
    concurrency: int,
    window_seconds: int,
) -> None:
    properties: dict[str, Any] = {
        "EventSourceArn": attribute(queue, "Arn"),
        "FunctionName": ref(worker),
        "BatchSize": batch,
        "FunctionResponseTypes": REPORT,
        "ScalingConfig": {"MaximumConcurrency": concurrency},
    }
    if window_seconds:
        properties["MaximumBatchingWindowInSeconds"] = window_seconds
    resources.add(name, "AWS::Lambda::EventSourceMapping", properties)
