"""Alarms: what is dead, what is late, what fails, what is throttled, what callers do not get."""

from __future__ import annotations

from .cloudformation import Json, Resources, attribute, ref

_LATE_SECONDS = 900
_REFUSED_PART = 0.05
"""Of a minute's requests: single ones are what limits answer."""


def add_alarms(resources: Resources, stack: str, queues: list[str], functions: list[str]) -> None:
    """Alarms over everything of a stack."""
    _alarm(
        resources,
        "RefusedAlarm",
        "AWS/ApiGateway",
        "5XXError",
        {"ApiName": stack},
        statistic="Average",
        above=_REFUSED_PART,
    )
    _alarm(  # its depth says nothing: a function takes out at once what comes
        resources,
        "DeadAlarm",
        "AWS/SQS",
        "NumberOfMessagesReceived",
        {"QueueName": attribute("DeadLetters", "QueueName")},
        statistic="Sum",
    )
    for queue in queues:
        _alarm(
            resources,
            f"{queue}LateAlarm",
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            {"QueueName": attribute(queue, "QueueName")},
            above=_LATE_SECONDS,
        )
    for function in functions:
        for ending, metric in (("FailsAlarm", "Errors"), ("ThrottledAlarm", "Throttles")):
            _alarm(
                resources,
                function + ending,
                "AWS/Lambda",
                metric,
                {"FunctionName": ref(function)},
                statistic="Sum",
            )
    for table in ("Jobs", "Items"):
        _alarm(
            resources,
            f"{table}ThrottledAlarm",
            "AWS/DynamoDB",
            "WriteThrottleEvents",
            {"TableName": ref(table)},
            statistic="Sum",
        )


def _alarm(
    resources: Resources,
    name: str,
    namespace: str,
    metric: str,
    dimensions: Json,
    *,
    statistic: str = "Maximum",
    above: float = 0,
) -> None:
    listed = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    topic = {"Fn::If": ["HasAlarmTopic", [ref("AlarmTopic")], ref("AWS::NoValue")]}
    properties = {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": listed,
        "Statistic": statistic,
        "Period": 60,
        "EvaluationPeriods": 5,
        "DatapointsToAlarm": 1,
        "Threshold": above,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": topic,
    }
    resources.add(name, "AWS::CloudWatch::Alarm", properties)
