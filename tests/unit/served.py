"""An application under our server, in this process, and a socket to it."""

import asyncio
import socket
from contextlib import asynccontextmanager
from functools import partial

import uvicorn

from eitherway.server.bounds import Bounds
from eitherway.server.connection import Connection
from eitherway.server.crowd import Crowd
from eitherway.settings import Settings


@asynccontextmanager
async def served(app):
    """Where it listens."""
    crowd = Crowd(Bounds.of(Settings()), lambda _: None)
    http = partial(Connection, crowd=crowd)
    config = uvicorn.Config(app, http=http, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        crowd.start()
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield address
        server.should_exit = True
        await task
        crowd.stop()


async def exchange(address, sent):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    answer = await reader.read()  # up to the end: each of these closes
    writer.close()
    return answer
