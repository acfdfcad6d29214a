from typing import Annotated

from bank import charge
from database import Mail, Order, get_session
from fastapi import Depends, FastAPI, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from eitherway import App, Context, Limit, Reject, Retry
from eitherway.sql import once

app = App("shop")
api = FastAPI(title="shop")
app.mount("/", api)
Database = Annotated[Session, Depends(get_session)]


class NewOrder(BaseModel):
    id: str
    amount: float = Field(gt=0)


class Status(BaseModel):
    id: str
    status: str
    receipt: str | None
    mails: int


@app.post("/orders", delivery="queued", retry=Retry(attempts=6), limit=Limit("bank", in_flight=2))
def place_order(ctx: Context, new: NewOrder, session: Database) -> Status:
    order = once(ctx, session, pay, session, new)
    ctx.enqueue(send_receipt, new.id)
    return order


def pay(session: Session, new: NewOrder) -> Status:
    if session.get(Order, new.id):
        raise Reject(f"there is an order {new.id}", status=409)
    receipt = charge(new.id, new.amount)
    session.add(Order(id=new.id, amount=new.amount, status="paid", receipt=receipt))
    return Status(id=new.id, status="paid", receipt=receipt, mails=0)


@app.operation()
def send_receipt(ctx: Context, order_id: str, session: Database) -> None:
    once(ctx, session, mail, session, order_id)


def mail(session: Session, order_id: str) -> None:
    order = session.get_one(Order, order_id)
    session.add(Mail(order_id=order_id, text=f"Thank you! {order.receipt}"))


@api.get("/orders/{order_id}")
def read_order(order_id: str, session: Database) -> Status:
    order = session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, f"no order {order_id}")
    mails = session.scalar(select(func.count()).where(Mail.order_id == order_id))
    return Status(id=order.id, status=order.status, receipt=order.receipt, mails=mails or 0)
