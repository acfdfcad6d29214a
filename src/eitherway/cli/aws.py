"""`aws build`, `aws lint`, `aws smoke`: an app as API Gateway, Lambda, SQS and DynamoDB."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from ..app import App
from ..aws.build import Built, build
from ..aws.cost import Assumed, Prices, costs
from ..aws.lint import Finding, lint, read_template
from ..aws.package import PLATFORMS, Code
from ..aws.parity import sections
from ..aws.plan import Plan
from ..aws.smoke import Smoke, stack_urls
from ..aws.template import template
from ..engines.aws import names
from ..errors import ConfigurationError
from ..importing import load_app
from .options import Target, settings_of
from .store import JsonOption, console, print_json, print_table

cli = typer.Typer(no_args_is_help=True, help="An app on AWS: its stack, and what is wrong with it.")

StackOption = Annotated[
    str | None, typer.Option("--stack", metavar="NAME", help="of the stack; the app's by default")
]
_PYTHON = "3.13"
_PYTHONS = re.compile(r"3\.(1[1-9])")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


@cli.command("build")
def build_command(
    target: Target,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="the folder to write")],
    stack: StackOption = None,
    architecture: Annotated[
        str, typer.Option("--arch", metavar="ARCH", help="arm64 or x86_64")
    ] = "arm64",
    python: Annotated[
        str, typer.Option("--python", metavar="VERSION", help="of the functions, such as 3.13")
    ] = _PYTHON,
    requirements: Annotated[
        Path | None,
        typer.Option("--requirements", metavar="FILE", help="what the app needs, for pip"),
    ] = None,
    include: Annotated[
        list[Path] | None, typer.Option("--include", metavar="PATH", help="pack this, too")
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="NAME", help="a variable that the handlers read"),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="prices to reckon with")
    ] = None,
    zipped: Annotated[
        bool, typer.Option("--zip/--no-zip", help="whether to pack the code, which needs pip")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Write an app's CloudFormation template, its code and its picture, and say what it costs."""
    _check(architecture, python, requirements, env or [])
    priced = Prices.read(prices)
    plan = _plan(load_app(target), stack)
    code = Code(
        target=target,
        architecture=architecture,
        python=python,
        requirements=requirements,
        included=include or [],
    )
    built = build(plan, code, out, environment=env or [], zipped=zipped)
    estimates = dict(costs(plan, built.template, priced, Assumed()))
    rows = [_row(one, estimates[one.operation.name]) for one in plan.operations]
    if as_json:
        print_json(_document(built, plan, rows, priced))
        return
    columns = [
        "operation",
        "delivery",
        "accepted by",
        "why",
        "at once",
        f"{priced.currency} a million",
    ]
    print_table(columns, [list(row.values())[:6] for row in rows])
    for row in rows:
        for note in row["notes"]:
            console.print(f"{row['operation']}: {note}")
    for warning in built.warnings:
        console.print(f"[yellow]{warning}[/yellow]")
    console.print(
        f"{out}: {built.resources} resources, {built.template_bytes} bytes of template"
        + (f", {built.code}" if built.code else "")
    )
    console.print(
        f"prices of {priced.date}, {priced.region}, of one write and 50 ms a call, batches full"
    )
    for line in _next_steps(out, plan, built):
        console.print(line, soft_wrap=True)


@cli.command("lint")
def lint_command(
    target: Annotated[
        str | None,
        typer.Argument(metavar="[MODULE:APP|FILE]", help="an app, or a template in JSON"),
    ] = None,
    stack: StackOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Find known traps in an app's stack or in a template; without one, say what is otherwise."""
    if target is None:
        _parity(as_json=as_json)
        return
    found = lint(_template_of(target, stack))
    if as_json:
        print_json({"findings": [one._asdict() for one in found]})
    else:
        for one in found:
            console.print(f"{one.resource}: {one.trap}: {one.detail}", soft_wrap=True)
        console.print(f"{len(found)} found" if found else "nothing found")
    if found:
        raise typer.Exit(2)


@cli.command("smoke")
def smoke_command(
    *,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="where the API is")
    ] = None,
    stack: Annotated[
        str | None, typer.Option("--stack", metavar="NAME", help="a stack to ask for its URLs")
    ] = None,
    socket: Annotated[
        str | None,
        typer.Option(
            "--socket", metavar="URL", help="where the WebSocket is; URL/events by default"
        ),
    ] = None,
    direct: Annotated[
        str, typer.Option("--direct", metavar="'METHOD PATH'", help="a direct operation")
    ] = "",
    queued: Annotated[
        str, typer.Option("--queued", metavar="'METHOD PATH'", help="a queued operation")
    ] = "",
    body: Annotated[
        str, typer.Option("--body", metavar="JSON|@FILE", help="what is sent to both")
    ] = "{}",
    header: Annotated[
        list[str] | None,
        typer.Option("--header", metavar="'NAME: VALUE'", help="sent with every request"),
    ] = None,
    within_seconds: Annotated[
        float, typer.Option("--within", metavar="SECONDS", help="how long each step may take")
    ] = 60.0,
) -> None:
    """Send one request each way to what is deployed, and see that both are answered and told of."""
    if (url is None) == (stack is None):
        raise ConfigurationError("give --url URL, or --stack NAME to ask AWS for it")
    if not direct and not queued:
        raise ConfigurationError("give --direct 'POST /path', --queued 'POST /path', or both")
    if stack is not None:
        url, socket = stack_urls(stack)
    smoke = Smoke(
        url or "", socket, body=_body(body), headers=header or [], within_seconds=within_seconds
    )
    if direct:
        console.print(smoke.direct(direct))
    if queued:
        for line in smoke.queued(queued):
            console.print(line)


def _check(architecture: str, python: str, requirements: Path | None, env: list[str]) -> None:
    if architecture not in PLATFORMS:
        raise ConfigurationError(f"--arch {architecture!r}: give {' or '.join(PLATFORMS)}")
    if not _PYTHONS.fullmatch(python):
        raise ConfigurationError(
            f"--python {python!r}: give a version from 3.11 on, such as {_PYTHON}"
        )
    if requirements is not None and not requirements.is_file():
        raise ConfigurationError(f"--requirements {requirements}: there is no such file")
    for name in env:
        if not _VARIABLE.fullmatch(name) or name.startswith(
            ("AWS_", "LAMBDA_", "EITHERWAY_FUNCTION")
        ):
            raise ConfigurationError(
                f"--env {name!r}: the name of a variable of yours, such as BANK_URL"
            )


def _plan(app: App, stack: str | None) -> Plan:
    return Plan(app, stack or _plain(app.name), settings_of())


def _plain(name: str) -> str:
    """The app's name as one of a stack."""
    plain = re.sub(r"[^A-Za-z0-9-]", "-", name).lstrip("-0123456789")[: names.PREFIX_LENGTH_MAX]
    return plain.rstrip("-") or names.PREFIX


def _template_of(target: str, stack: str | None) -> dict[str, Any]:
    if target.endswith((".json", ".yaml", ".yml", ".template")):
        return read_template(Path(target))
    return template(
        _plan(load_app(target), stack),
        target,
        runtime=f"python{_PYTHON}",
        architecture="arm64",
        code_key="code.zip",
        environment=[],
    )


def _row(planned: Any, cost: Any) -> dict[str, Any]:
    accepting, queue = planned.accepting, planned.queue
    by = accepting.by if accepting else ("function" if planned.operation.path else "-")
    return {
        "operation": planned.operation.name,
        "delivery": planned.operation.delivery,
        "accepted by": by,
        "why": accepting.why
        if accepting
        else ("on the call" if planned.operation.path else "from Python"),
        "at once": f"{queue.concurrency} x {queue.batch}" if queue else "",
        "cost": f"{cost.sum:.2f}",
        "notes": list(planned.notes),
        "cost_parts": {
            "api": cost.api,
            "functions": cost.functions,
            "queue": cost.queue,
            "table": cost.table,
        },
    }


def _document(
    built: Built, plan: Plan, rows: list[dict[str, Any]], prices: Prices
) -> dict[str, Any]:
    return {
        "stack": plan.stack,
        "resources": built.resources,
        "template_bytes": built.template_bytes,
        "code": built.code,
        "operations": [
            {key.replace(" ", "_"): value for key, value in row.items()} for row in rows
        ],
        "warnings": list(built.warnings),
        "prices": {"date": prices.date, "region": prices.region, "currency": prices.currency},
    }


def _next_steps(out: Path, plan: Plan, built: Built) -> list[str]:
    code = f"aws s3 cp {out}/{built.code} s3://BUCKET/" if built.code else ""
    deploy = (
        f"aws cloudformation deploy --stack-name {plan.stack} --template-file {out}/template.json "
        "--s3-bucket BUCKET --capabilities CAPABILITY_IAM --parameter-overrides CodeBucket=BUCKET"
    )
    return [line for line in ("next:", f"  {code}" if code else "", f"  {deploy}") if line]


def _parity(*, as_json: bool) -> None:
    if as_json:
        listed = [
            {"title": section.title, "rows": [row._asdict() for row in section.rows]}
            for section in sections()
        ]
        print_json({"sections": listed})
        return
    for section in sections():
        console.print(f"\n[bold]{section.title}[/bold]")
        print_table(["promise", "on AWS", "how"], [list(row) for row in section.rows])


def _body(given: str) -> str:
    if not given.startswith("@"):
        return given
    try:
        return Path(given[1:]).read_text()
    except OSError as error:
        raise ConfigurationError(f"--body {given}: {error.strerror}") from None


__all__ = ["Finding", "cli"]
