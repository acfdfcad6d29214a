"""The commands of those who operate an app: everything but serving it."""

from __future__ import annotations

import typer

from . import aws, backup, config, dead, describe, jobs, keys, operate, rename


def add_commands(cli: typer.Typer) -> None:
    """Add them to the root."""
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
