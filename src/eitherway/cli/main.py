"""`eitherway`: the command line's root, its exit codes and its one-line errors.

Exit codes: 0 done; 1 what was asked for is not there; 2 the app, a setting, a flag or a payload is
wrong; 3 the engine is not available; 4 a canary did not succeed, so nothing more was redriven; 5
what opens with the app (its lifespan, or a mounted application's) failed at start.
"""

from __future__ import annotations

import logging
import sys

import typer

from ..errors import (
    CanaryError,
    ConfigurationError,
    EitherwayError,
    EngineError,
    InvalidInputError,
    LifespanError,
)
from . import run
from .children import LIFESPAN_EXIT

_SERVING = {"run", "gateway", "worker"}


def command_line(*, serving: bool = False) -> typer.Typer:
    """The commands: those that serve an app alone, which start sooner so, or all of them."""
    cli = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Write the operation once; serve it either way.",
    )
    cli.command("run")(run.run)
    cli.command("gateway")(run.gateway)
    cli.command("worker")(run.worker)
    if not serving:
        from .operating import add_commands  # noqa: PLC0415 - see above

        add_commands(cli)
    return cli


def main() -> None:
    """Run the command line; every expected error is one line on standard error."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    cli = command_line(serving=not _SERVING.isdisjoint(sys.argv[1:2]))
    try:
        cli()
    except (ConfigurationError, InvalidInputError) as error:
        _exit(error, 2)
    except EngineError as error:
        _exit(error, 3)
    except CanaryError as error:
        _exit(error, 4)
    except LifespanError as error:
        _exit(error, LIFESPAN_EXIT)
    except EitherwayError as error:
        _exit(error, 1)


def _exit(error: Exception, code: int) -> None:
    sys.stderr.write(f"eitherway: {' '.join(str(error).split())}\n")
    sys.exit(code)
