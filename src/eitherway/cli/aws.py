"""`eitherway aws`: an app as API Gateway, Lambda, SQS and DynamoDB, and what is deployed of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from ..aws.build import build
from ..aws.cost import Assumed, Costs
from ..aws.lint import lint, read_template
from ..aws.package import Code
from ..aws.plan import Plan
from ..aws.prices import Prices
from ..aws.template import template
from ..errors import ConfigurationError
from ..importing import load_app
from . import aws_options as given
from .aws_deployed import check_deploy, stack_urls
from .aws_report import built_document, print_built, print_parity
from .aws_smoke import Smoke
from .options import Target, settings_of
from .store import JsonOption, console, print_json

cli = typer.Typer(no_args_is_help=True, help="An app on AWS: its stack, and what is wrong with it.")


@cli.command("build")
def build_command(
    target: Target,
    *,
    out: given.OutOption,
    stack: given.StackOption = None,
    architecture: given.ArchOption = "arm64",
    python: given.PythonOption = given.PYTHON,
    requirements: given.RequirementsOption = None,
    extras: given.ExtrasOption = "",
    include: given.IncludeOption = None,
    env: given.EnvOption = None,
    prices: given.PricesOption = None,
    zipped: given.ZipOption = True,
    as_json: JsonOption = False,
) -> None:
    """Write an app's CloudFormation template, its code and its picture, and say what it costs."""
    files = [("--include", path) for path in include or []]
    if requirements is not None:
        files.append(("--requirements", requirements))
    given.check_build(architecture, python, env or [], files)
    priced = Prices.read(prices)
    plan = _plan(target, stack, env or [])
    code = Code(
        target=target,
        architecture=architecture,
        python=python,
        requirements=requirements,
        extras=given.extras_of(extras),
        included=include or [],
    )
    built = build(plan, code, out, zipped=zipped)
    costs = Costs(built.template, priced, Assumed())
    document = built_document(built, plan, costs, priced)
    if as_json:
        print_json(document)
    else:
        print_built(document, built, out)


@cli.command("lint")
def lint_command(
    target: given.LintTarget = None, stack: given.StackOption = None, *, as_json: JsonOption = False
) -> None:
    """Find traps in an app's stack or in a template; without one, say what AWS does otherwise."""
    if target is None:
        print_parity(as_json=as_json)
        return
    found = lint(_template(target, stack))
    if as_json:
        print_json({"findings": [one._asdict() for one in found]})
    else:
        for one in found:
            console.print(f"{one.resource}: {one.trap}: {one.detail}", soft_wrap=True)
        console.print(f"{len(found)} found" if found else "nothing found")
    if found:
        raise typer.Exit(2)


@cli.command("check")
def check_command(file: given.TemplateArgument) -> None:
    """See that a template would be deployed over no other app's stack, before it is."""
    console.print(check_deploy(file), soft_wrap=True, highlight=False, markup=False)


@cli.command("smoke")
def smoke_command(
    *,
    url: given.UrlOption = None,
    stack: given.DeployedOption = None,
    socket: given.SocketOption = None,
    direct: given.DirectOption = "",
    queued: given.QueuedOption = "",
    body: given.BodyOption = "{}",
    header: given.HeaderOption = None,
    within_seconds: given.WithinOption = 60.0,
) -> None:
    """Send one request each way to what is deployed, and see both answered, and told of."""
    if (url is None) == (stack is None):
        raise ConfigurationError("give --url URL, or --stack NAME to ask AWS for it")
    if not direct and not queued:
        raise ConfigurationError("give --direct 'POST /path', --queued 'POST /path', or both")
    if stack is not None:
        url, socket = stack_urls(stack)
    smoke = Smoke(
        url or "",
        socket,
        body=given.body_of(body),
        headers=header or [],
        within_seconds=within_seconds,
    )
    if direct:
        console.print(smoke.direct(direct), soft_wrap=True)
    if queued:
        for line in smoke.queued(queued):
            console.print(line, soft_wrap=True)


def _plan(target: str, stack: str | None, environment: list[str]) -> Plan:
    app = load_app(target)
    return Plan(app, given.stack_of(app.name, stack), settings_of(), environment)


def _template(target: str, stack: str | None) -> dict[str, Any]:
    if target.endswith((".json", ".yaml", ".yml", ".template")):
        return read_template(Path(target))
    return template(
        _plan(target, stack, []),
        target,
        runtime=f"python{given.PYTHON}",
        architecture="arm64",
        code_key="code.zip",
    )
