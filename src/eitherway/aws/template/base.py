"""What every stack has: parameters, tables, logs, the dead queue, outputs."""

from __future__ import annotations

from ...engines.aws import names, tables
from ..accepting import RETENTION_SECONDS_MAX
from .cloudformation import Json, Resources, attribute, ref, sub
from .mapping import public_url

_KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
_LOG_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653]
DEAD_WORKER_SECONDS = 60


def parameters(app: str, environment: list[str]) -> Json:
    """What is given when the stack is deployed.

    `EitherwayApp` is for the stack to remember, and not to be given: a deployment keeps the values
    that a stack has, and the template of another app does not take this one.
    """
    return {
        names.APP_PARAMETER: {
            "Type": "String",
            "Default": app,
            "AllowedValues": [app],
            "Description": "whose stack it is: leave it as it is",
        },
        "CodeBucket": {"Type": "String", "Description": "the S3 bucket with the code"},
        "StageName": {
            "Type": "String",
            "Default": "live",
            "AllowedPattern": "[A-Za-z0-9_]{1,128}",
            "Description": "the first part of each path of the API",
        },
        "MemoryMegabytes": {
            "Type": "Number",
            "Default": 512,
            "MinValue": 128,
            "MaxValue": 10240,
            "Description": "of each function; its share of a processor grows with it",
        },
        "PublicUrl": {
            "Type": "String",
            "Default": "",
            "Description": "start of absolute links where the API has a domain of its own",
        },
        "LogDays": {
            "Type": "Number",
            "Default": 14,
            "AllowedValues": _LOG_DAYS,
            "Description": "how long logs are kept",
        },
        "AlarmTopic": {
            "Type": "String",
            "Default": "",
            "Description": "the ARN of the SNS topic that alarms go to",
        },
        **{
            parameter_of(name): {"Type": "String", "NoEcho": True, "Description": name}
            for name in environment
        },
    }


def parameter_of(variable: str) -> str:
    """The parameter that gives a variable of the environment: letters and digits."""
    return "Env" + "".join(word.title() for word in variable.split("_"))


CONDITIONS: Json = {
    "HasPublicUrl": {"Fn::Not": [{"Fn::Equals": [ref("PublicUrl"), ""]}]},
    "HasAlarmTopic": {"Fn::Not": [{"Fn::Equals": [ref("AlarmTopic"), ""]}]},
}


def add_stores(resources: Resources, stack: str, write_units_max: int | None) -> None:
    """The tables, the logs, and the queue of what nobody could take."""
    resources.add(
        "Logs",
        "AWS::Logs::LogGroup",
        {"LogGroupName": f"/eitherway/{stack}", "RetentionInDays": ref("LogDays")},
    )
    resources.add("Jobs", "AWS::DynamoDB::Table", tables.jobs(stack), **_KEPT)
    items = tables.items(stack)
    if write_units_max is not None:
        items["OnDemandThroughput"] = {"MaxWriteRequestUnits": write_units_max}
    resources.add("Items", "AWS::DynamoDB::Table", items, **_KEPT)
    resources.add("Channels", "AWS::DynamoDB::Table", tables.channels(stack))
    resources.add(
        "DeadLetters",
        "AWS::SQS::Queue",
        {
            "QueueName": names.dead_queue(stack),
            "MessageRetentionPeriod": RETENTION_SECONDS_MAX,
            "VisibilityTimeout": 6 * DEAD_WORKER_SECONDS,
            "RedriveAllowPolicy": {"redrivePermission": "allowAll"},  # of this account and region
        },
    )


def outputs(stack: str) -> Json:
    """What a user needs to know of the stack."""
    return {
        "Url": {"Description": "where the API is", "Value": public_url()},
        "SocketUrl": {
            "Description": "where the WebSocket is",
            "Value": sub(
                "wss://${Socket}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${StageName}"
            ),
        },
        "ApiId": {"Value": ref("Api")},
        "SocketId": {"Value": ref("Socket")},
        "DeadQueueUrl": {"Value": ref("DeadLetters")},
        "JobsTable": {"Value": ref("Jobs")},
        "App": {"Value": ref(names.APP_PARAMETER)},
        "Engine": {"Value": sub(f"aws://${{AWS::Region}}/{stack}")},
    }


def dead_queue_arn() -> Json:
    """The ARN of the dead queue."""
    return attribute("DeadLetters", "Arn")
