"""docs/how-to/use-your-own-database.md shows the table as `eitherway.sql` makes it."""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from eitherway.sql import once_table

from .conftest import ROOT
from .pages import blocks

PAGE = ROOT / "docs" / "how-to" / "use-your-own-database.md"


def test_the_statements_on_the_page_make_the_table() -> None:
    made = [
        str(CreateTable(once_table).compile(dialect=dialect))
        for dialect in (postgresql.dialect(), sqlite.dialect())
    ]
    shown = [block.code for block in blocks(PAGE, "sql")]
    assert [one_line(code) for code in shown] == [one_line(code) for code in made]


def one_line(statement: str) -> str:
    return " ".join(statement.replace("(", " ( ").replace(")", " ) ").split()).rstrip("; ")
