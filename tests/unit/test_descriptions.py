"""The OpenAPI and AsyncAPI documents of an app: what they say, against what is served."""

import json
from gzip import decompress as gunzip
from typing import Annotated, Any, Literal

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, Field, InstanceOf

from eitherway import App, ConfigurationError, Reject, Retry
from eitherway.gateway.description.description import Description
from eitherway.gateway.description.merging import merged
from eitherway.settings import Settings


class Order(BaseModel):
    """What is wanted."""

    order_id: str
    amount: float = 0


class Job(BaseModel):
    """The user's own."""

    salary: int


class Tree(BaseModel):
    children: list["Tree"] = []


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Handle:
    """JSON knows nothing of it."""


def openapi(app, **settings):
    return json.loads(app.describe(Settings(**settings)).openapi())


def asyncapi(app, **settings):
    return json.loads(app.describe(Settings(**settings)).asyncapi())


def statuses(document, path, method="post"):
    return set(document["paths"][path][method]["responses"])


def check(document, name, value):
    """`value` is of this schema, and has nothing that the schema does not name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    Draft202012Validator(schema).validate(value)
    assert set(value) <= set(document["components"]["schemas"][name]["properties"])


def three():
    """An app with one operation of each delivery."""
    app = App("three")

    async def order(order: Order) -> Order:
        """Order something.

        It is delivered.
        """
        return order

    app.post("/direct", name="direct", status=201)(order)
    app.post("/queued", name="queued", delivery="queued")(order)
    app.post("/auto", name="auto", delivery="auto")(order)
    return app


def test_every_status_that_can_occur_is_listed():
    """API-1: by what the operation is; other 4xx are the handler's own."""
    document = openapi(three())
    usual = {"400", "404", "405", "409", "413", "415", "422", "500", "503", "504", "4XX"}
    assert statuses(document, "/direct") == {"201", *usual}
    assert statuses(document, "/queued") == {"200", "202", "410", *usual}
    assert statuses(document, "/auto") == {"200", "202", "410", *usual}
    assert statuses(document, "/jobs/{id}", "get") == {
        "200",
        "304",
        "404",
        "405",
        "410",
        "500",
        "503",
    }
    for item in document["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                name = response.get("$ref", "").rpartition("/")[2]
                described = document["components"]["responses"][name] if name else response
                assert described["description"]


def test_the_document_is_valid():
    """API-1, by openapi-spec-validator; of larger apps in tests/acceptance/test_described.py."""
    document = openapi(three())
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    document["paths"]["/queued"]["post"]["responses"] = {}
    assert list(OpenAPIV31SpecValidator(document).iter_errors())


def test_a_receipt_links_to_its_job():
    """API-2: status, result and cancel, by the id in the body; `Prefer` has examples."""
    document = openapi(three())
    described = {o["operationId"] for item in document["paths"].values() for o in item.values()}
    operation = document["paths"]["/queued"]["post"]
    links = operation["responses"]["202"]["links"]
    assert set(links) == {"show", "result", "cancel"}
    for link in links.values():
        assert link["operationId"] in described
        assert link["parameters"] == {"id": "$response.body#/id"}
    (prefer,) = [one for one in operation["parameters"] if one["name"] == "Prefer"]
    examples = {one["value"] for one in prefer["examples"].values()}
    assert {"respond-async", "wait=5"} <= examples
    assert "parameters" not in document["paths"]["/direct"]["post"]


def test_a_docstring_is_summary_and_description():
    """The first line, and the rest."""
    operation = openapi(three())["paths"]["/direct"]["post"]
    assert (operation["summary"], operation["description"]) == (
        "Order something.",
        "It is delivered.",
    )


def test_one_type_has_one_schema_in_both_documents():
    """API-4: of body, result, queue message and event."""
    app = three()
    http, events = openapi(app), asyncapi(app)
    assert http["components"]["schemas"] == events["components"]["schemas"]
    reference = {"$ref": "#/components/schemas/Order"}
    operation = http["paths"]["/queued"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == reference
    assert operation["responses"]["200"]["content"]["application/json"]["schema"] == reference
    assert events["components"]["messages"]["queued"]["payload"] == reference
    results = events["components"]["messages"]["queued.result"]["payload"]
    assert results == {"anyOf": [reference, {"$ref": "#/components/schemas/eitherway.Problem"}]}
    assert http["components"]["schemas"]["Order"]["required"] == ["order_id"]


def test_the_socket_is_a_channel():
    """API-3: the ws binding, what goes over it in both directions, one message a type of event."""
    document = asyncapi(three())
    channel = document["channels"]["events"]
    assert channel["address"] == "/events"
    binding = channel["bindings"]["ws"]
    assert (binding["method"], binding["bindingVersion"]) == ("GET", "0.1.0")
    names = {one["name"] for one in document["components"]["messages"].values()}
    states = ("scheduled", "queued", "running", "retrying", "succeeded", "failed", "canceled")
    assert {f"eitherway.job.{state}" for state in (*states, "progress")} <= names
    assert {"subscribe", "unsubscribe"} <= names
    assert document["operations"]["events.send"]["action"] == "send"
    assert document["operations"]["events.receive"]["action"] == "receive"


def test_a_queue_is_a_channel_with_a_reply():
    """API-3: sent by the gateway, received by a worker; the reply's channel has no address."""
    document = asyncapi(three())
    assert set(document["channels"]) == {
        "events",
        *("queued", "queued.reply", "auto", "auto.reply"),  # not the direct one
    }
    assert document["channels"]["queued"]["address"] == "queue/queued"
    assert document["channels"]["queued.reply"]["address"] is None
    enqueue, run = (document["operations"][f"queued.{one}"] for one in ("enqueue", "run"))
    assert (enqueue["action"], run["action"]) == ("send", "receive")
    assert run["reply"]["channel"] == {"$ref": "#/channels/queued.reply"}
    message = document["components"]["messages"]["queued"]
    assert message["correlationId"]["location"] == "$message.header#/job_id"
    assert set(message["headers"]["required"]) == {"job_id", "operation", "version"}


def test_names_of_the_gateways_own_clash_with_none():
    """A user's `Job` is theirs, and so are operations of likely names."""
    app = App("own")
    for name in ("events", "jobs", "livez", "metrics"):
        app.get(f"/my/{name}", name=name)(_takes_nothing)

    @app.post("/jobs-of-mine")
    async def take(job: Job) -> Job:
        return job

    document = openapi(app)
    ids = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(ids) == len(set(ids))
    schemas = document["components"]["schemas"]
    assert set(schemas["Job"]["properties"]) == {"salary"}
    assert "links" in schemas["eitherway.Job"]["properties"]


def test_a_type_within_itself_has_one_schema():
    """Pydantic makes two; here two remain only where they differ."""
    app = App("trees")

    @app.post("/trees")
    async def plant(tree: Tree) -> Tree:
        return tree

    schemas = openapi(app)["components"]["schemas"]
    assert "Tree" in schemas
    assert not any(name.startswith("Tree-") for name in schemas)
    differing = {
        "A-Input": {"items": {"$ref": "#/x/B-Input"}},
        "A-Output": {"items": {"$ref": "#/x/B-Output"}},
        "B-Input": {"type": "string"},
        "B-Output": {"type": "number"},
    }
    assert merged(differing) == {}


def test_a_tagged_union_says_so_by_its_constants():
    """`discriminator` is an object in OpenAPI and a string in AsyncAPI: it is left out."""
    app = App("pets")

    @app.post("/pets", delivery="queued")
    async def take(pet: Annotated[Cat | Dog, Field(discriminator="kind")]) -> None: ...

    body = openapi(app)["paths"]["/pets"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert set(schema) == {"oneOf"}


def test_what_json_schema_cannot_say_is_anything():
    """The app is described, and the operation decides."""
    app = App("odd")

    @app.post("/odd")
    async def take(handle: InstanceOf[Handle]) -> Any: ...

    body = openapi(app)["paths"]["/odd"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {}


def test_a_type_that_fails_to_describe_itself_is_named():
    """With its operation, and what it said."""

    class Odd:
        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler):
            return handler(str)

        @classmethod
        def __get_pydantic_json_schema__(cls, schema, handler):
            raise RuntimeError("no words\nfor it")

    app = App("odd")
    app.post("/odd", name="take_odd")(_takes(Odd))
    with pytest.raises(ConfigurationError, match=r"^take_odd: .*'odd'.*no words for it$"):
        openapi(app)


def _takes(kind):
    async def take(odd) -> None: ...

    take.__annotations__["odd"] = kind
    return take


def test_parameters_are_described_as_they_are_sent():
    """Not null in a query; the path's own names, of the first where two differ in them."""
    app = App("parameters")

    @app.get("/things/{key}")
    async def read(key: str, size: int | None = None, deep: bool = False) -> str:
        return key

    @app.put("/things/{number:int}", idempotency_key="required")
    async def write(number: int, order: Order) -> None: ...

    document = openapi(app)
    (path,) = [one for one in document["paths"] if one.startswith("/things")]
    assert path == "/things/{key}"
    key, size, deep = document["paths"][path]["get"]["parameters"]
    assert key["schema"] == {"type": "string", "minLength": 1}
    assert size == {"name": "size", "in": "query", "required": False, "schema": {"type": "integer"}}
    assert deep["schema"] == {"type": "boolean", "default": False}
    number, idempotency = document["paths"][path]["put"]["parameters"]
    assert (number["name"], number["schema"]) == ("key", {"type": "integer"})
    assert idempotency == {"$ref": "#/components/parameters/Idempotency-Key"}


def test_a_success_that_is_202_may_be_either_answer():
    """Result and receipt share the status, so the schema is of both."""
    app = App("both")

    @app.post("/both", delivery="queued", status=202)
    async def both(order: Order) -> Order:
        return order

    response = openapi(app)["paths"]["/both"]["post"]["responses"]["202"]
    alternatives = response["content"]["application/json"]["schema"]["anyOf"]
    assert [one["$ref"].rpartition("/")[2] for one in alternatives] == ["Order", "eitherway.Job"]


def test_nothing_of_204_has_no_content():
    """Nor is `Idempotent-Replayed` said of a GET, or a key taken where it is ignored."""
    app = App("gone")

    @app.delete("/things/{key}", status=204, idempotency_key="ignored")
    async def delete(key: str) -> None: ...

    operation = openapi(app)["paths"]["/things/{key}"]["delete"]
    assert operation["responses"]["204"] == {"description": "The result"}
    assert "x-idempotency-key" not in operation


@pytest.mark.parametrize(
    ("settings", "server", "path"),
    [
        ({}, "/", "/jobs/{id}"),
        ({"prefix": "/_"}, "/", "/_/jobs/{id}"),
        ({"public_url": "https://shop.example/api/"}, "https://shop.example/api", "/jobs/{id}"),
    ],
)
def test_addresses_follow_the_settings(settings, server, path):
    """Prefix and public URL; the engine's address and password stay here."""
    app = App("addresses", engine="sqlite:///secret/place.db")
    document = openapi(app, **settings)
    assert document["servers"] == [{"url": server}]
    assert path in document["paths"]
    events = asyncapi(app, **settings)
    assert events["servers"]["engine"]["protocol"] == "sqlite"
    assert "secret" not in json.dumps(events)
    if "public_url" in settings:
        gateway = events["servers"]["gateway"]
        assert gateway == {"host": "shop.example", "protocol": "wss", "pathname": "/api"}


def test_security_schemes_have_one_place():
    """Given to the description, both documents have them."""
    scheme = {"type": "http", "scheme": "bearer"}
    description = Description(
        "safe", [], Settings(), engine_url="sqlite://", security={"token": scheme}
    )
    http, events = (json.loads(one) for one in (description.openapi(), description.asyncapi()))
    assert http["components"]["securitySchemes"] == {"token": scheme}
    assert http["security"] == [{"token": []}]
    assert http["paths"]["/livez"]["get"]["security"] == []
    assert events["components"]["securitySchemes"] == {"token": scheme}
    assert events["servers"]["gateway"]["security"]


def test_the_version_moves_with_the_contents():
    """The same app gives the same bytes; another operation another version."""
    app, same, other = three(), three(), three()
    other.get("/more", name="more")(_takes_nothing)
    versions = [openapi(one)["info"]["version"] for one in (app, same, other)]
    assert versions[0] == versions[1] != versions[2]


async def _takes_nothing() -> None: ...


async def test_what_is_served_is_of_its_schemas(test_app):
    """A job in each of its states, its events' data, and problems."""
    app = App("served")

    @app.post("/order", delivery="queued", retry=Retry(attempts=1))
    async def order(order: Order) -> Order:
        if order.order_id == "reject":
            raise Reject("no")
        return order

    async with test_app(app) as shop:
        document = (await shop.request("GET", "/openapi.json")).json()
        waiting = await shop.request("POST", "/order", json={"order_id": "a", "amount": 1})
        refused = await shop.request("POST", "/order", json={"order_id": "reject"})
        problem = await shop.request("POST", "/order", json={"amount": "much"})
        ids = [receipt.json()["id"] for receipt in (waiting, refused)]
        check(document, "eitherway.Job", waiting.json())
        check(document, "eitherway.Problem", problem.json())
        await shop.drain()
        ended = [(await shop.request("GET", f"/jobs/{one}")).json() for one in ids]
        assert [one["status"] for one in ended] == ["succeeded", "failed"]
        for one in ended:
            check(document, "eitherway.Job", one)


async def test_documents_are_answered_with_304(test_app):
    """By their ETag; and there is nothing at a file that is none."""
    async with test_app(three()) as shop:
        for path in ("/openapi.json", "/asyncapi.json", "/docs", "/docs/page.js"):
            first = await shop.request("GET", path)
            assert first.status == 200
            again = await shop.request(
                "GET", path, headers={"if-none-match": first.headers["etag"]}
            )
            assert (again.status, again.body) == (304, b"")
            head = await shop.request("HEAD", path)
            assert (head.status, head.body) == (200, b"")
        assert (await shop.request("GET", "/docs/no.js")).status == 404
        for encoding in ("gzip, br", "identity"):
            bundle = await shop.request(
                "GET", "/docs/swagger-ui-bundle.js", headers={"accept-encoding": encoding}
            )
            packed = bundle.headers.get("content-encoding") == "gzip"
            assert packed is encoding.startswith("gzip")
            assert b"SwaggerUI" in (gunzip(bundle.body) if packed else bundle.body)
        page = await shop.request("GET", "/docs")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert b"<title>three</title>" in page.body


async def test_an_app_that_cannot_be_described_is_served_all_the_same(test_app):
    """Its document alone is a 500, without internals."""

    class Odd:
        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler):
            return handler(str)

        @classmethod
        def __get_pydantic_json_schema__(cls, schema, handler):
            raise RuntimeError("a secret of the inside")

    app = App("odd")
    app.post("/odd", name="take_odd")(_takes(Odd))
    async with test_app(app) as shop:
        answer = await shop.request("GET", "/openapi.json")
        assert (answer.status, answer.json()["type"]) == (500, "/problems/internal-error")
        assert b"secret" not in answer.body
        assert (await shop.request("POST", "/odd", json="x")).status == 200


async def test_paths_of_the_documents_are_the_gateways(test_app):
    """An operation on one of them is refused."""
    app = App("clash")

    @app.get("/docs")
    async def docs() -> str:
        return ""

    with pytest.raises(ConfigurationError, match="/docs is a path of the gateway itself"):
        async with test_app(app):
            pass
