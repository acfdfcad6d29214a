"""A WebSocket echo on the gateway's own uvicorn settings, for the conformance suite of RFC 6455."""

import sys

import uvicorn

from eitherway.cli.serving import WEBSOCKETS


async def echo(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text, data = message.get("text"), message.get("bytes")
        said = {"bytes": data} if text is None else {"text": text}
        await send({"type": "websocket.send", **said})


if __name__ == "__main__":
    port = int(sys.argv[1])
    settings = {**WEBSOCKETS, "ws_max_size": 20_000_000}  # cases of group 9 and 10 are large
    uvicorn.run(echo, port=port, lifespan="off", http="httptools", log_level="warning", **settings)
