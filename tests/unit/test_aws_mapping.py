"""What API Gateway sends to SQS and answers, by the templates, in as much of VTL as they use."""

import json
import re
from urllib.parse import parse_qs, parse_qsl, quote_plus

import pytest
from aws_examples import rich, shop, template_of

from eitherway import App
from eitherway.errors import ConfigurationError

_SET = re.compile(r"#set\(\$([\w.\-]+) = (.*)\)\n")
_CALL = re.compile(r"\$util\.urlEncode\((.*)\)")


def value(expression: str, body: str, params: dict[str, str]) -> str:
    """One reference."""
    if (call := _CALL.fullmatch(expression)) is not None:
        return quote_plus(value(call[1], body, params))
    if expression == "$input.body":
        return body
    name = re.fullmatch(r"\$input\.params\('([^']+)'\)", expression)
    assert name, expression
    return params.get(name[1], "")


def sent(app, method: str, body: str = "", **params: str) -> dict[str, str]:
    """The fields of the form that SQS gets."""
    integration = template_of(app)["Resources"][method]["Properties"]["Integration"]
    (template,) = integration["RequestTemplates"].values()
    pattern = r"\$util\.urlEncode\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
    form = re.sub(pattern, lambda found: value(found[0], body, params), template)
    assert "$" not in form
    return {name: one[0] for name, one in parse_qs(form, keep_blank_values=True).items()}


def attributes(fields: dict[str, str]) -> dict[str, str]:
    names = [name for name in fields if re.fullmatch(r"MessageAttribute\.\d+\.Name", name)]
    return {fields[name]: fields[name.replace("Name", "Value.StringValue")] for name in names}


BODY = '{"order_id": "a&b=c+d%20", "amount": 1.5, "text": "päßt $x #set"}'


def test_the_body_arrives_as_it_was_sent():
    fields = sent(shop(), "PlaceOrderMethod", BODY)
    assert (fields["Action"], fields["MessageBody"]) == ("SendMessage", BODY)
    found = attributes(fields)
    assert (found["operation"], found["version"]) == ("place_order", "1")
    assert "params" not in found


def test_parameters_arrive_by_the_names_that_the_handler_has():
    odd = "7 a+b&note=no/%"
    found = attributes(sent(rich(), "FillMethod", "{}", basket_id=odd, note="päßt"))
    assert dict(parse_qsl(found["params"])) == {"basket_id": odd, "note": "päßt"}


def test_what_was_not_given_is_not_there():
    fields = sent(rich(), "FillMethod", "{}", basket_id="1", note="", traceparent="")
    found = attributes(fields)
    assert dict(parse_qsl(found["params"])) == {"basket_id": "1"}
    assert dict(parse_qsl(found["headers"])) == {}
    assert all(found.values()), "SQS refuses empty attributes"


def test_a_query_parameter_is_not_taken_for_anothers_path_parameter():
    """VTL finds a value by its name alone, and the path's is called as by whom was first."""
    app = App("shop")

    @app.get("/baskets/{id}")
    async def read(id: str) -> str:  # noqa: A002
        return id

    @app.post("/baskets/{basket}/fill", delivery="queued")
    async def fill(basket: str, order: dict, id: str = ""): ...  # noqa: A002

    with pytest.raises(ConfigurationError, match="fill: the path of another operation"):
        template_of(app)


def test_the_trace_goes_along():
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    found = attributes(sent(shop(), "PlaceOrderMethod", BODY, traceparent=trace))
    assert dict(parse_qsl(found["headers"])) == {"traceparent": trace}


@pytest.mark.parametrize("spelling", ["Idempotency-Key", "idempotency-key"])
def test_a_key_goes_along_however_it_is_spelt(spelling):
    found = attributes(sent(shop(), "PlaceOrderMethod", BODY, **{spelling: '"a b"'}))
    assert dict(parse_qsl(found["headers"])) == {spelling: '"a b"'}


def test_a_request_without_a_body_is_no_empty_message():
    assert sent(rich(), "PingMethod")["MessageBody"] == " "


@pytest.mark.parametrize("method", ["PlaceOrderMethod", "PlaceOrderFlakyMethod"])
def test_templates_hold_no_string_within_a_string_and_no_logic(method):
    integration = template_of(shop())["Resources"][method]["Properties"]["Integration"]
    (request,) = integration["RequestTemplates"].values()
    assert '"' not in request
    assert "#" not in request
    for answer in integration["IntegrationResponses"]:
        text = json.dumps(answer["ResponseTemplates"])
        assert not re.search(r"#(if|else|foreach|end)", text)


def test_the_receipt_says_where_the_job_is():
    integration = template_of(shop())["Resources"]["PlaceOrderMethod"]["Properties"]["Integration"]
    accepted = next(
        one for one in integration["IntegrationResponses"] if one["StatusCode"] == "202"
    )
    text, values = accepted["ResponseTemplates"]["application/json"]["Fn::Sub"]
    assert values["Url"]["Fn::If"][0] == "HasPublicUrl"
    headers = dict(_SET.findall(text))
    rest = _SET.sub("", text)
    known = {"$id": "m-1", "$context.requestTimeEpoch": "1795737600000", "${Url}": "https://x.test"}
    for name, one in known.items():
        rest = rest.replace(name, one)
        headers = {key: found.replace(name, one).strip('"') for key, found in headers.items()}
    where = "https://x.test/jobs/m-1?accepted=1795737600000"
    assert headers["context.responseOverride.header.Location"] == where
    assert headers["context.responseOverride.header.Operation-Location"] == where
    receipt = json.loads(rest)
    assert receipt["links"]["self"] == where
    assert (receipt["id"], receipt["status"], receipt["done"]) == ("m-1", "queued", False)
    assert receipt["recorded"] is False
    assert accepted["SelectionPattern"] == "2\\d{2}"
    assert re.fullmatch(accepted["SelectionPattern"], "200")
