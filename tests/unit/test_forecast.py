"""`ahead` and `eta_seconds`: how many wait, and how long that may take."""

from eitherway import App


def quick():
    app = App("quick")

    @app.post("/quick", delivery="queued")
    async def work() -> None: ...

    return app, work


async def post(shop):
    return (await shop.request("POST", "/quick")).json()


async def test_the_202_says_how_many_wait_already(test_app):
    """Counted on between two looks at the store; nothing is known of the pace (JOB-7)."""
    app, _ = quick()
    async with test_app(app) as shop:
        documents = [await post(shop) for _ in range(3)]
    assert [document["ahead"] for document in documents] == [0, 1, 2]
    assert {document["eta_seconds"] for document in documents} == {None}


async def test_a_second_later_it_is_what_the_store_says(test_app):
    """Jobs that others accepted, or ran, are seen then; the ETag has not moved."""
    app, work = quick()
    async with test_app(app) as shop:
        job = (await post(shop))["id"]
        for _ in range(4):
            await shop.enqueue(work)
        first = await shop.request("GET", f"/jobs/{job}")
        await shop.advance(1)
        second = await shop.request("GET", f"/jobs/{job}")
    assert (first.json()["ahead"], second.json()["ahead"]) == (0, 4)
    assert first.headers["etag"] == second.headers["etag"]


async def test_the_pace_of_the_last_minute_tells_how_long(test_app):
    """Ten ends at the least, as this process saw them; older ones say nothing."""
    app, work = quick()
    async with test_app(app) as shop:
        await post(shop)
        for _ in range(9):
            await shop.enqueue(work)
        assert await shop.drain() == 10
        await shop.advance(5)
        documents = [await post(shop), await post(shop)]
        assert [each["eta_seconds"] for each in documents] == [0.5, 1.0]
        await shop.advance(61)
        assert (await post(shop))["eta_seconds"] is None


async def test_nine_ends_tell_nothing(test_app):
    """An estimate from so few would be made up."""
    app, work = quick()
    async with test_app(app) as shop:
        await post(shop)
        for _ in range(8):
            await shop.enqueue(work)
        assert await shop.drain() == 9
        await shop.advance(5)
        assert (await post(shop))["eta_seconds"] is None


async def test_what_does_not_wait_has_nothing_ahead(test_app):
    """Nor has a job for later: its time decides."""
    app, work = quick()
    async with test_app(app) as shop:
        later = await shop.enqueue(work, delay_seconds=60)
        job = await shop.enqueue(work)
        await shop.drain()
        for each in (later, job):
            document = (await shop.request("GET", f"/jobs/{each.id}")).json()
            assert (document["ahead"], document["eta_seconds"]) == (None, None)
