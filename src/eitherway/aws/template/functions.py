"""Functions, each under a role that may do no more than it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ...engines.aws import names
from .cloudformation import Json, Resources, allow, arn, attribute, ref, role, sub

CODE = {"S3Bucket": ref("CodeBucket"), "S3Key": {"Fn::FindInMap": ["Code", "Zip", "Key"]}}
_READ = "dynamodb:BatchGetItem GetItem Query"
_WRITE = f"{_READ} BatchWriteItem ConditionCheckItem DeleteItem PutItem UpdateItem"


@dataclass(frozen=True, kw_only=True)
class Function:
    """What Lambda runs: `handler` of `eitherway.lambdas`, for `seconds` at most."""

    name: str
    handler: str
    seconds: int
    may: list[Json]
    environment: dict[str, Any] = field(default_factory=dict)


class Functions:
    """Adds functions of one app."""

    def __init__(
        self, resources: Resources, stack: str, target: str, *, runtime: str, architecture: str
    ) -> None:
        self._resources = resources
        self._stack = stack
        self._runtime = runtime
        self._architecture = architecture
        self.environment: dict[str, Any] = {
            "EITHERWAY_APP": target,
            "EITHERWAY_ENGINE": sub(f"aws://${{AWS::Region}}/{stack}"),
            "EITHERWAY_LOG_FORMAT": "json",
        }

    def add(self, function: Function) -> str:
        """Add one, with its role; its name."""
        logs = allow("logs:CreateLogStream PutLogEvents", attribute("Logs", "Arn"))
        role_name = self._resources.add(
            f"{function.name}Role", "AWS::IAM::Role", role("lambda", [logs, *function.may])
        )
        return self._resources.add(
            function.name,
            "AWS::Lambda::Function",
            {
                "Runtime": self._runtime,
                "Architectures": [self._architecture],
                "Handler": f"eitherway.lambdas.{function.handler}.handler",
                "Role": attribute(role_name, "Arn"),
                "Code": CODE,
                "Timeout": function.seconds,
                "MemorySize": ref("MemoryMegabytes"),
                "LoggingConfig": {"LogGroup": ref("Logs")},
                "Environment": {"Variables": {**self.environment, **function.environment}},
            },
        )

    def permit(self, function: str, service: str, source: Json, *, name: str = "") -> None:
        """Let a service invoke a function, on behalf of `source` alone."""
        self._resources.add(
            name or f"{function}Permission",
            "AWS::Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": attribute(function, "Arn"),
                "Principal": f"{service}.amazonaws.com",
                "SourceArn": source,
            },
        )

    # -- what functions may do -------------------------------------------------------------------

    def run(self) -> list[Json]:
        """Run handlers: records, items, and hints for jobs that they enqueue."""
        return [self._on("Jobs", _WRITE), self._on("Items", _WRITE), self.send()]

    def show(self) -> list[Json]:
        """Show jobs and cancel them."""
        return [self._on("Jobs", _WRITE), self._on("Items", _WRITE)]

    def send(self) -> Json:
        """Send hints to the queues of this stack, whichever they are."""
        named = arn(
            "sqs", f"{names.queues(self._stack)}*"
        )  # one by one, a new one would change all
        return allow("sqs:GetQueueAttributes GetQueueUrl SendMessage", named)

    def receive(self, *queues: str) -> Json:
        """Be fed from queues by an event source mapping, which uses the function's own role."""
        arns = [attribute(queue, "Arn") for queue in queues]
        return allow(
            "sqs:ChangeMessageVisibility DeleteMessage GetQueueAttributes ReceiveMessage", *arns
        )

    def tell(self, *, tickets: bool = False) -> list[Json]:
        """Post to WebSocket connections, and note what they listen to.

        With `tickets` it uses up those that callers come with, as a key is.
        """
        posts = arn("execute-api", "${Socket}/${StageName}/*/@connections/*")
        records = _WRITE if tickets else _READ
        return [
            allow("dynamodb:DeleteItem PutItem Query", attribute("Channels", "Arn")),
            self._on("Jobs", records),
            self._on("Items", records),
            allow("execute-api:ManageConnections", posts),
        ]

    def follow(self) -> Json:
        """Be fed from the stream of the table of jobs."""
        streams = sub("${Jobs.Arn}/stream/*")  # `ListStreams` is of all of them
        return allow("dynamodb:DescribeStream GetRecords GetShardIterator ListStreams", streams)

    def _on(self, table: str, actions: str) -> Json:
        """What may be done to a table, and to its indexes."""
        return allow(
            actions + " DescribeTable", attribute(table, "Arn"), sub(f"${{{table}.Arn}}/index/*")
        )
