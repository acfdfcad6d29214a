"""A hostile client, as a process of its own: everything at once, until it is told to stop.

`python hostile.py URL`; prints what it did as JSON when its standard input ends.
"""

import asyncio
import gzip
import json
import random
import sys
from contextlib import suppress

from raw import Raw, post
from test_nonsense import BODIES, CHUNKED, MALFORMED, TOO_LONG

SLOW_HEADERS, SLOW_BODIES, SILENT, NONSENSE = 300, 100, 200, 20

done = dict.fromkeys(("slow headers", "slow bodies", "silent", "nonsense"), 0)


async def again(kind, attack, *args):
    """For ever, whatever the other side does about it; counts how often it was thrown out."""
    while True:
        with suppress(OSError, EOFError, AssertionError, asyncio.TimeoutError):
            await attack(*args)
        done[kind] += 1
        await asyncio.sleep(0)


async def drip(url, start, drop):
    """A byte now and then, until the other side has enough."""
    async with Raw(url) as raw:
        await raw.send(start)
        ending = asyncio.ensure_future(raw.rest())
        while not ending.done():
            await raw.send(drop)
            await asyncio.wait({ending}, timeout=0.5)


async def say_nothing(url):
    async with Raw(url) as raw:
        await raw.rest()


async def nonsense(url, kinds):
    async with Raw(url) as raw:
        sending = asyncio.ensure_future(raw.send(random.choice(kinds)))
        await asyncio.wait({sending, reply := asyncio.ensure_future(raw.reply())}, timeout=20)
        for task in (sending, reply):
            task.cancel()
        await asyncio.gather(sending, reply, return_exceptions=True)
        if random.random() < 0.5:
            raw.writer.transport.abort()


def everything():
    bodies = [body for body, _ in BODIES.values()]
    return [
        *MALFORMED.values(),
        *(data for data, _, _ in TOO_LONG.values()),
        *(post(path, body) for path in ("/answers/direct", "/either") for body in bodies),
        post("/listed", b"[" + b",".join([b"{}"] * 80_000) + b"]"),
        post("/increments", gzip.compress(b" " * 50_000_000), "content-encoding: gzip"),
        post("/increments", b"fffff\r\n" + b" " * 1_048_575, CHUNKED),
        post("/increments", b"7fffffff\r\n" + b" " * 1_000_000, CHUNKED),
        post("/increments", b"", length=10**12),
        post("/nowhere", b"1000\r\n" + b" " * 4_096, CHUNKED),
        b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n" * 10_000,
        b"GET /events HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\xff",
    ]


async def main(url):
    headers = b"GET /livez HTTP/1.1\r\nhost: a\r\nx: "
    body = post("/increments", b"", length=200_000)
    tasks = [again("slow headers", drip, url, headers, b"x") for _ in range(SLOW_HEADERS)]
    tasks += [again("slow bodies", drip, url, body, b" ") for _ in range(SLOW_BODIES)]
    tasks += [again("silent", say_nothing, url) for _ in range(SILENT)]
    tasks += [again("nonsense", nonsense, url, everything()) for _ in range(NONSENSE)]
    running = asyncio.gather(*tasks)
    print("started", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
