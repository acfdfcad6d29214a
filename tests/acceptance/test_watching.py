"""What a process shows of itself: `/metrics`, its settings, its log."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from service import Service, tick, until_done

from tools import tool

HERE = Path(__file__).parent


def check(text):
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


async def metrics_of(log):
    """Where the worker says that its figures are."""
    while "/metrics of this worker: " not in log.read_text():
        await tick()
    return log.read_text().partition("/metrics of this worker: ")[2].split()[0]


async def test_promtool_finds_nothing_wrong_with_the_metrics(tmp_path, free_port):
    """Of the gateway, and of a worker beside it, which has `/livez` and `/readyz` too."""
    service = Service(tmp_path, "run", "--metrics-port", str(free_port))
    with service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            for note in ("error", "reject", "fine"):
                body = {"key": "k", "note": note}
                job = await client.post("/answers/queued", json=body)
                await until_done(client, job.json()["id"])
            await client.get("/nowhere")
            gateway = (await client.get("/metrics")).text
        url = await metrics_of(service.log)
        async with httpx.AsyncClient(base_url=url.removesuffix("/metrics")) as client:
            worker = (await client.get("/metrics")).text
            for path, status in (("/livez", 200), ("/readyz", 200), ("/jobs/x", 404)):
                assert (await client.get(path)).status_code == status
    dead = 'eitherway_dead_letters_total{operation="answers_queued"} 1.0'
    assert dead in gateway
    assert dead in worker
    for outcome in ("error", "rejected", "succeeded"):
        labels = f'{{operation="answers_queued",outcome="{outcome}"}}'
        assert f"messaging_process_duration_seconds_count{labels} 1.0" in worker
    for text in (gateway, worker):
        check(text)


async def test_log_lines_are_json_where_wished(tmp_path):
    """Every line of every process is an object."""
    service = Service(tmp_path, "run", "--log-format", "json")
    service.start(EITHERWAY_ACCESS_LOG="true")
    await service.ready()
    async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
        job = await client.post("/answers/queued", json={"key": "k"})
        await until_done(client, job.json()["id"])
    service.stop()
    _, *lines = service.log.read_text().splitlines()  # the first says where it is served
    lines = [json.loads(line) for line in lines]
    loggers = {line["logger"] for line in lines if line.get("job") == job.json()["id"]}
    assert loggers == {"eitherway.request", "eitherway.attempt"}


@pytest.mark.parametrize(
    ("flags", "environment", "expected"),
    [
        ([], {}, {"port": (8000, "default"), "engine": (None, "default")}),
        (["--port", "9"], {"EITHERWAY_PORT": "8"}, {"port": (9, "flag")}),
        ([], {"EITHERWAY_PORT": "8"}, {"port": (8, "env")}),
        (["--app", "apps:app"], {}, {"engine": ("sqlite:///./acceptance.db", "app")}),
        (
            ["--app", "apps:app"],
            {"EITHERWAY_ENGINE": "sqlite:///x.db"},
            {"engine": ("sqlite:///x.db", "env")},
        ),
    ],
)
def test_config_says_where_each_value_comes_from(tmp_path, flags, environment, expected):
    """A flag, the environment, the app, or nobody."""
    clean = {name: value for name, value in os.environ.items() if "EITHERWAY" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "eitherway", "config", "--json", *flags],
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(HERE), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = {row["setting"]: row for row in json.loads(done.stdout)["settings"]}
    for name, (value, source) in expected.items():
        assert (rows[name]["value"], rows[name]["source"]) == (value, source)
    assert rows["port"]["environment"] == "EITHERWAY_PORT"


@pytest.fixture
def free_port():
    """A port that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
