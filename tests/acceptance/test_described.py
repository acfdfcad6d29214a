"""What openapi-spec-validator, @asyncapi/parser and Schemathesis make of the documents."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from service import Service
from test_bad_input import eitherway

from node import run

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SHOP = HERE.parents[1] / "examples" / "shop"
PARSER = "@asyncapi/parser@3.6.3"
PARSE = """
const { Parser } = require("@asyncapi/parser");
const text = require("fs").readFileSync(process.argv[2], "utf8");
new Parser().parse(text).then(({ document, diagnostics }) => console.log(JSON.stringify({
  channels: document?.allChannels().length,
  operations: document?.allOperations().length,
  messages: document?.allMessages().length,
  errors: diagnostics.filter((found) => found.severity === 0),
  warnings: diagnostics.filter((found) => found.severity === 1),
})));
"""


def documents(kind, target, folder):
    """What the command prints, and where it wrote it."""
    out = folder / f"{kind}.json"
    path = f"{HERE}:{SHOP}"
    done = eitherway(kind, target, "--out", str(out), folder=folder, PYTHONPATH=path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    printed = eitherway(kind, target, folder=folder, PYTHONPATH=path)
    assert printed.stdout.encode() == out.read_bytes()
    return json.loads(out.read_text()), out


@pytest.mark.parametrize(("target", "operations"), [("shop:app", 14), ("described_apps:app", 27)])
def test_openapi_is_valid(tmp_path, target, operations):
    """API-1, by openapi-spec-validator; every operation is there."""
    document, _ = documents("openapi", target, tmp_path)
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    described = [one for item in document["paths"].values() for one in item.values()]
    assert len(described) == operations
    assert len({one["operationId"] for one in described}) == operations


@pytest.mark.parametrize(
    ("target", "counts"), [("shop:app", (5, 6, 14)), ("described_apps:app", (15, 16, 24))]
)
def test_asyncapi_is_valid(tmp_path, target, counts):
    """API-3, by the parser of AsyncAPI's own makers: neither errors nor warnings."""
    _, out = documents("asyncapi", target, tmp_path)
    found = json.loads(run(PARSE, str(out), packages=[PARSER]))
    assert (found["errors"], found["warnings"]) == ([], [])
    assert (found["channels"], found["operations"], found["messages"]) == counts


async def test_the_parser_sees_mistakes(tmp_path):
    """A reply whose channel is missing: the test above can fail."""
    document, out = documents("asyncapi", "shop:app", tmp_path)
    del document["channels"]["place_order.reply"]
    out.write_text(json.dumps(document))
    assert json.loads(run(PARSE, str(out), packages=[PARSER]))["errors"]


@pytest.mark.parametrize("command", ["openapi", "asyncapi"])
def test_what_cannot_be_described_is_one_line(tmp_path, command):
    """The operation is named; so is a file that cannot be written."""
    (tmp_path / "odd.py").write_text(
        "from eitherway import App\n"
        "class Odd:\n"
        "    @classmethod\n"
        "    def __get_pydantic_core_schema__(cls, source, handler):\n"
        "        return handler(str)\n"
        "    @classmethod\n"
        "    def __get_pydantic_json_schema__(cls, schema, handler):\n"
        "        raise RuntimeError('no words for it')\n"
        "app = App('odd')\n"
        "@app.post('/odd')\n"
        "async def take(odd: Odd) -> str: return ''\n"
    )
    done = eitherway(command, "odd:app", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "take: the type of the parameter 'odd'" in done.stderr
    assert "no words for it" in done.stderr
    nowhere = ("apps:app", "--out", "no/such/folder/x.json")
    done = eitherway(command, *nowhere, folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--out no/such/folder/x.json" in done.stderr


async def test_options_tells_what_the_document_tells(tmp_path):
    """ERR-5: of each path, `Allow` has the document's methods, HEAD where GET is, and OPTIONS."""
    with Service(tmp_path, "gateway", target="described_apps:app") as service:
        await service.ready()
        async with httpx.AsyncClient(base_url=service.url) as client:
            document = (await client.get("/openapi.json")).json()
            assert len(document["paths"]) == 23
            for path, item in document["paths"].items():
                declared = {method.upper() for method in item}
                implied = {"OPTIONS"} | ({"HEAD"} if "GET" in declared else set())
                url = path.replace("{number}", "1").replace("{shelf}", "1")
                answer = await client.options(re.sub(r"{\w+}", "x", url))
                assert answer.status_code == 204, path
                assert set(answer.headers["allow"].split(", ")) == declared | implied, path


@pytest.mark.parametrize(
    ("target", "left_out", "operations"),
    [
        # one a second, and 503 for the others, as it is meant to be
        ("shop:app", ["/orders/slowly"], 11),
        # a key is not to be used twice, and a type has no schema: neither can be said in OpenAPI
        ("described_apps:app", ["/queued/{number}", "/odd"], 23),
    ],
)
async def test_schemathesis_finds_nothing(tmp_path, target, left_out, operations):
    """All its default checks, 50 examples an operation, wrong requests and followed links."""
    service = Service(tmp_path, "run", target=target)
    try:
        await service.start(PYTHONPATH=f"{HERE}:{SHOP}").ready()
        report, shown = schemathesis(service.url, left_out, tmp_path)
        async with httpx.AsyncClient(base_url=service.url) as client:
            metrics = (await client.get("/metrics")).text
    finally:
        service.stop()
    cases, tested = report["test_cases"]["generated"], report["operations"]["tested"]
    links = int(re.search(r"API Links: +(\d+) covered", shown)[1])
    receipts = sum(requests(metrics, 202).values())
    print(f"{target}: {tested} operations, {cases} cases, {links} links, {receipts} receipts")
    assert report["failures"] == [], shown
    assert report["errors"] == [], shown
    assert report["exit_code"] == 0
    assert tested == operations
    assert cases > 25 * operations
    assert links >= 10
    assert receipts > 50
    assert requests(metrics, 422)
    assert requests(metrics, 500) == {}
    assert "/jobs/{id}/result" in requests(metrics, 200)


def schemathesis(url, left_out, folder):
    """Its report, and what it showed."""
    path = folder / "report.json"
    command = [
        Path(sys.executable).with_name("st"),
        *("--config-file", HERE / "schemathesis.toml"),
        *("run", f"{url}/openapi.json", "-n", "50", "--seed", "1"),
        *("--exclude-path-regex", "events$", *(f"--exclude-path={one}" for one in left_out)),
        *("--continue-on-failure", "--report", "json", "--report-json-path", path),
    ]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=280, check=False
    )
    assert path.exists(), done.stdout + done.stderr
    return json.loads(path.read_text()), done.stdout


def requests(metrics, status):
    """How many were answered so, by route."""
    pattern = rf'_request_duration_seconds_count{{(.*?response_status_code="{status}".*?)}} (\S+)'
    found = re.findall(pattern, metrics)
    return {re.search(r'http_route="(.*?)"', labels)[1]: float(count) for labels, count in found}
