"""`eitherway aws build`: what it writes and says, and that it is all or nothing."""

import importlib.util
import json
import os
import platform
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from importlib.metadata import version as version_of
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from aws_examples import ROOT

import eitherway.aws.build as building
from eitherway.cli.main import main

SHOP = ROOT / "examples" / "shop"
BAD = """
from eitherway import App
app = App("bad")

@app.post("/orders", timeout_seconds=120)
async def place_order(order: dict) -> None: ...
"""


MOUNTED = (
    BAD.replace("timeout_seconds=120", "timeout_seconds=5")
    + """
async def page(scope, receive, send): ...

app.mount("/page", page)
"""
)


class Ran(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch, capsys) -> Iterator[Callable[..., Ran]]:
    """`eitherway aws ARGUMENTS` as the shell runs it, but in this process: it is quick."""
    for name in os.environ:
        if name.startswith(("AWS_", "EITHERWAY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*arguments: str, cwd: Path = SHOP) -> Ran:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["eitherway", "aws", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Ran(int(ended.value.code or 0), *capsys.readouterr())

    yield run
    for name in ("shop", "bad"):
        sys.modules.pop(name, None)


@pytest.fixture
def build(run):
    """`eitherway aws build`, without the code."""

    def build(out: Path, *more: str, target: str = "shop:app", cwd: Path = SHOP) -> Ran:
        return run("build", target, "--out", str(out), "--no-zip", *more, cwd=cwd)

    return build


def test_it_writes_a_template_and_a_picture_and_says_what_and_why(tmp_path, build):
    built = build(tmp_path / "out")
    assert built.returncode == 0, built.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"template.json", "picture.svg"}
    assert "gateway" in built.stdout
    assert "straight into the queue" in built.stdout
    assert "2 x 4" in built.stdout
    assert "resources" in built.stdout
    assert "prices of 2026-11-23" in built.stdout
    steps = built.stdout.partition("next:\n")[2].splitlines()
    assert steps[0] == f"  eitherway aws check {tmp_path}/out/template.json && \\"
    assert steps[1].startswith("  aws cloudformation deploy --stack-name shop")
    ElementTree.parse(tmp_path / "out" / "picture.svg")


def test_the_same_for_programs(tmp_path, build):
    built = build(tmp_path / "out", "--json", "--stack", "shop-test")
    found = json.loads(built.stdout)
    template = json.loads((tmp_path / "out" / "template.json").read_text())
    assert found["resources"] == len(template["Resources"])
    assert found["template_bytes"] == (tmp_path / "out" / "template.json").stat().st_size
    assert found["stack"] == "shop-test"
    by_name = {one["operation"]: one for one in found["operations"]}
    assert by_name["place_order"]["accepted_by"] == "gateway"
    assert by_name["place_order_now"]["notes"]
    assert found["warnings"] == []
    assert found["import_seconds"] == {}  # there is no code
    assert 0 < found["build_seconds"] < 60
    assert (
        template["Resources"]["PlaceOrderQueue"]["Properties"]["QueueName"]
        == "shop-test_place_order"
    )


def test_what_is_mounted_is_said_not_to_be_there(tmp_path, build):
    (tmp_path / "bad.py").write_text(MOUNTED)
    built = build(tmp_path / "out", "--json", target="bad:app", cwd=tmp_path)
    assert json.loads(built.stdout)["warnings"][0] == "what is mounted at /page is not served"


def test_it_takes_the_place_of_what_it_wrote_before(tmp_path, build):
    out = tmp_path / "out"
    build(out)
    (out / "code-0123.zip").write_text("of before")
    assert build(out).returncode == 0
    assert not (out / "code-0123.zip").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_variables_of_the_handlers_become_parameters(tmp_path, build):
    built = build(tmp_path / "out", "--env", "BANK_URL")
    assert built.returncode == 0
    assert "--parameter-overrides CodeBucket=BUCKET EnvBankUrl=VALUE\n" in built.stdout
    template = json.loads((tmp_path / "out" / "template.json").read_text())
    assert template["Parameters"]["EnvBankUrl"]["NoEcho"] is True
    variables = template["Resources"]["PlaceOrderWorker"]["Properties"]["Environment"]["Variables"]
    assert variables["BANK_URL"] == {"Ref": "EnvBankUrl"}


def test_a_folder_that_one_is_in_is_left_alone(tmp_path, build, monkeypatch):
    monkeypatch.syspath_prepend(str(SHOP))
    refused = build(Path(), cwd=tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "you are in there" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_prices_of_ones_own(tmp_path, build):
    own = json.loads((ROOT / "src/eitherway/aws/prices.json").read_text())
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({**own, "date": "2027-01-01", "rest_million_requests": 1003.5}))
    cheap, dear = (
        json.loads(build(tmp_path / "out", "--json", *more).stdout)
        for more in ([], ["--prices", str(prices)])
    )
    assert dear["prices"]["date"] == "2027-01-01"
    for one, other in zip(cheap["operations"], dear["operations"], strict=True):
        assert float(other["cost"]) - float(one["cost"]) == pytest.approx(1000)
        assert float(one["cost"]) == pytest.approx(sum(one["cost_parts"].values()), abs=0.01)


def test_a_stack_of_another_app_or_name_is_left_alone(tmp_path, build):
    out = tmp_path / "out"
    build(out)
    before = (out / "template.json").read_bytes()
    (tmp_path / "bad.py").write_text(MOUNTED)
    other_stack = build(out, "--stack", "other")
    other_app = build(out, "--stack", "shop", target="bad:app", cwd=tmp_path)
    for refused in (other_stack, other_app):
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert "the stack 'shop' of the app 'shop'" in refused.stderr
    assert (out / "template.json").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--stack", "a_b"], "--stack"),
        (["--arch", "mips"], "--arch"),
        (["--python", "3.9"], "--python"),
        (["--requirements", "none.txt"], "no such file"),
        (["--env", "AWS_SECRET_ACCESS_KEY"], "--env"),
        (["--env", "EITHERWAY_ENGINE"], "--env"),
        (["--extras", "sql,magic"], "'magic'"),
        (["--prices", "none.json"], "--prices none.json: No such file"),
        (["--prices", str(ROOT / "README.md")], "--prices"),
        (["--zip", "--include", "nothing-there"], "--include"),
    ],
    ids=lambda value: " ".join(value[:1]) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_nothing_half_made(tmp_path, more, says, build):
    refused = build(tmp_path / "out", *more)
    assert refused.returncode == 2
    assert says in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_stack_that_is_too_large_is_refused_and_nothing_is_left(tmp_path, build, monkeypatch):
    monkeypatch.setattr(building, "RESOURCES_MAX", 100)
    refused = build(tmp_path / "out")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "138 resources" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_stack_that_is_nearly_too_large_is_said(tmp_path, build, monkeypatch):
    monkeypatch.setattr(building, "RESOURCES_MAX", 140)
    warnings = json.loads(build(tmp_path / "out", "--json").stdout)["warnings"]
    assert "138 resources, and CloudFormation takes 140" in warnings[-1]


def test_an_operation_that_cannot_be_leaves_the_folder_as_it_was(tmp_path, build):
    (tmp_path / "bad.py").write_text(BAD)
    refused = build(tmp_path / "out", target="bad:app", cwd=tmp_path)
    assert refused.returncode == 2
    assert "place_order: API Gateway waits 29 s" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["file", "full", "broken"])
def test_a_folder_with_something_else_is_left_alone(tmp_path, kind, build):
    out = tmp_path / "out"
    if kind == "file":
        out.write_text("mine")
    else:
        out.mkdir()
        (out / ("template.json" if kind == "broken" else "mine.txt")).write_text("{}")
    refused = build(out)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--out" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, build):
    (tmp_path / "file").write_text("")
    refused = build(tmp_path / "file" / "out")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


@pytest.mark.slow  # pip gets wheels
def test_the_code_runs_by_itself(tmp_path, run):
    """In an interpreter that sees the zip alone: eitherway, what it needs, and the app."""
    (tmp_path / "requirements.txt").write_text("boto3\nsix\n")
    version = f"3.{sys.version_info.minor}"
    built = run(
        *("build", "shop:app", "--out", str(tmp_path / "out"), "--python", version),
        *("--arch", "arm64" if platform.machine() == "aarch64" else "x86_64"),
        *("--requirements", str(tmp_path / "requirements.txt"), "--extras", "sql", "--json"),
    )
    assert built.returncode == 0, built.stderr
    code = tmp_path / "out" / json.loads(built.stdout)["code"]
    with zipfile.ZipFile(code) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "code")
    tops = {name.split("/")[0] for name in names}
    assert {"shop.py", "eitherway", "pydantic", "six.py"} <= tops
    assert not {"boto3", "botocore", "uvicorn", "typer", "tests"} & tops
    template = json.loads((tmp_path / "out" / "template.json").read_text())
    assert template["Mappings"]["Code"]["Zip"]["Key"] == code.name
    said = json.loads(built.stdout)["import_seconds"]
    assert set(said) == {"http", "queue", "stream", "socket", "sweeper", "dead"}
    assert all(0 < seconds < 60 for seconds in said.values())
    for name in ("pydantic", "starlette", "sqlalchemy", "anyio"):  # of eitherway, and of that
        assert any(one.startswith(f"{name}-{version_of(name)}.dist-info/") for one in names)
    runtime = tmp_path / "runtime"  # what Lambda has itself
    runtime.mkdir()
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3"):
        found = importlib.util.find_spec(name)
        (runtime / name).symlink_to(Path(found.origin).parent)
    tried = (
        f"import sys; sys.path[:0] = [{str(tmp_path / 'code')!r}, {str(runtime)!r}]\n"
        "from eitherway.lambdas import dead, http, queue, socket, stream, sweeper\n"
        "from importlib.metadata import entry_points\n"
        "assert {one.name for one in entry_points(group='eitherway.engines')} >= {'aws'}\n"
        "import shop, sqlalchemy\n"
        "assert len(shop.app.operations) == 6"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-I", "-c", tried],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"EITHERWAY_APP": "shop:app", "EITHERWAY_ENGINE": "aws://eu-west-1/shop"},
    )
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow  # pip looks for it
def test_what_pip_cannot_get_is_one_line(tmp_path, build):
    (tmp_path / "requirements.txt").write_text("six==0.0.0.1\n")
    refused = build(tmp_path / "out", "--zip", "--requirements", str(tmp_path / "requirements.txt"))
    assert refused.returncode == 2
    assert "pip cannot make the code for Lambda" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["requirements.txt"]


def test_lint_prints_what_is_otherwise_and_what_is_wrong(tmp_path, build, run):
    table = run("lint")
    assert table.returncode == 0, table.stderr
    assert "`queued`, `Prefer: wait=n`" in table.stdout
    assert json.loads(run("lint", "--json").stdout)["sections"][0]["title"] == "Deliveries"
    assert run("lint", "shop:app").stdout == "nothing found\n"
    build(tmp_path / "out")
    file = tmp_path / "out" / "template.json"
    document = json.loads(file.read_text())
    del document["Resources"]["StatusPermission"]
    file.write_text(json.dumps(document))
    found = run("lint", str(file), "--json")
    assert found.returncode == 2
    assert {one["trap"] for one in json.loads(found.stdout)["findings"]} == {"invoke-permissions"}


def test_smoke_of_what_speaks_no_http_is_one_line(tmp_path, run):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        answering = threading.Thread(target=answer)
        answering.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        refused = run("smoke", "--url", url, "--direct", "GET /", cwd=tmp_path)
        answering.join()
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr
    assert f"GET {url}/: SSH-2.0" in refused.stderr


def test_smoke_wants_to_know_what(tmp_path, run):
    (tmp_path / "odd").write_bytes(b"\xff")
    for arguments, says in (
        (["--direct", "GET /"], "--url"),
        (["--url", "http://127.0.0.1:9"], "--direct"),
        (["--url", "ftp://x", "--direct", "GET /"], "--url"),
        (["--url", "http://127.0.0.1:9", "--direct", "orders"], "POST /orders"),
        (["--url", "http://127.0.0.1:9", "--direct", "GET /", "--body", "{"], "--body"),
        (["--url", "http://127.0.0.1:port", "--direct", "GET /"], "--url"),
        (["--url", "http://", "--direct", "GET /"], "--url"),
        (["--url", "http://127.0.0.1:9", "--socket", "http://x", "--queued", "GET /"], "--socket"),
        (["--url", "http://127.0.0.1:9", "--direct", "GET /", "--within", "0"], "--within"),
        (["--url", "http://127.0.0.1:9", "--direct", "GET /", "--body", "@odd"], "--body"),
        (["--stack", "shop", "--direct", "GET /"], "credentials"),
    ):
        refused = run("smoke", *arguments, cwd=tmp_path)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert says in refused.stderr
