"""Markdown pages as the audits see them: their code blocks and their sections."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is that of its first line of code."""

    language: str
    code: str
    line: int


def pages(root: Path) -> list[Path]:
    """The README and everything under docs/."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[Block]:
    """The page's blocks in one language, in order."""
    text = page.read_text()
    found = [
        Block(match[1], match[2], text.count("\n", 0, match.start(2)) + 1)
        for match in _FENCE.finditer(text)
    ]
    return [block for block in found if block.language == language]


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level; empty without it."""
    level = heading.split(" ", 1)[0]
    start = re.search(rf"^{re.escape(heading)}$", text, re.MULTILINE)
    if start is None:
        return ""
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{len(level)}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest
