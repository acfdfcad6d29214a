"""Clients that others have made, as they are, against a real server."""

import asyncio
import json
from subprocess import PIPE

import httpx
import pytest
from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import RequestIdPolicy, SansIOHTTPPolicy
from azure.core.polling import LROPoller
from azure.core.polling.base_polling import LROBasePolling
from azure.core.rest import HttpRequest
from cutting import cutting
from followers import STATES
from service import HERE, Service

from node import NODE, node_modules

pytestmark = pytest.mark.slow

EVENTSOURCE = ("eventsource@4.1.0", "eventsource-parser@3.1.1")
JOBS = 40
CUT_AFTER = range(50, 200, 20)  # events: in the middle of the next one


class Polls(SansIOHTTPPolicy):
    """Counts the looks at jobs."""

    def __init__(self):
        self.count = 0

    def on_request(self, request):
        self.count += request.http_request.method == "GET"


async def test_azures_poller_waits_for_jobs_to_succeed_fail_or_be_canceled(tmp_path, monkeypatch):
    """Section 2 of http.md: it reads `Operation-Location`, `Retry-After` and `status`."""
    monkeypatch.setenv("CLIENT_FOLDER", str(tmp_path))
    polls = Polls()
    with Service(tmp_path, "run", target="client_apps:app") as service:
        await service.ready()
        with PipelineClient(service.url, policies=[RequestIdPolicy(), polls]) as client:

            def begin(path):
                request = HttpRequest("POST", client.format_url(path), json={"order_id": "o1"})
                initial = client._pipeline.run(request)  # as its SDKs do
                assert initial.http_response.status_code == 202
                job_id = initial.http_response.json()["id"]
                return job_id, LROPoller(client, initial, decode, LROBasePolling(0.3))

            def decode(response):
                return response.http_response.json()

            def follow(path):
                """How the job ended, as the poller sees it."""
                job_id, poller = begin(path)
                if path == "/held":
                    assert not poller.done()
                    httpx.delete(f"{service.url}/jobs/{job_id}").raise_for_status()
                if path == "/queued":
                    assert poller.result(timeout=60)["result"]["order_id"] == "o1"
                else:
                    with pytest.raises(HttpResponseError):
                        poller.result(timeout=60)
                return poller.status().lower()

            paths = ["/queued", "/refused", "/held"] * 4
            ended = await asyncio.gather(*(asyncio.to_thread(follow, path) for path in paths))
    assert ended == ["succeeded", "failed", "canceled"] * 4
    assert polls.count >= len(paths)
    print(f"{len(paths)} jobs, {polls.count} looks")


async def test_npms_eventsource_misses_nothing_through_cuts_and_stops(tmp_path):
    """SSE-2 and SSE-3: it comes back with the right Last-Event-ID, and a 204 ends it."""
    modules = node_modules(*EVENTSOURCE)
    gateway = Service(tmp_path, "gateway", target="push_apps:app")
    worker = Service(tmp_path, "worker", target="push_apps:app")
    with gateway:
        await gateway.ready()
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            jobs = [(await client.post("/two")).json()["id"] for _ in range(JOBS)]
        async with cutting(gateway.url, CUT_AFTER) as proxy:
            library = (modules / "eventsource" / "dist" / "index.js").as_uri()
            url = f"{proxy.url}/events?jobs={','.join(jobs)}"
            command = [NODE, HERE / "follow.mjs", library, url]
            process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, limit=2**20)
            lines = [json.loads(await process.stdout.readline()) for _ in jobs]
            with worker:
                rest, _ = await asyncio.wait_for(process.communicate(), 120)
            lines += map(json.loads, rest.splitlines())
    assert process.returncode == 0
    told = [line["event"] for line in lines if "event" in line]
    for job_id in jobs:
        life = [event for event in told if event["subject"] == job_id]
        assert [int(event["sequence"]) for event in life] == [1, 2, 3, 4, 5]
        assert [event["data"]["status"] for event in life] == STATES
    assert proxy.cuts == len(CUT_AFTER)
    asked_after = [head.partition("last-event-id: ")[2].split("\r\n")[0] for head in proxy.heads]
    assert asked_after == [last or "" for last in proxy.expected]
    assert len(asked_after) == proxy.cuts + 1  # the last one, answered 204, is on the same line
    ends = [line for line in lines if "closed" in line]
    assert [end["closed"] for end in ends] == [False] * (proxy.cuts + 1) + [True]
    assert ends[-1]["code"] == 204
    print(f"{len(jobs)} jobs, {len(told)} events, {proxy.cuts} cuts")
