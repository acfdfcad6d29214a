"""OpenAPI and AsyncAPI of an app with authentication and callbacks: valid, and complete."""

import json

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from eitherway import App
from eitherway.auth import Anonymous, ApiKeys, Jwt

SECRET = "0123456789abcdef0123456789abcdef"
JWT = {"issuer": "https://issuer.example", "audience": "shop", "key": SECRET}


def shop(auth):
    app = App("shop", auth=auth)

    @app.post("/orders", delivery="queued", callbacks=True)
    def place_order(number: int) -> int:
        return number

    @app.post("/direct")
    def direct(number: int) -> int:
        return number

    return app


def documents(app):
    description = app.describe()
    return json.loads(description.openapi()), json.loads(description.asyncapi())


def test_the_schemes_are_those_of_the_app():
    """Any of them lets a caller in; where nobody need be named, so does none."""
    keys, jwt = ApiKeys(header="X-API-Key"), Jwt(**JWT, algorithms=["HS256"])
    http, events = documents(shop([keys, jwt, Anonymous()]))
    OpenAPIV31SpecValidator(http).validate()
    assert http["security"] == [{"apiKey": []}, {"jwt": []}, {}]
    schemes = http["components"]["securitySchemes"]
    assert schemes["apiKey"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert events["components"]["securitySchemes"]["apiKey"]["type"] == "httpApiKey"
    assert events["servers"]["gateway"]["security"] == [
        {"$ref": "#/components/securitySchemes/apiKey"},
        {"$ref": "#/components/securitySchemes/jwt"},
    ]


def test_who_is_asked_may_be_refused():
    """401 wherever a credential is asked for, tickets included, and nowhere else."""
    http, _ = documents(shop(ApiKeys()))
    refuses = {
        (path, method): "401" in operation["responses"]
        for path, item in http["paths"].items()
        for method, operation in item.items()
    }
    assert refuses["/tickets", "post"]
    assert not any(refuses[path, "get"] for path in ("/livez", "/readyz", "/metrics"))
    asked = {path for path, _ in refuses} - {"/livez", "/readyz", "/metrics"}
    assert all(refused for (path, _), refused in refuses.items() if path in asked)


@pytest.mark.parametrize("auth", [None, Anonymous()])
def test_nobody_is_asked_where_nobody_is_named(auth):
    """No schemes, no 401, no tickets."""
    http, events = documents(shop(auth))
    assert "/tickets" not in http["paths"]
    assert "securitySchemes" not in http["components"] | events["components"]
    assert "401" not in http["paths"]["/orders"]["post"]["responses"]


def test_callbacks_are_described_where_they_are_allowed():
    """API-2: per request, by the header that asks for one; the event is that of push."""
    http, _ = documents(shop(None))
    OpenAPIV31SpecValidator(http).validate()
    orders, direct = (http["paths"][path]["post"] for path in ("/orders", "/direct"))
    assert "Callback-URL" in {one.get("name") for one in orders["parameters"]}
    assert {"400", "422"} <= orders["responses"].keys()
    (sent,) = orders["callbacks"]["ended"]["{$request.header.Callback-URL}"].values()
    body = sent["requestBody"]["content"]["application/cloudevents+json"]["schema"]
    assert body == {"$ref": "#/components/schemas/eitherway.Event"}
    assert "callbacks" not in direct
