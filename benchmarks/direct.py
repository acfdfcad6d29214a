"""Typed direct calls per second beside the same endpoint in FastAPI: `./dev bench direct`."""

from __future__ import annotations

import contextlib

import beside
from harness import FLOOR, floor, folder, gateway, load_in_turn, options_of, report

FASTAPI = "FastAPI, the same endpoint"


def main() -> None:
    """Serve the floor and both; load them in turn."""
    options = options_of(__doc__, "direct")
    options.add_argument("--seconds", type=int, default=4)
    chosen = options.parse_args()
    with folder() as made, contextlib.ExitStack() as stack:
        ours = gateway(made, f"sqlite:///{made}/bench.db")
        arms = {
            FLOOR: stack.enter_context(floor(made)),
            "eitherway: typed, limited, 200": stack.enter_context(ours),
            FASTAPI: stack.enter_context(beside.fastapi("fastapi_app:app", made)),
        }
        rows = load_in_turn(arms, "/orders/direct", rounds=chosen.rounds, seconds=chosen.seconds)
    title = "direct calls, 64 connections, 200-byte JSON, one process"
    report(title, rows, [FLOOR, FASTAPI], chosen.json)


if __name__ == "__main__":
    main()
