"""Shared by the audits; and the core's coverage, printed where `./dev test` wants it."""

from pathlib import Path

import pytest
from coverage import Coverage

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root() -> Path:
    """The checkout."""
    return ROOT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Under `coverage run`: print what is covered above pytest's own closing line."""
    coverage = Coverage.current()
    if coverage is None:
        return
    coverage.stop()
    terminalreporter.section("branch coverage of the core")
    total, wanted = coverage.report(file=terminalreporter), coverage.get_option("report:fail_under")
    if total < wanted:
        terminalreporter.write_line(f"it is below the {wanted} % it had", red=True)
