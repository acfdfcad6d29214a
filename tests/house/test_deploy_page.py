"""docs/how-to/deploy.md shows the files of examples/deploy as they are, and their times fit."""

import re
import shlex

import pytest
import typer

from eitherway.cli import children
from eitherway.cli.main import command_line
from eitherway.cli.serving import WEBSOCKETS
from eitherway.gateway.push import sse
from eitherway.settings import Settings

from .conftest import ROOT
from .pages import blocks
from .test_docs_run import parse

PAGE = ROOT / "docs" / "how-to" / "deploy.md"
DEPLOY = ROOT / "examples" / "deploy"
SHOWN = {
    "Dockerfile": "dockerfile",
    "compose.yaml": "yaml",
    "eitherway-shop.service": "ini",
    "nginx.conf": "nginx",
}
NAMED = {"Dockerfile.dockerignore"}


def read(name: str) -> str:
    return (DEPLOY / name).read_text()


def seconds(pattern: str, name: str) -> float:
    """The one time that a file gives."""
    (found,) = set(re.findall(pattern, read(name), re.MULTILINE))
    return float(found)


def test_the_page_names_every_file() -> None:
    files = {path.name for path in DEPLOY.iterdir() if path.is_file()}
    assert files == SHOWN.keys() | NAMED
    assert [name for name in sorted(NAMED) if name not in PAGE.read_text()] == []


@pytest.mark.parametrize("name", SHOWN)
def test_the_page_shows_the_file_as_it_is(name: str) -> None:
    assert read(name) in [block.code for block in blocks(PAGE, SHOWN[name])]


def test_its_commands_parse() -> None:
    commands = [
        *re.findall(r"^    command: eitherway (.+)$", read("compose.yaml"), re.MULTILINE),
        *re.findall(
            r"^ExecStart=\S+/eitherway (.+)$", read("eitherway-shop.service"), re.MULTILINE
        ),
    ]
    assert len(commands) == 4
    for command in commands:
        parse(typer.main.get_command(command_line()), shlex.split(command))


def test_its_variables_are_settings() -> None:
    text = "\n".join([PAGE.read_text(), *map(read, SHOWN)])
    named = {name.lower() for name in re.findall(r"\bEITHERWAY_([A-Z_]+)", text)}
    assert named <= set(Settings.model_fields)


def test_who_stops_it_waits_longer_than_it_drains() -> None:
    """Longer also than it takes to kill what does not drain."""
    units, containers = "eitherway-shop.service", "compose.yaml"
    drain = seconds(r"EITHERWAY_DRAIN_SECONDS=(\d+)", units)
    assert drain == seconds(r'EITHERWAY_DRAIN_SECONDS: "(\d+)"', containers)
    assert drain == Settings.model_fields["drain_seconds"].default
    wanted = drain + children._GRACE_SECONDS
    assert seconds(r"^TimeoutStopSec=(\d+)$", units) > wanted
    assert seconds(r"stop_grace_period: (\d+)s$", containers) > wanted
    (shown,) = re.findall(r"--stop-timeout (\d+)", PAGE.read_text())
    assert float(shown) > wanted


def test_the_proxy_outlasts_every_wait_and_every_silence() -> None:
    timeout = seconds(r"proxy_read_timeout (\d+)s;", "nginx.conf")
    assert timeout > Settings.model_fields["wait_seconds_max"].default
    assert timeout > WEBSOCKETS["ws_ping_interval"] + WEBSOCKETS["ws_ping_timeout"]
    assert timeout > sse.COMMENT_SECONDS


def test_the_unit_relies_on_these() -> None:
    lines = read("eitherway-shop.service").splitlines()
    wanted = {"Restart=always", "KillMode=mixed", "RestartPreventExitStatus=2"}
    assert wanted <= set(lines)
    assert children.CONFIGURATION_EXIT == 2


def test_what_the_image_copies_is_let_through() -> None:
    let = {line[1:] for line in read("Dockerfile.dockerignore").splitlines() if line[:1] == "!"}
    steps = re.findall(r"^COPY (?!--from)(.+) \S+$", read("Dockerfile"), re.MULTILINE)
    copied = {name for step in steps for name in step.split()}
    assert copied == let
    assert [name for name in copied if not (ROOT / name).exists()] == []
