import os

from bank import BankError, charge
from celery import Celery
from database import Mail, Order, engine
from sqlalchemy.orm import Session

celery = Celery("shop", broker=os.environ["BROKER_URL"])
celery.conf.broker_connection_retry_on_startup = True
RETRY = {"autoretry_for": (BankError,), "retry_backoff": True, "max_retries": 5}


@celery.task(**RETRY)
def charge_order(order_id: str) -> None:
    with Session(engine) as session:
        order = session.get_one(Order, order_id)
        order.receipt = charge(order.id, order.amount)
        order.status = "paid"
        session.commit()
    send_receipt.delay(order_id)


@celery.task
def send_receipt(order_id: str) -> None:
    with Session(engine) as session:
        order = session.get_one(Order, order_id)
        session.add(Mail(order_id=order_id, text=f"Thank you! {order.receipt}"))
        session.commit()
