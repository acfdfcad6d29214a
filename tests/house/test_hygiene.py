"""What must not be in the repository: sleeping tests, and traces of one machine."""

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

MACHINE = re.compile(
    r"(?<![\w.])/(?:work|home|root|Users|opt)/\w"  # somebody's folders
    r"|index-url|find-links|files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs"
    r"|file:///"
)

SLOW_APPS = {  # served by the tests: handlers that take their time
    Path("tests/acceptance/apps.py"),
    Path("tests/acceptance/aws_apps.py"),
    Path("tests/acceptance/cancel_apps.py"),
    Path("tests/acceptance/client_apps.py"),
    Path("tests/acceptance/keyed_apps.py"),
    Path("tests/acceptance/limited_apps.py"),
    Path("tests/acceptance/sql_apps.py"),
    Path("tests/ministack/ledger.py"),
}


def test_tests_do_not_sleep(root: Path) -> None:
    sleeping = [
        f"{path.relative_to(root)}:{node.lineno}"
        for folder in ("tests", "src/eitherway/engine/conformance")
        for path in sorted((root / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and called(node) == "sleep" and not yields(node)
        if path.relative_to(root) not in SLOW_APPS
    ]
    assert sleeping == [], "wait for what should happen, or move a FakeClock"


def test_no_tracked_file_names_one_machine_or_a_registry(root: Path) -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in tracked(root)
        if (root / name) != Path(__file__)
        for number, line in enumerate(text_of(root / name).splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert found == []


def called(node: ast.Call) -> str | None:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def yields(node: ast.Call) -> bool:
    """Whether it is `sleep(0)`: a turn of the event loop, which takes no time."""
    return [ast.unparse(argument) for argument in node.args] == ["0"]


def tracked(root: Path) -> list[str]:
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (root / name).is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""  # an image
