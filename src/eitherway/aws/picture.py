"""The picture: both halves of an app on AWS, drawn from its plan as an SVG."""

from __future__ import annotations

from .drawing import API, DATABASE, FUNCTION, PEOPLE, QUEUE, Box, Drawing
from .plan import Plan, Planned

_MARGIN = 32
_TOP = 92
_HEADING = 48  # from a panel's top to its first row
_GAP = 66  # between rows: room for an arrow and its words
_PANEL = 24
_LEFT = 340
_MAIN = 400
_SIDE = 210
_BETWEEN = 20
_RIGHT = _MAIN + 2 * (_SIDE + _BETWEEN)
_LEFT_X = _MARGIN + _PANEL
_RIGHT_X = _LEFT_X + _LEFT + 3 * _PANEL
_STATUS_X = _RIGHT_X + _MAIN + _BETWEEN
_TOLD_X = _STATUS_X + _SIDE + _BETWEEN
_SAME = "API Gateway, the same one"
_WAYS = {True: "straight into the queue", False: "stored first, by a function"}
_CARETAKERS = [
    "sweeper · each minute: due, unsent, lapsed",
    "dead · sends again what has not ended",
]
_ROWS = ("people", "api", "queue", "function", "table")


def picture(plan: Plan) -> str:
    """The SVG: request-response on the left, event-driven on the right."""
    left, right = _left(plan), _right(plan)
    bottom = _align([*left.items(), *right.items()])
    width = _RIGHT_X + _RIGHT + _PANEL + _MARGIN
    drawing = Drawing(width, bottom + _PANEL + _MARGIN, f"{plan.app.name} on AWS")
    drawing.title(_MARGIN, 46, plan.app.name, f"on AWS, stack {plan.stack}")
    height = bottom - _TOP + _PANEL
    drawing.panel(_LEFT_X - _PANEL, _TOP, _LEFT + 2 * _PANEL, height, "request-response")
    drawing.panel(_RIGHT_X - _PANEL, _TOP, _RIGHT + 2 * _PANEL, height, "event-driven")
    for box in (*left.values(), *right.values()):
        drawing.box(box)
    _arrows_left(drawing, left)
    ways = {one.at_gateway for one in plan.operations if one.accepting}
    _arrows_right(drawing, right, " or ".join(_WAYS[way] for way in sorted(ways, reverse=True)))
    return drawing.svg()


def _left(plan: Plan) -> dict[str, Box]:
    direct = [one for one in plan.operations if one.queue is None]
    routes = [_route(one) for one in direct]
    functions = [
        f"{one.operation.name} · {(one.front_seconds or 1) - 1} s at most" for one in direct
    ]
    return {
        "people": _box("Callers", ["wait for the answer"], PEOPLE, _LEFT_X, _LEFT),
        "api": _box("API Gateway", routes or ["no direct operation"], API, _LEFT_X, _LEFT),
        "function": _box("Lambda", functions or ["none"], FUNCTION, _LEFT_X, _LEFT),
        "table": _box("DynamoDB", _tables(plan), DATABASE, _LEFT_X, _LEFT),
    }


def _right(plan: Plan) -> dict[str, Box]:
    queued = [one for one in plan.operations if one.queue is not None]
    routes = [_route(one) for one in queued if one.operation.path]
    queues = [_limits(one) for one in queued]
    workers = [f"{one.operation.name} · {_seconds(one)}" for one in queued]
    told = ["have a receipt at once, and are told of the end"]
    over = _MAIN + _BETWEEN + _SIDE
    side = {"status": ["GET and DELETE /jobs/{id}", "GET .../result, .../events"]}
    stored = [f"{plan.stack}-jobs · {plan.stack}-channels", *_tables(plan)]
    return {
        "people": _box("Callers", told, PEOPLE, _RIGHT_X, _RIGHT),
        "api": _box(_SAME, routes or ["no queued operation"], API, _RIGHT_X, over),
        "socket": _box("WebSocket API", ["the end of each job"], API, _TOLD_X, _SIDE),
        "queue": _box(
            "SQS", [*queues, "dead queue · what nobody could take"], QUEUE, _RIGHT_X, _MAIN
        ),
        "function": _box("Lambda: workers", [*workers, *_CARETAKERS], FUNCTION, _RIGHT_X, _MAIN),
        "status": _box("Lambda: status", side["status"], FUNCTION, _STATUS_X, _SIDE),
        "push": _box("Lambda: push", ["reads the stream"], FUNCTION, _TOLD_X, _SIDE),
        "table": _box("DynamoDB", stored, DATABASE, _RIGHT_X, _RIGHT),
    }


def _box(name: str, lines: list[str], colour: str, x: float, width: float) -> Box:
    return Box(name, lines, colour, x=x, width=width)


def _route(planned: Planned) -> str:
    operation = planned.operation
    route = f"{operation.method} {operation.path}"
    if operation.delivery == "auto":
        return f"{route} · a function runs it, or stores it where there is no room"
    return f"{route} · stored by a function" if planned.queue and planned.front_seconds else route


def _limits(planned: Planned) -> str:
    queue = planned.queue
    return f"{queue.name} · {queue.concurrency} invocations x {queue.batch}" if queue else ""


def _seconds(planned: Planned) -> str:
    return f"{planned.operation.timeout_seconds:g} s an attempt"


def _tables(plan: Plan) -> list[str]:
    tables = ", ".join(plan.app.tables)
    return [f"{plan.stack}-items" + (f" · {tables}" if tables else "")]


def _align(boxes: list[tuple[str, Box]]) -> float:
    """Put boxes of one row at one height; where the last row ends."""
    beside = {"socket": "api", "status": "function", "push": "function"}
    y: float = _TOP + _HEADING
    for row in _ROWS:
        members = [box for name, box in boxes if beside.get(name, name) == row]
        height = max(box.natural_height for box in members)
        for box in members:
            box.y, box.height = y, height
        y += height + _GAP
    return y - _GAP


def _arrows_left(drawing: Drawing, boxes: dict[str, Box]) -> None:
    people, api, function, table = (boxes[n] for n in ("people", "api", "function", "table"))
    ask, answer = _LEFT_X + 70, _LEFT_X + 190
    drawing.arrow(ask, people.bottom, api.y, "request")
    drawing.arrow(answer, api.y, people.bottom, "200, or 503")
    drawing.arrow(ask, api.bottom, function.y, "on the call")
    drawing.arrow(answer, function.y, api.bottom, "answer")
    drawing.arrow(ask, function.bottom, table.y, "one commit")


def _arrows_right(drawing: Drawing, boxes: dict[str, Box], stored: str) -> None:
    people, api, queue, function, table = (boxes[name] for name in _ROWS)
    ask, answer = _RIGHT_X + 70, _RIGHT_X + 190
    drawing.arrow(ask, people.bottom, api.y, "request")
    drawing.arrow(answer, api.y, people.bottom, "202 and a receipt")
    drawing.arrow(ask, api.bottom, queue.y, stored)
    drawing.arrow(ask, queue.bottom, function.y, "in batches, within the limits")
    drawing.arrow(ask, function.bottom, table.y, "one commit, retried by policy")
    status, told = _STATUS_X + 40, _TOLD_X + 40
    drawing.arrow(status, api.bottom, boxes["status"].y, "“how is it?”", at=0.3)
    drawing.arrow(status, function.bottom, table.y, "reads, cancels")
    drawing.arrow(told, table.y, boxes["push"].bottom, "stream")
    drawing.arrow(told, boxes["push"].y, boxes["socket"].bottom, "posts", at=0.7)
    drawing.arrow(told, boxes["socket"].y, people.bottom, "told")
