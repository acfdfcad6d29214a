"""A FastAPI and Celery application before and after it was moved: same tests, same kills."""

import asyncio

import pytest
from moved import After, Before
from service import tick

pytestmark = pytest.mark.slow

ORDERS, KILLS = 60, 3


@pytest.fixture(params=[Before, After], ids=["before", "after"])
def make_shop(request, tmp_path, postgres):
    return lambda **environment: request.param(tmp_path, postgres.new_database(), **environment)


async def paid(client, *order_ids):
    """The orders, once all of them are paid and their receipts mailed."""
    found = []
    for order_id in order_ids:
        while (order := await client.get(f"/orders/{order_id}")).status_code == 404 or not (
            order.json()["status"] == "paid" and order.json()["mails"]
        ):
            await tick()
        found.append(order.json())
    return found


async def place(client, order_id):
    return await client.post("/orders", json={"id": order_id, "amount": 5})


async def test_an_order_is_paid_and_its_receipt_is_mailed(make_shop):
    """Also when the bank fails now and then."""
    with make_shop(BANK_FAILS="0.2") as shop:
        async with shop.client as client:
            await shop.ready(client)
            answers = await asyncio.gather(*(place(client, f"o{n}") for n in range(20)))
            assert {answer.status_code for answer in answers} == {202}
            orders = await paid(client, *(f"o{n}" for n in range(20)))
    assert orders[3] == {"id": "o3", "status": "paid", "receipt": "o3: 5.00 paid", "mails": 1}


async def test_what_is_wrong_is_refused(make_shop):
    """An amount of nothing, an order that is not there, and the same order twice."""
    with make_shop(BANK_FAILS="0") as shop:
        async with shop.client as client:
            await shop.ready(client)
            answer = await client.post("/orders", json={"id": "o1", "amount": 0})
            assert answer.status_code == 422
            assert (await client.get("/orders/o1")).status_code == 404
            first, again = await place(client, "o1"), await place(client, "o1")
            assert (first.status_code, again.status_code in (202, 409)) == (202, True)
            await paid(client, "o1")
            await place(client, "last")  # when it is paid, so is all that came before
            await paid(client, "last")
            assert (await paid(client, "o1"))[0]["mails"] == 1


async def test_orders_under_kill_9(make_shop):
    """Three times the worker is killed in the middle of its work: before, orders are lost."""
    orders = [f"o{n}" for n in range(ORDERS)]
    with make_shop(BANK_FAILS="0") as shop:
        async with shop.client as client:
            await shop.ready(client)
            for order_id in orders:
                assert (await place(client, order_id)).status_code == 202
            for kill in range(KILLS):
                while shop.paid() < 6 + 8 * kill:
                    await tick()
                shop.kill_the_worker()
            if shop.version == "after":
                await paid(client, *orders)  # all of them, or this takes for ever
            else:
                for order_id in ("last", "very-last"):  # one for each process of the worker
                    await place(client, order_id)
                await paid(client, "last", "very-last")
                lost = await unpaid(client, orders)
                assert len(lost) >= KILLS
                print(f"{len(lost)} of {ORDERS} orders lost with {KILLS} kills")


async def unpaid(client, orders):
    """Those that are not paid (yet)."""
    answers = await asyncio.gather(*(client.get(f"/orders/{order}") for order in orders))
    return [
        order
        for order, answer in zip(orders, answers, strict=True)
        if answer.status_code == 404 or answer.json()["status"] != "paid"
    ]
