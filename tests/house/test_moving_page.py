"""docs/how-to/from-fastapi-and-celery.md shows the files of examples/moving as they are."""

from pathlib import Path

import pytest

from .conftest import ROOT
from .pages import Block, blocks

PAGE = ROOT / "docs" / "how-to" / "from-fastapi-and-celery.md"
EXAMPLE = ROOT / "examples" / "moving"


def lines(version: str) -> int:
    """Lines that say something, of all but the bank."""
    files = [path for path in (EXAMPLE / version).glob("*.py") if path.name != "bank.py"]
    return sum(bool(line.strip()) for path in files for line in path.read_text().splitlines())


@pytest.mark.parametrize("block", blocks(PAGE, "py"), ids=lambda block: f"line {block.line}")
def test_the_page_shows_what_runs(block: Block) -> None:
    files: list[Path] = sorted(EXAMPLE.rglob("*.py"))
    assert [path for path in files if block.code in path.read_text()]


def test_it_counts_the_lines() -> None:
    row = next(line for line in PAGE.read_text().splitlines() if line.startswith("| lines"))
    assert [cell.strip() for cell in row.split("|")[2:4]] == [
        str(lines("before")),
        str(lines("after")),
    ]


def test_what_is_the_same_is_the_same() -> None:
    assert (EXAMPLE / "before/bank.py").read_text() == (EXAMPLE / "after/bank.py").read_text()
