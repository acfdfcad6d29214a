"""The shop's database, as it was before and stays after."""

import os
from collections.abc import Iterator

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from eitherway.sql import create_once_table

engine = create_engine(os.environ["DATABASE_URL"], pool_pre_ping=True)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[float]
    status: Mapped[str]
    receipt: Mapped[str | None]


class Mail(Base):
    __tablename__ = "mails"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[str]
    text: Mapped[str]


def get_session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


if __name__ == "__main__":
    Base.metadata.create_all(engine)
    create_once_table(engine)
