"""The functions of eitherway itself: status, WebSocket, stream, sweeper, dead queue."""

from __future__ import annotations

from ..paths import own_routes
from ..plan import WAIT_SECONDS_MAX
from .base import DEAD_WORKER_SECONDS
from .cloudformation import Resources, arn, attribute, invocation_of, logical_name, ref, sub
from .functions import Function, Functions
from .mapping import public_url
from .queues import REPORT
from .rest import RestApi

_SOCKET_ROUTES = ("$connect", "$disconnect", "$default")
SECONDS = 29
_SWEEP_SECONDS = 55  # before the next one
_STREAM_SECONDS = 60
_STREAM_RETRIES = 10


def add_status(functions: Functions, api: RestApi, prefix: str, *, has_callers: bool) -> list[str]:
    """What tells of jobs and of the app: a function of its own."""
    environment = {
        "EITHERWAY_SERVE": "operations,status,push",
        "EITHERWAY_PUBLIC_URL": public_url(),
        "EITHERWAY_WAIT_SECONDS_MAX": str(WAIT_SECONDS_MAX),
    }
    name = functions.add(
        Function(
            name="Status",
            handler="http",
            seconds=SECONDS,
            may=[*functions.show(), functions.follow()],
            environment=environment,
        )
    )
    for _, method, path in own_routes(prefix, has_callers=has_callers):
        api.function(name + logical_name(f"{method} {path}"), method, path, name)
    functions.permit(name, "apigateway", arn("execute-api", "${Api}/*"))
    return [name]


def add_socket(resources: Resources, functions: Functions, *, has_callers: bool) -> list[str]:
    """The WebSocket API, the function behind it, and the one that tells what the stream says."""
    management = sub("https://${Socket}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${StageName}")
    environment = {"EITHERWAY_SOCKET_URL": management, "EITHERWAY_PUBLIC_URL": public_url()}
    door = functions.add(
        Function(
            name="SocketDoor",
            handler="socket",
            seconds=SECONDS,
            may=functions.tell(tickets=has_callers),
            environment=environment,
        )
    )
    _add_socket_api(resources, door)
    functions.permit(door, "apigateway", arn("execute-api", "${Socket}/*"))
    push = functions.add(
        Function(
            name="Push",
            handler="stream",
            seconds=_STREAM_SECONDS,
            may=[functions.follow(), *functions.tell()],
            environment=environment,
        )
    )
    feed = {
        "EventSourceArn": attribute("Jobs", "StreamArn"),
        "FunctionName": ref(push),
        "StartingPosition": "LATEST",
        "BatchSize": 100,
        "MaximumRetryAttempts": _STREAM_RETRIES,
        "BisectBatchOnFunctionError": True,
        "FunctionResponseTypes": REPORT,
    }
    resources.add("PushFeed", "AWS::Lambda::EventSourceMapping", feed)
    return [door, push]


def _add_socket_api(resources: Resources, door: str) -> None:
    """One function for every frame; it says who may connect."""
    api = {
        "Name": sub("${AWS::StackName}-socket"),
        "ProtocolType": "WEBSOCKET",
        "RouteSelectionExpression": "$request.body.action",
    }
    resources.add("Socket", "AWS::ApiGatewayV2::Api", api)
    integration = {
        "ApiId": ref("Socket"),
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": invocation_of(door),
    }
    resources.add("SocketIntegration", "AWS::ApiGatewayV2::Integration", integration)
    for key in _SOCKET_ROUTES:
        route = {
            "ApiId": ref("Socket"),
            "RouteKey": key,
            "AuthorizationType": "NONE",
            "Target": sub("integrations/${SocketIntegration}"),
        }
        resources.add(f"Socket{key[1:].title()}", "AWS::ApiGatewayV2::Route", route)
    stage = {"ApiId": ref("Socket"), "StageName": ref("StageName"), "AutoDeploy": True}
    resources.add("SocketStage", "AWS::ApiGatewayV2::Stage", stage)


def add_sweeper(resources: Resources, functions: Functions) -> list[str]:
    """What sends again, each minute, what lies about: unsent, due, lapsed, past its deadline."""
    functions.add(
        Function(name="Sweeper", handler="sweeper", seconds=_SWEEP_SECONDS, may=functions.run())
    )
    target = {"Arn": attribute("Sweeper", "Arn"), "Id": "Sweeper"}
    resources.add(
        "EachMinute",
        "AWS::Events::Rule",
        {"ScheduleExpression": "rate(1 minute)", "Targets": [target]},
    )
    functions.permit("Sweeper", "events", attribute("EachMinute", "Arn"))
    return ["Sweeper"]


def add_dead(resources: Resources, functions: Functions) -> list[str]:
    """What looks after hints that nobody could take: it sends again what has not ended."""
    functions.add(
        Function(
            name="Dead",
            handler="dead",
            seconds=DEAD_WORKER_SECONDS,
            may=[*functions.run(), functions.receive("DeadLetters")],
        )
    )
    resources.add(
        "DeadFeed",
        "AWS::Lambda::EventSourceMapping",
        {
            "EventSourceArn": attribute("DeadLetters", "Arn"),
            "FunctionName": ref("Dead"),
            "BatchSize": 10,
            "FunctionResponseTypes": REPORT,
            "ScalingConfig": {"MaximumConcurrency": 2},
        },
    )
    return ["Dead"]
