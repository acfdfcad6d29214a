"""The reference leaves nothing out: every option, setting, problem and public name."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer

import eitherway
import eitherway.auth
import eitherway.client
import eitherway.sql
from eitherway import Context, Limit, Retry
from eitherway.cli.main import command_line
from eitherway.client import AsyncClient, AsyncJob, Event
from eitherway.client.options import Options, RequestOptions
from eitherway.engine.contract import Engine
from eitherway.problem import CATALOGUE
from eitherway.router import Policies
from eitherway.settings import Settings

from .conftest import ROOT
from .pages import section

REFERENCE = ROOT / "docs" / "reference"


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    subcommands = getattr(command, "commands", {})
    for name, subcommand in subcommands.items():
        if not subcommand.hidden:
            yield from commands(subcommand, f"{path} {name}")
    if not subcommands:
        yield path, command


COMMANDS = dict(commands(typer.main.get_command(command_line()), "eitherway"))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_of_every_command_is_described(path: str) -> None:
    page = section((REFERENCE / "cli.md").read_text(), f"## `{path}`")
    options = {
        option
        for parameter in COMMANDS[path].params
        if not getattr(parameter, "hidden", False) and parameter.param_type_name == "option"
        for option in parameter.opts
    }
    assert page, f"docs/reference/cli.md has no section `{path}`"
    assert [option for option in options - {"--help"} if f"`{option}" not in page] == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described_with_its_default(name: str) -> None:
    rows = (REFERENCE / "settings.md").read_text().splitlines()
    default = Settings.model_fields[name].default
    shown = f"`{default:g}`" if isinstance(default, float | int) else f"`{default}`"
    (row,) = [row for row in rows if row.startswith(f"| `EITHERWAY_{name.upper()}` |")]
    assert not default or shown in row


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_problem_is_described_with_its_status(name: str) -> None:
    status, title = CATALOGUE[name]
    page = section((REFERENCE / "problems.md").read_text(), f"## `{name}`")
    assert f"{status}" in page
    assert title in page


def test_every_public_name_is_in_the_reference() -> None:
    text = everything(REFERENCE)
    assert [name for name in eitherway.__all__ if f"`{name}" not in text] == []
    guide = (ROOT / "docs" / "how-to" / "authenticate.md").read_text()
    assert [name for name in eitherway.auth.__all__ if name not in guide] == []
    called = [f"`{name}`" if name == "once_table" else f"{name}(" for name in eitherway.sql.__all__]
    assert [name for name in called if name not in text] == []
    assert [name for name in eitherway.client.__all__ if f"`{name}" not in text] == []


def test_every_member_and_setting_of_the_client_is_described() -> None:
    page = (REFERENCE / "client.md").read_text()
    settings = {*Options.__annotations__, *RequestOptions.__annotations__}
    members = {
        name
        for owner in (AsyncClient, AsyncJob, Event)
        for name in vars(owner)
        if not name.startswith(("_", "model_"))
    }
    assert [name for name in sorted(settings | members) if f"`{name}" not in page] == []


def test_the_pages_module_is_described() -> None:
    page = (REFERENCE / "browser.md").read_text()
    module = (ROOT / "src" / "eitherway" / "gateway" / "eitherway.js").read_text()
    module = module.partition("\nclass ")[0]  # what comes after is its own
    public = re.findall(r"^  (?:async )?\*?([a-z]\w+)\([^)]*\) {$", module, re.MULTILINE)
    exported = re.findall(r"^export class (\w+)", module, re.MULTILINE)
    assert {"submit", "call", "result", "events", "cancel"} <= set(public)
    assert [name for name in {*public, *exported} - {"constructor"} if f"`{name}" not in page] == []


def test_every_policy_and_every_member_of_the_context_is_described() -> None:
    page = (REFERENCE / "handlers.md").read_text()
    members = {"job_id", "operation", "attempt", "attempts_max", "deadline", "headers"} | {
        name
        for name, value in vars(Context).items()
        if not name.startswith("_") and "called by eitherway" not in (value.__doc__ or "")
    }
    names = {
        *Policies.__annotations__,
        *(field.name for field in fields(Retry)),
        *(field.name for field in fields(Limit) if field.init),
        *members,
    }
    assert [name for name in sorted(names) if f"`{name}" not in page] == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text()
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert records
    assert [name for name in records if f"({name})" not in index] == []


def everything(folder: Path) -> str:
    return "\n".join(path.read_text() for path in folder.glob("*.md"))


def test_every_test_that_the_guarantees_name_exists() -> None:
    page = (ROOT / "docs" / "explanation" / "guarantees.md").read_text()
    folders = (ROOT / "tests", ROOT / "src" / "eitherway" / "engine" / "conformance")
    code = "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in code] == []


def test_every_method_of_the_contract_is_held_against_other_stores() -> None:
    record = (ROOT / "docs" / "adr" / "0002-engine-contract.md").read_text()
    assert Engine.__abstractmethods__
    assert [name for name in sorted(Engine.__abstractmethods__) if f"`{name}`" not in record] == []
