"""What `eitherway aws build` and `lint` say, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

from ..aws.build import TEMPLATE_FILE, Built
from ..aws.cost import Cost, Costs
from ..aws.parity import sections
from ..aws.plan import Plan, Planned
from ..aws.prices import Prices
from .store import console, print_json, print_table


def built_document(built: Built, plan: Plan, costs: Costs, prices: Prices) -> dict[str, Any]:
    """What was built, for programs."""
    by_name = dict(costs.of(plan))
    return {
        "stack": plan.stack,
        "resources": built.resources,
        "template_bytes": built.template_bytes,
        "code": built.code,
        "build_seconds": round(built.seconds, 3),
        "import_seconds": {name: round(each, 3) for name, each in built.import_seconds.items()},
        "operations": [_document(one, by_name[one.operation.name]) for one in plan.operations],
        "warnings": list(built.warnings),
        "prices": {"date": prices.date, "region": prices.region, "currency": prices.currency},
        "cost_poll": round(costs.poll(), 2),
        "cost_told": round(costs.told(), 2),
        "cost_idle_month": round(costs.idle_month(), 2),
    }


def _document(planned: Planned, cost: Cost) -> dict[str, Any]:
    operation, accepting, queue = planned.operation, planned.accepting, planned.queue
    by, why = "function", "on the call"
    if operation.path is None:
        by, why = "", "from Python alone"
    elif accepting is not None:
        by, why = accepting
    return {
        "operation": operation.name,
        "delivery": operation.delivery,
        "accepted_by": by,
        "why": why,
        "at_once": f"{queue.concurrency} x {queue.batch}" if queue else "",
        "cost": round(cost.sum, 2),
        "cost_parts": asdict(cost),
        "notes": list(planned.notes),
    }


def print_built(document: Mapping[str, Any], built: Built, out: Path) -> None:
    """What was built, for people: why, how much, and what to do next."""
    prices, operations = document["prices"], document["operations"]
    columns = ["operation", "delivery", "accepted_by", "why", "at_once", "cost"]
    titles = ["operation", "delivery", "accepted by", "why", "invocations x batch"]
    titles.append(f"{prices['currency']} a million")
    rows = [[one[name] for name in columns] for one in operations]
    print_table(titles, [[*row[:-1], f"{row[-1]:.2f}"] for row in rows])
    _print_line("")
    for note in dict.fromkeys(note for one in operations for note in one["notes"]):
        whose = ", ".join(one["operation"] for one in operations if note in one["notes"])
        _print_line(f"{whose}: {note}")
    for warning in document["warnings"]:
        console.print(f"[yellow]{warning}[/yellow]", soft_wrap=True)
    for line in (*_made(built, out), *_reckoned(document), *_next_steps(document, built, out)):
        _print_line(line)


def _print_line(line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def _made(built: Built, out: Path) -> Iterator[str]:
    yield (
        f"{out}: {built.resources} resources, {built.template_bytes} bytes of template, "
        f"{built.code or 'no code'}, in {built.seconds:.1f} s"
    )
    if built.import_seconds:
        each = ", ".join(f"{name} {each:.2f} s" for name, each in built.import_seconds.items())
        yield f"imports of the functions, the app with them, on this machine: {each}"


def _reckoned(document: Mapping[str, Any]) -> Iterator[str]:
    prices = document["prices"]
    yield (
        f"prices of {prices['date']}, {prices['region']}, an estimate: a call takes 50 ms and "
        "writes 1 KB (a GET reads), batches are full"
    )
    yield (
        f"more: a million polls of a job's status {document['cost_poll']:.2f}, a million jobs told "
        f"over an open WebSocket {document['cost_told']:.2f}, an idle month "
        f"{document['cost_idle_month']:.2f}"
    )


def _next_steps(document: Mapping[str, Any], built: Built, out: Path) -> Iterator[str]:
    given = [name for name, one in built.template["Parameters"].items() if "Default" not in one]
    values = {"CodeBucket": "BUCKET"}
    overrides = " ".join(f"{name}={values.get(name, 'VALUE')}" for name in given)
    yield "next:"
    if built.code:
        yield f"  aws s3 cp {quote(f'{out}/{built.code}')} s3://BUCKET/"
    template = quote(f"{out}/{TEMPLATE_FILE}")
    yield f"  eitherway aws check {template} && \\"
    yield (
        f"  aws cloudformation deploy --stack-name {document['stack']} "
        f"--template-file {template} --s3-bucket BUCKET --capabilities CAPABILITY_IAM "
        f"--parameter-overrides {overrides}"
    )


def print_parity(*, as_json: bool) -> None:
    """What AWS does as at home, does otherwise, or refuses."""
    if as_json:
        listed = [
            {"title": one.title, "rows": [row._asdict() for row in one.rows]} for one in sections()
        ]
        print_json({"sections": listed})
        return
    for section in sections():
        console.print(f"\n[bold]{section.title}[/bold]")
        print_table(["promise", "on AWS", "how"], section.rows)
