"""FastAPI with Celery: late acknowledgements, confirms where the broker has them."""

from celery import Celery
from common import BROKER, Order, command, count, order, run
from fastapi import FastAPI

celery = Celery("peer", broker=BROKER)
celery.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=64,
    broker_pool_limit=64,
)
if BROKER.startswith("amqp"):
    celery.conf.broker_transport_options = {"confirm_publish": True}


@celery.task(name="handle")
def handle(asked: dict) -> None:
    run(asked)


app = FastAPI()


@app.post("/orders", status_code=202)
def accept(order: Order) -> dict[str, str]:
    return {"id": handle.delay(order.model_dump()).id}


def fill() -> None:
    for number in range(count()):
        handle.delay(order(number).model_dump())


def worker() -> None:
    celery.worker_main(["worker", "--concurrency", "1", "--loglevel", "WARNING"])


if __name__ == "__main__":
    command(fill=fill, worker=worker)
