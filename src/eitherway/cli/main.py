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
from . import aws, backup, config, dead, describe, jobs, keys, operate, rename, run
from .children import LIFESPAN_EXIT

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Write the operation once; serve it either way.",
)
cli.command("run")(run.run)
cli.command("gateway")(run.gateway)
cli.command("worker")(run.worker)
cli.add_typer(jobs.cli, name="jobs")
cli.add_typer(dead.cli, name="dead")
cli.add_typer(keys.cli, name="keys")
cli.command("pause")(operate.pause)
cli.command("resume")(operate.resume)
cli.command("stats")(operate.stats)
cli.command("backup")(backup.backup)
cli.command("rename")(rename.rename)
cli.command("config")(config.config)
cli.add_typer(aws.cli, name="aws")
cli.command("openapi")(describe.openapi)
cli.command("asyncapi")(describe.asyncapi)


def main() -> None:
    """Run the command line; every expected error is one line on standard error."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
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
