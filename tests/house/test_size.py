"""Small rooms: modules and functions that can be read in one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60


def test_no_module_is_too_long(root: Path) -> None:
    long = {
        str(path.relative_to(root)): lines
        for path in modules(root, "src", "examples", "benchmarks")
        if (lines := len(path.read_text().splitlines())) > MODULE_LINES_MAX
    }
    assert long == {}


def test_no_function_is_too_long(root: Path) -> None:
    long = {
        f"{path.relative_to(root)}:{function.lineno} {function.name}": lines
        for path in modules(root, "src", "examples", "benchmarks", "tests")
        for function in functions(path)
        if (lines := lines_of(function)) > FUNCTION_LINES_MAX
    }
    assert long == {}


def modules(root: Path, *folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((root / folder).rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1
