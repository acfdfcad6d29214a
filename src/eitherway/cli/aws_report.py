"""What `eitherway aws build` and `lint` say, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..aws.build import Built
from ..aws.cost import Cost, Prices
from ..aws.parity import sections
from ..aws.plan import Plan, Planned
from .store import console, print_json, print_table


def built_document(
    built: Built, plan: Plan, costs: Mapping[str, Cost], prices: Prices
) -> dict[str, Any]:
    """What was built, for programs."""
    return {
        "stack": plan.stack,
        "resources": built.resources,
        "template_bytes": built.template_bytes,
        "code": built.code,
        "operations": [_document(one, costs[one.operation.name]) for one in plan.operations],
        "warnings": list(built.warnings),
        "prices": {"date": prices.date, "region": prices.region, "currency": prices.currency},
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
        "cost_parts": {
            "api": cost.api,
            "functions": cost.functions,
            "queue": cost.queue,
            "table": cost.table,
        },
        "notes": list(planned.notes),
    }


def print_built(document: Mapping[str, Any], out: Path) -> None:
    """What was built, for people: why, how much, and what to do next."""
    prices, operations = document["prices"], document["operations"]
    columns = ["operation", "delivery", "accepted_by", "why", "at_once", "cost"]
    money = f"{prices['currency']} a million"
    titles = [*(name.replace("_", " ") for name in columns[:-1]), money]
    rows = [[one[name] for name in columns] for one in operations]
    print_table(titles, [[*row[:-1], f"{row[-1]:.2f}"] for row in rows])
    for one in operations:
        for note in one["notes"]:
            console.print(f"{one['operation']}: {note}", soft_wrap=True)
    for warning in document["warnings"]:
        console.print(f"[yellow]{warning}[/yellow]", soft_wrap=True)
    size = f"{document['resources']} resources, {document['template_bytes']} bytes of template"
    console.print(f"{out}: {size}, {document['code'] or 'no code'}", soft_wrap=True)
    console.print(
        f"prices of {prices['date']}, {prices['region']}; "
        "a call takes 50 ms and writes (a GET reads), batches are full",
        soft_wrap=True,
    )
    for line in _next_steps(document, out):
        console.print(line, soft_wrap=True, highlight=False)


def _next_steps(document: Mapping[str, Any], out: Path) -> list[str]:
    deploy = (
        f"aws cloudformation deploy --stack-name {document['stack']} "
        f"--template-file {out}/template.json --s3-bucket BUCKET --capabilities CAPABILITY_IAM "
        "--parameter-overrides CodeBucket=BUCKET"
    )
    upload = [f"aws s3 cp {out}/{document['code']} s3://BUCKET/"] if document["code"] else []
    return ["next:", *(f"  {line}" for line in (*upload, deploy))]


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
