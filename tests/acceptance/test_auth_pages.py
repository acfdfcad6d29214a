"""A page of somebody with a name: `/eitherway.js`, a token, and tickets, against real processes."""

import asyncio
import json
import subprocess

import pytest
from test_auth import key_of, start, stopping
from test_page_client import MODULE

from node import NODE

OF_PAGES = """
const [module, url, token, transport] = process.argv.slice(1);
const { Client } = await import(module);
const shop = new Client({ url, token, transports: [transport], attempts: 1 });
const job = await shop.submit("POST", "/whose");
const events = [];
for await (const { via, data } of job.events()) events.push([via, data.status]);
process.stdout.write(JSON.stringify([await job.result(), events.at(-1)]));
process.exit(0);
"""


@pytest.mark.slow
async def test_the_client_for_pages_shows_who_it_is(tmp_path):
    """By every transport: a WebSocket and a stream with tickets, which a page can send."""
    service = start(tmp_path, "run")
    with stopping(service):
        await service.ready()
        ada = await key_of(service, "ada")
        for transport in ("websocket", "sse", "poll"):
            command = [NODE, "--input-type=module", "-e", OF_PAGES, "--"]
            command += [MODULE.as_uri(), service.url, ada, transport]
            done = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
            shown, _ = await asyncio.wait_for(done.communicate(), 60)
            assert json.loads(shown) == ["ada", [transport, "succeeded"]]
    assert ada not in service.log.read_text()
