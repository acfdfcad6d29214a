"""Durable accepts per second beside the peers and two floors: `./dev bench accept`."""

from __future__ import annotations

import contextlib

import beside
from harness import FLOOR, floor, folder, gateway, load_in_turn, options_of, report

FASTAPI = "FastAPI no-op"


def main() -> None:
    """Serve all of them; load them in turn."""
    options = options_of(__doc__, "accept")
    options.add_argument("--seconds", type=int, default=4)
    beside.add_option(options, "all")
    chosen = options.parse_args()
    with folder() as made, contextlib.ExitStack() as stack:
        ours = gateway(made, f"sqlite:///{made}/bench.db")
        arms = {
            FLOOR: stack.enter_context(floor(made)),
            "eitherway: fsync, then 202": stack.enter_context(ours),
            FASTAPI: stack.enter_context(beside.fastapi("fastapi_app:app", made)),
        }
        for name in beside.chosen(chosen.peers):
            peer = stack.enter_context(beside.running(name, made))
            arms[peer.peer.title] = stack.enter_context(peer.web())
        rows = load_in_turn(arms, "/orders", rounds=chosen.rounds, seconds=chosen.seconds)
    title = "accepts, 64 connections, 200-byte JSON, one gateway process"
    report(title, rows, [FLOOR, FASTAPI], chosen.json)


if __name__ == "__main__":
    main()
