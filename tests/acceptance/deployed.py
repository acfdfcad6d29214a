"""What `examples/deploy` says, run in a temporary folder: nginx's configuration, and the image."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
from service import Service, tick

from tools import tool

CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = CHECKOUT / "examples" / "deploy"

_MAIN = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/shop.conf;
}}
"""


class Behind(Service):
    """A gateway behind a proxy: it names the public URL as where it is served."""

    def __init__(self, folder: Path, *command: str, target: str = "apps:app") -> None:
        super().__init__(folder, *command, target=target)
        port = free_port()
        self._command[-1] = str(port)
        self.url = f"http://127.0.0.1:{port}"

    async def ready(self) -> Self:
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as client:
            await until_ready(client)
        return self


class Proxy:
    """nginx with the example's server block, over TLS, at `https://localhost:<port>`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._port = free_port()
        self.url = f"https://localhost:{self._port}"
        folder.mkdir()
        make_certificate(folder)
        self.tls = ssl.create_default_context(cafile=folder / "fullchain.pem")

    @contextmanager
    def before(self, shop: Sequence[str], status: Sequence[str]) -> Iterator[Self]:
        """Run it before these gateways; of the example, only the addresses are replaced."""
        text = (DEPLOY / "nginx.conf").read_text()
        text = replaced(text, r"listen 443 ssl;", f"listen 127.0.0.1:{self._port} ssl;")
        text = replaced(text, r"/etc/ssl/shop/", f"{self.folder}/", count=2)
        for name, urls in (("shop", shop), ("shop_status", status)):
            servers = "".join(f"server {url.partition('://')[2]} max_fails=0; " for url in urls)
            text = replaced(
                text, rf"(?<=upstream {name} {{\n)\s*server [\d.:]+ max_fails=0;", servers
            )
        (self.folder / "shop.conf").write_text(text)
        (self.folder / "nginx.conf").write_text(_MAIN.format(folder=self.folder))
        log = self.folder / "nginx.log"
        command = [tool("nginx"), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
        process = subprocess.Popen([*command, "-e", str(log)])
        try:
            yield self
        finally:
            process.terminate()
            process.wait(timeout=30)

    def client(self) -> httpx.AsyncClient:
        """A client that trusts its certificate."""
        return httpx.AsyncClient(base_url=self.url, verify=self.tls, timeout=60)


async def until_ready(client: httpx.AsyncClient) -> None:
    """Return once /readyz is 200."""
    while True:
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.ConnectError:
            pass
        await tick()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def make_certificate(folder: Path) -> None:
    """A certificate for localhost that only its own file vouches for."""
    new = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    command = [tool("openssl"), "req", *new, *name, *files]
    subprocess.run(command, check=True, capture_output=True)


def replaced(text: str, pattern: str, new: str, count: int = 1) -> str:
    """`text` with so many places replaced: not one more, not one less."""
    text, found = re.subn(pattern, lambda _: new, text)
    assert found == count, f"{pattern!r} occurs {found} times"
    return text


def composed() -> dict[str, list[str]]:
    """The commands of compose.yaml: service to words."""
    text = (DEPLOY / "compose.yaml").read_text()
    found = re.findall(
        r"^  (\w+):\n    <<: \*shop\n    command: eitherway (.+)$", text, re.MULTILINE
    )
    return {name: command.split() for name, command in found}


@dataclass
class Image:
    """The Dockerfile's steps done in a folder instead of an image.

    `COPY`, `WORKDIR`, `ENV` and `RUN` are done as they stand, with the image's folders moved below
    `root`. What needs an image of its own is left out: the base, users and owners, the volume.
    """

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    _folder: Path = Path()

    def moved(self, text: str) -> str:
        """The text with every absolute path of the image below `root`."""
        return re.sub(r"(?<![\w.])/(?=(?:src|srv|var)\b)", f"{self.root}/", text)

    def build(self) -> None:
        (self.root / "var" / "lib" / "shop").mkdir(parents=True)  # the step of `useradd`
        text = (DEPLOY / "Dockerfile").read_text()
        for line in text.splitlines():
            step, _, rest = line.partition(" ")
            if step == "WORKDIR":
                self._folder = Path(self.moved(rest))
                self._folder.mkdir(parents=True, exist_ok=True)
            elif step == "COPY" and "--from=build" not in rest:
                self._copy(rest.split())
            elif step == "RUN" and "useradd" not in rest:
                self._run(rest)
            elif step == "ENV":
                name, _, value = rest.partition("=")
                self.environment[name] = self.moved(value)
            elif step == "CMD":
                self.command = json.loads(rest)
            elif step == "HEALTHCHECK":
                self.health = json.loads(rest.removeprefix("CMD "))

    def environ(self) -> dict[str, str]:
        """What a process in the container finds in its environment."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("EITHERWAY_", "PYTHON"))}
        path = self.environment["PATH"].replace("$PATH", os.environ["PATH"])
        return {**clean, **self.environment, "PATH": path}

    @property
    def folder(self) -> Path:
        """Where the command starts."""
        return self._folder

    def _copy(self, names: list[str]) -> None:
        *sources, target = names
        for source in sources:
            there = self._folder / (source if target != "./" else Path(source).name)
            there.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-r", str(CHECKOUT / source), str(there)], check=True)

    def _run(self, command: str) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", "-c", self.moved(command)],
            cwd=self._folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
