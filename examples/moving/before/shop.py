from typing import Annotated

from database import Mail, Order, get_session
from fastapi import Depends, FastAPI, HTTPException, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tasks import charge_order

app = FastAPI(title="shop")
Database = Annotated[Session, Depends(get_session)]


class NewOrder(BaseModel):
    id: str
    amount: float = Field(gt=0)


class Status(BaseModel):
    id: str
    status: str
    receipt: str | None
    mails: int


@app.post("/orders", status_code=202)
def place_order(new: NewOrder, response: Response, session: Database) -> Status:
    if session.get(Order, new.id):
        raise HTTPException(409, f"there is an order {new.id}")
    session.add(Order(id=new.id, amount=new.amount, status="waiting"))
    session.commit()
    charge_order.delay(new.id)
    response.headers["Location"] = f"/orders/{new.id}"
    return Status(id=new.id, status="waiting", receipt=None, mails=0)


@app.get("/orders/{order_id}")
def read_order(order_id: str, session: Database) -> Status:
    order = session.get(Order, order_id)
    if order is None:
        raise HTTPException(404, f"no order {order_id}")
    mails = session.scalar(select(func.count()).where(Mail.order_id == order_id))
    return Status(id=order.id, status=order.status, receipt=order.receipt, mails=mails or 0)
