"""The demo: an order placed either way, then a launch day replayed into both ways.

`demo.py` leaves the shop served; `demo.py --once` shows everything and ends.
Exit codes: 0 all as promised; 1 something was not; 2 the port or a flag is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine

import uvloop
from client import Client
from exchange import Exchanges
from lanes import introduce, replay_both
from replay import CONNECTIONS_MAX, POLLERS
from report import sentence, show
from rich.console import Console
from server import StartError, shop_served
from workload import SPEEDUP, launch_day

_REPLAY_SECONDS = 20
_PAGE = ("demo_app:app", "--single")  # one process: the page's sliders act on both doors
_TRY = """\
[bold]Open {url}/[/] in a browser (Ctrl-C stops it, and throws its database away)

Its two doors, from a shell; the page counts these orders too:
  [cyan]curl -i {url}/orders/direct \\
    -H content-type:application/json -d '{{"order_id": "o-1", "amount": 19.9}}'
  curl -i {url}/orders \\
    -H content-type:application/json -d '{{"order_id": "o-2", "amount": 19.9}}'[/]
then ask at the `location` of the second, waiting up to 10 s:
  [cyan]curl -i -H prefer:wait=10 {url}/jobs/ID[/]
"""


def main() -> int:
    """Run the demo; the process's exit code."""
    arguments = _arguments()
    console = Console(highlight=False)
    if arguments.once:
        demo = once(console, arguments.port or 0, arguments.seconds)
    else:
        demo = serve(console, 8000 if arguments.port is None else arguments.port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_until_stopped(demo, served=not arguments.once))


async def serve(console: Console, port: int) -> int:
    """Leave the shop served until told to stop."""
    async with shop_served(port, target=_PAGE, log_lines_shown=True) as url:
        console.print(_TRY.format(url=url), soft_wrap=True)
        await asyncio.Event().wait()
    return 0


async def once(console: Console, port: int, seconds: int) -> int:
    """Show the exchanges, replay the launch day into both lanes, report."""
    async with shop_served(port, target=("shop:app",), log_lines_shown=False) as url:
        console.print(f"`eitherway run shop:app` serves the shop at [bold]{url}[/].\n")
        client = Client(url, connections_max=CONNECTIONS_MAX)
        try:
            shown = await Exchanges(client, console).show_all()
            workload = launch_day(minutes=seconds * SPEEDUP // 60)
            introduce(console, workload)
            direct, queued = await replay_both(console, client, workload)
        finally:
            client.close()
    show(console, direct, queued, pollers=POLLERS)
    console.print(f"[bold]{sentence(direct, queued)}[/]")
    whole = not queued.lost and not direct.other and not queued.other
    return 0 if shown and whole and direct.honest and queued.honest else 1


async def _until_stopped(demo: Coroutine[None, None, int], *, served: bool) -> int:
    """Run to the end, or until Ctrl-C or SIGTERM: what was begun is then taken down in order."""
    task = asyncio.ensure_future(demo)
    stopped: list[int] = []

    def stop(number: int) -> None:
        if not stopped:  # once is enough: a second cancellation would cut the taking down short
            stopped.append(number)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        return 0 if served else 128 + stopped[0]
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"demo: stopped: {error}\n")
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="The shop, served either way.")
    parser.add_argument("--once", action="store_true", help="show everything, then end")
    parser.add_argument(
        "--port", type=int, help="port to listen on (8000; with --once any free one)"
    )
    parser.add_argument(  # of the replay, for tests
        "--seconds", type=int, default=_REPLAY_SECONDS, help=argparse.SUPPRESS
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
