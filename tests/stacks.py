"""AWS offline: MiniStack, and in it a stack that `eitherway aws build` has made."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import boto3
import httpx
from botocore.config import Config
from websockets.sync.client import ClientConnection, connect

import stack_gaps
from tools import missing

ROOT = Path(__file__).parents[1]
_MADE = ROOT / ".dev" / "ministack" / "bin"
_REGION = "us-east-1"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": _REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_BUCKET = "code"


class MiniStack:
    """One server on a free loopback port, with its files in a folder of its own.

    It checks signatures, and holds functions to their roles.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "ministack.log"

    def __enter__(self) -> Self:
        if not (_MADE / "ministack").exists():
            missing(".dev/ministack is missing: ./dev test makes it")
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **_CREDENTIALS,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "LAMBDA_EXECUTOR": "local",
            "AUTH": "true",
            "IOT_MTLS_ENABLED": "0",
            "STATE_DIR": str(self.folder / "state"),
            "S3_DATA_DIR": str(self.folder / "s3"),
            "TMPDIR": str(self.folder),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [_MADE / "ministack"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        for _ in until(60, "MiniStack answers"):
            assert self.process.poll() is None, self.log.read_text()
            try:
                httpx.get(f"{self.url}/_ministack/health", timeout=5).raise_for_status()
            except httpx.TransportError:
                continue
            return self
        raise AssertionError

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def client(self, service: str) -> Any:
        """A client of boto3."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"}),
        )


class Microburst:
    """A proxy before MiniStack, which answers some requests as an AWS in trouble does.

    Functions have it for their HTTP proxy (`environment`), not for their endpoint: so they sign
    for MiniStack's own address, and what it passes on is as good as if it had come at once.
    """

    def __init__(self, server: MiniStack) -> None:
        self._server = server

    def __enter__(self) -> Self:
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [_MADE / "microburst", "--host", "127.0.0.1", "--port", str(port)]
        with (self._server.folder / "microburst.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "-u", self._server.url],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._server.folder,
            )
        for _ in until(30, "microburst answers"):
            try:
                httpx.get(f"{self.url}/_microburst/health").raise_for_status()
            except httpx.TransportError:
                continue
            return self
        raise AssertionError

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def environment(self) -> dict[str, str]:
        """What makes functions go through it."""
        return {"HTTP_PROXY": self.url, "NO_PROXY": "", "no_proxy": ""}

    @contextmanager
    def throttling(self, *operations: str, probability: float) -> Iterator[None]:
        """Have DynamoDB refuse these requests so often, while the block runs."""
        error = {"code": "ProvisionedThroughputExceededException"}
        rules = [
            {"service": "dynamodb", "operation": each, "probability": probability, "error": error}
            for each in operations
        ]
        httpx.post(f"{self.url}/_microburst/rules", json=rules).raise_for_status()
        try:
            yield
        finally:
            httpx.post(f"{self.url}/_microburst/rules", json=[]).raise_for_status()

    def fired(self) -> int:
        """How many requests were refused so far."""
        return len(httpx.get(f"{self.url}/_microburst/fired?limit=10000").json())


class Stack:
    """The stack of an app in MiniStack: `target` is `module:app`, its file in `app_folder`."""

    def __init__(
        self,
        server: MiniStack,
        app_folder: Path,
        target: str,
        *,
        visibility_seconds: int | None = None,
        environment: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.server = server
        self.name = target.partition(":")[0].replace("_", "-")
        self._app_folder = app_folder
        self._target = target
        self._visibility_seconds = visibility_seconds
        self._environment = environment or {}
        self._parameters = parameters or {}  # variables that become parameters of the stack

    def __enter__(self) -> Self:
        began = time.monotonic()
        self.template = self.built(self._target)
        self.build_seconds = time.monotonic() - began
        url = self._upload(self.template)
        cloud = self.server.client("cloudformation")
        began = time.monotonic()
        cloud.create_stack(
            StackName=self.name,
            TemplateURL=url,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in self._given(self.template).items()
            ],
        )
        for _ in until(60, "the stack is there"):
            (stack,) = cloud.describe_stacks(StackName=self.name)["Stacks"]
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                break
        assert stack["StackStatus"] == "CREATE_COMPLETE", self._failures(cloud)
        self.create_seconds = time.monotonic() - began
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        listed = cloud.describe_stack_resources(StackName=self.name)["StackResources"]
        self.resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed}
        stack_gaps.attach_validators(
            self.server.client("apigateway"), self.outputs["ApiId"], self.template, self.resources
        )
        stage = f"_aws/execute-api/{self.outputs['ApiId']}/live"
        self.http = httpx.Client(base_url=f"{self.server.url}/{stage}", timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    # -- making it -------------------------------------------------------------------------------

    def built(self, target: str) -> dict[str, Any]:
        """The template of an app in the folder, for this stack, as the tests need it."""
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "eitherway", "aws", "build", target]
            command += ["--out", f"{folder}/out", "--stack", self.name, "--no-zip"]
            command += [word for name in self._parameters for word in ("--env", name)]
            done = subprocess.run(
                command, cwd=self._app_folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            text = (Path(folder) / "out" / "template.json").read_text()
        self.template_bytes = len(text.encode())
        template = json.loads(text)
        template["Mappings"]["Code"]["Zip"]["Key"] = f"{self.name}.zip"
        for resource in template["Resources"].values():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::SQS::Queue" and self._visibility_seconds is not None:
                properties["VisibilityTimeout"] = self._visibility_seconds
            if resource["Type"] == "AWS::Lambda::Function":
                properties["Environment"]["Variables"] |= self._environment
            if resource["Type"] == "AWS::IAM::Role":
                for policy in properties["Policies"]:
                    stack_gaps.widen(policy["PolicyDocument"]["Statement"])
        return template

    def _given(self, template: Mapping[str, Any]) -> dict[str, str]:
        """What the stack is to be given: each parameter of a variable by what that describes."""
        named = {
            name: self._parameters[one["Description"]]
            for name, one in template["Parameters"].items()
            if one["Description"] in self._parameters
        }
        return {"CodeBucket": _BUCKET, **named}

    def deploy(self, template: Mapping[str, Any]) -> None:
        """Change the stack as `aws cloudformation deploy` does. `ClientError`: it is refused.

        What is not given, and the bucket alone is, keeps the value that the stack has.
        """
        cloud = self.server.client("cloudformation")
        url = self._upload(template)
        known = cloud.get_template_summary(StackName=self.name)["Parameters"]
        kept = {one["ParameterKey"] for one in known} & template["Parameters"].keys()
        cloud.create_change_set(
            StackName=self.name,
            ChangeSetName="next",
            ChangeSetType="UPDATE",
            TemplateURL=url,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[
                {"ParameterKey": "CodeBucket", "ParameterValue": _BUCKET},
                *(
                    {"ParameterKey": name, "UsePreviousValue": True}
                    for name in sorted(kept - {"CodeBucket"})
                ),
            ],
        )
        for _ in until(30, "the change is planned"):
            planned = cloud.describe_change_set(StackName=self.name, ChangeSetName="next")
            assert planned["Status"] != "FAILED", planned["StatusReason"]
            if planned["Status"] == "CREATE_COMPLETE":
                break
        cloud.execute_change_set(StackName=self.name, ChangeSetName="next")
        for _ in until(60, "the stack is changed"):
            (stack,) = cloud.describe_stacks(StackName=self.name)["Stacks"]
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                break
        assert stack["StackStatus"] == "UPDATE_COMPLETE", self._failures(cloud)

    def _upload(self, template: Mapping[str, Any]) -> str:
        """Put the template, and the code that it names, into the bucket; where the template is.

        The code is the app's own: eitherway, and what it needs, are where functions run.
        """
        packed, key = io.BytesIO(), template["Mappings"]["Code"]["Zip"]["Key"]
        with zipfile.ZipFile(packed, "w") as archive:
            archive.comment = key.encode()
            for file in self._app_folder.glob("*.py"):
                archive.write(file, file.name)
        store = self.server.client("s3")
        store.create_bucket(Bucket=_BUCKET)
        store.put_object(Bucket=_BUCKET, Key=key, Body=packed.getvalue())
        text = json.dumps(template).encode()  # too large to be given as it is
        store.put_object(Bucket=_BUCKET, Key=f"{self.name}.json", Body=text)
        return f"{self.server.url}/{_BUCKET}/{self.name}.json"

    def _failures(self, cloud: Any) -> str:
        events = cloud.describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(
            f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason')}"
            for one in events
            if "FAILED" in one["ResourceStatus"]
        )

    # -- using it --------------------------------------------------------------------------------

    def path_of(self, url: str) -> str:
        """The path, within the stage, of a link in an answer."""
        return stack_gaps.timed(url.split("/live", 1)[1])

    def job(self, url: str, *, within_seconds: float = 60, sweeping: bool = False) -> Any:
        """The document of a job once it has ended, from its link; `sweeping` all the time."""
        for _ in until(within_seconds, f"{url} has ended", self.logs):
            answered = self.http.get(self.path_of(url))
            assert answered.status_code == 200, (answered.text, self.logs())
            document = answered.json()
            if document["done"]:
                break
            if sweeping:
                self.invoke("Sweeper", {})
        return document

    def told(self, url: str, *, within_seconds: float = 60) -> list[dict[str, Any]]:
        """The events of a stream, from its link, up to the one after which nothing can come."""
        events: list[dict[str, Any]] = []
        headers: dict[str, str] = {}
        for _ in until(within_seconds, f"{url} has told everything", self.logs):
            answered = self.http.get(self.path_of(url), headers=headers)
            if answered.status_code == 204:
                break
            assert answered.status_code == 200, (answered.text, self.logs())
            for line in answered.text.splitlines():
                name, _, value = line.partition(": ")
                if name == "id":
                    headers["last-event-id"] = value
                elif name == "data":
                    events.append(json.loads(value))
        return events

    @contextmanager
    def socket(self, *, query: str = "") -> Iterator[ClientConnection]:
        """A WebSocket, open. `InvalidStatus` where the handshake is refused."""
        address = f"ws://127.0.0.1:{self.server.port}/_aws/execute-api"
        url = f"{address}/{self.outputs['SocketId']}/live{query}"
        with connect(url, subprotocols=["cloudevents.json"], open_timeout=30) as opened:  # type: ignore[list-item]
            yield opened

    def operate(self, *command: str) -> str:
        """What a command says to an operator who has the stack for an engine."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "eitherway", *command),
                *("--engine", f"aws://{_REGION}/{self.name}", "--app", self._target),
            ],
            cwd=self._app_folder,
            env={**os.environ, **_CREDENTIALS, "AWS_ENDPOINT_URL": self.server.url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def invoke(self, function: str, event: Any) -> Any:
        """What one of the functions returns."""
        answered = self.functions.invoke(
            FunctionName=self.resources[function], Payload=json.dumps(event).encode()
        )
        returned = json.loads(answered["Payload"].read() or b"null")
        assert "FunctionError" not in answered, (returned, self.logs())
        return returned

    @cached_property
    def functions(self) -> Any:
        """The client of Lambda."""
        return self.server.client("lambda")

    @cached_property
    def queues(self) -> Any:
        """The client of SQS."""
        return self.server.client("sqs")

    @cached_property
    def tables(self) -> Any:
        """The client of DynamoDB."""
        return self.server.client("dynamodb")

    def pids(self) -> list[int]:
        """The processes of functions that run, or wait for the next invocation."""
        path = f"/proc/{self.server.process.pid}/task"
        children = [
            int(pid)
            for task in Path(path).iterdir()
            for pid in (task / "children").read_text().split()
        ]
        return sorted(set(children))

    def logs(self) -> str:
        """What the functions wrote."""
        client = self.server.client("logs")
        lines = []
        for group in client.describe_log_groups()["logGroups"]:
            found = client.filter_log_events(logGroupName=group["logGroupName"])
            lines += [one["message"] for one in found["events"]]
        return "\n".join(lines[-200:])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until(seconds: float, what: str, more: Any = lambda: "") -> Iterator[None]:
    """Again and again until the caller stops, with a rest between; an `AssertionError` in the end.

    For what another process gives no signal of.
    """
    end = time.monotonic() + seconds
    rest, _ = socket.socketpair()
    rest.settimeout(0.05)
    with rest, _:
        while time.monotonic() < end:
            yield
            try:
                rest.recv(1)
            except TimeoutError:
                continue
    raise AssertionError(f"not within {seconds:g} s: {what}\n{more()}")
