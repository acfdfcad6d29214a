"""The whole template: what every stack has, what each operation adds, what eitherway runs."""

from __future__ import annotations

from ..feeding import Queue
from ..plan import WAIT_SECONDS_MAX, Plan, Planned
from .alarms import add_alarms
from .base import CONDITIONS, add_stores, outputs, parameter_of, parameters
from .cloudformation import Json, Resources, allow, arn, attribute, logical_name, ref, role
from .functions import Function, Functions
from .mapping import public_url
from .own import add_dead, add_socket, add_status, add_sweeper
from .queues import add_mappings, add_queues
from .rest import RestApi


def template(
    plan: Plan,
    target: str,
    *,
    runtime: str,
    architecture: str,
    code_key: str,
) -> Json:
    """The template of a plan. `target` is where the code has the app: `module:app`."""
    resources = Resources()
    functions = Functions(resources, plan.stack, target, runtime=runtime, architecture=architecture)
    if plan.prefix:
        functions.environment["EITHERWAY_PREFIX"] = plan.prefix
    for name in plan.environment:
        functions.environment[name] = ref(parameter_of(name))
    add_stores(resources, plan.stack, plan.write_units_max)
    api = RestApi(resources, plan.stack, has_pages=plan.has_pages)
    adder = _Operations(plan, resources, functions, api)
    for planned in plan.operations:
        adder.add(planned)
    watched = [
        *adder.functions,
        *add_status(functions, api, plan.prefix, has_callers=plan.has_callers),
        *add_socket(resources, functions, has_callers=plan.has_callers),
        *add_sweeper(resources, functions),
        *add_dead(resources, functions),
    ]
    if plan.has_pages:
        api.preflights("Status")
    api.deploy()
    add_alarms(resources, plan.stack, adder.queues, watched)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{plan.app.name}: by eitherway aws build. Build it again, do not edit it",
        "Metadata": {"eitherway": {"app": plan.app.name, "stack": plan.stack}},
        "Parameters": parameters(plan.app.name, plan.environment),
        "Mappings": {"Code": {"Zip": {"Key": code_key}}},
        "Conditions": CONDITIONS,
        "Resources": resources.all,
        "Outputs": outputs(plan.stack),
    }


class _Operations:
    """Adds operations, and remembers which queues and functions they have."""

    def __init__(
        self, plan: Plan, resources: Resources, functions: Functions, api: RestApi
    ) -> None:
        self._plan = plan
        self._resources = resources
        self._functions = functions
        self._api = api
        self.queues: list[str] = []
        self.functions: list[str] = []

    def add(self, planned: Planned) -> None:
        """Whatever an operation needs."""
        name = logical_name(planned.operation.name)
        if planned.queue is not None:
            self.queues += add_queues(self._resources, name, planned.queue)
            self._worker(name, planned.operation.name, planned.queue)
        if planned.at_gateway:
            self._at_gateway(name, planned)
        elif planned.front_seconds is not None:
            self._front(name, planned, planned.front_seconds)

    def _worker(self, name: str, operation: str, queue: Queue) -> None:
        own = [f"{name}Queue", f"{name}QueueAlone"]
        worker = self._functions.add(
            Function(
                name=f"{name}Worker",
                handler="queue",
                seconds=queue.worker_seconds,
                may=[*self._functions.run(), self._functions.receive(*own)],
                environment={"EITHERWAY_FUNCTION": operation},
            )
        )
        self.functions.append(worker)
        add_mappings(self._resources, name, queue, worker)

    def _at_gateway(self, name: str, planned: Planned) -> None:
        queue = f"{name}Queue"
        sends = role("apigateway", [allow("sqs:SendMessage", attribute(queue, "Arn"))])
        role_name = self._resources.add(f"{name}SendRole", "AWS::IAM::Role", sends)
        self._api.queue(
            name,
            planned.operation,
            queue=queue,
            role=role_name,
            model=planned.model,
            prefix=self._plan.prefix,
        )

    def _front(self, name: str, planned: Planned, seconds: int) -> None:
        operation = planned.operation
        environment = {
            "EITHERWAY_FUNCTION": operation.name,
            "EITHERWAY_SERVE": "operations",
            "EITHERWAY_PUBLIC_URL": public_url(),
        }
        if operation.delivery != "direct":
            environment["EITHERWAY_WAIT_SECONDS_MAX"] = str(WAIT_SECONDS_MAX)
        function = self._functions.add(
            Function(
                name=f"{name}Function",
                handler="http",
                seconds=seconds,
                may=self._functions.run(),
                environment=environment,
            )
        )
        self.functions.append(function)
        self._api.function(name, operation.method or "", operation.path or "", function)
        self._functions.permit(
            function, "apigateway", arn("execute-api", f"${{Api}}/*/{operation.method}/*")
        )
