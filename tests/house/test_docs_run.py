"""What the pages show works: Python runs, commands parse, links lead somewhere.

A page's Python blocks run in order, as one module. Its functions called `test_...` are then called.
"""

import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest
import typer
from opentelemetry import trace as otel
from opentelemetry.util._once import Once

from eitherway.cli.main import command_line
from node import NODE

from .conftest import ROOT
from .pages import blocks, pages

PAGES = pages(ROOT)
_LINK = re.compile(r"\[[^]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    # What a page sets up for a whole process is not for the tests that come after it.
    monkeypatch.setattr(otel, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(otel, "_TRACER_PROVIDER_SET_ONCE", Once())
    return module


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name_of)
async def test_python_on_the_page_runs(page: Path, module: ModuleType) -> None:
    for block in blocks(page, "python"):
        padded = "\n" * (block.line - 1) + block.code  # so that a traceback names the page's line
        exec(compile(padded, page, "exec"), vars(module))
    for name, function in list(vars(module).items()):
        if name.startswith("test_") and inspect.iscoroutinefunction(function):
            await function()


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "sh")], ids=name_of)
def test_commands_on_the_page_parse(page: Path) -> None:
    for block in blocks(page, "sh"):
        for line in block.code.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and re.match(r"\w+=", words[0]):
                del words[0]  # a variable of the environment
            if words[:1] == ["eitherway"]:
                parse(typer.main.get_command(command_line()), words[1:])


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "js")], ids=name_of)
def test_javascript_on_the_page_parses_and_imports_what_there_is(page: Path) -> None:
    module = (files("eitherway.gateway") / "eitherway.js").read_text()
    exported = set(re.findall(r"^export class (\w+)", module, re.MULTILINE))
    for block in blocks(page, "js"):
        command = [NODE, "--check", "--input-type=module", "-"]
        checked = subprocess.run(
            command, input=block.code, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
        for imported in re.findall(r'import {([^}]+)} from "/eitherway.js"', block.code):
            assert {name.strip() for name in imported.split(",")} <= exported


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = [link for link in _LINK.findall(page.read_text()) if "://" not in link]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def parse(command: object, words: list[str]) -> None:
    """Parse a command line down to its command, and run nothing."""
    if "--help" in words:
        words = [word for word in words if word != "--help"]
        if not words:
            return
    context = command.make_context(command.name, list(words))
    if hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        _, found, rest = command.resolve_command(context, rest)
        parse(found, rest)
