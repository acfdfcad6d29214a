"""The files of `examples/deploy`, in use: the proxy, the backup, the unit, the image's steps.

Not covered here: the image itself (its base, user, owner of the volume, how it is stopped), a run of
compose.yaml by an engine for containers, and the unit under a running systemd.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from deployed import CHECKOUT, DEPLOY, Image, Proxy, composed
from followers import events_of
from service import Service, tick, until_done
from tools import tool
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

pytestmark = pytest.mark.slow

TOKEN = "for-this-test-alone"
BACKUPS = {
    "backup.py": [str(DEPLOY / "backup.py")],
    "VACUUM INTO": [
        "-c",
        "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', sys.argv[2:])",
    ],
}


@pytest.fixture
def proxy(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return Proxy(tmp_path / "nginx", port)


@pytest.fixture
async def outside(tmp_path, proxy):
    """A client of nginx, which stands before `eitherway run`; no token is set."""
    service = Service(tmp_path, "run", "--public-url", proxy.url)
    with service:
        where = await listening(service)
        with proxy.before([where], [where]):
            async with proxy.client() as client:
                await proxy.ready(client)
                yield client


async def listening(service):
    """Where it listens, whatever URL it says it is served at."""
    while True:
        found = re.search(r"/metrics of this worker", "")
        ports = listeners(service.process.pid)
        if ports:
            return f"http://127.0.0.1:{ports[0]}"
        assert found is None
        assert service.process.poll() is None, service.log.read_text()
        await tick()
