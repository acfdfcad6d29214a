"""API Gateway's own refusals, which are problems, too."""

from __future__ import annotations

from ...problem import CATALOGUE, MEDIA_TYPE
from .cloudformation import Json, Resources, ref
from .mapping import problem

_Refusal = tuple[str, str, str, str]

_REFUSALS: list[_Refusal] = [  # API Gateway's name for it, ours, status, detail
    ("BAD_REQUEST_BODY", "invalid-input", "422", "the body does not fit the operation"),
    ("BAD_REQUEST_PARAMETERS", "invalid-input", "422", "a parameter is missing"),
    ("MISSING_AUTHENTICATION_TOKEN", "not-found", "404", "nothing is here"),
    ("RESOURCE_NOT_FOUND", "not-found", "404", "nothing is here"),
    ("REQUEST_TOO_LARGE", "payload-too-large", "413", "the body is too large"),
    ("UNSUPPORTED_MEDIA_TYPE", "unsupported-media-type", "415", "give application/json"),
    ("THROTTLED", "overloaded", "503", "too many requests at once"),
    ("INTEGRATION_TIMEOUT", "timed-out", "504", "the operation took too long"),
    ("INTEGRATION_FAILURE", "internal-error", "500", "the function failed"),
    ("DEFAULT_4XX", "malformed-request", "", "the request was refused"),
    ("DEFAULT_5XX", "internal-error", "", "the API failed"),
]


def add_refusals(resources: Resources, *, has_pages: bool) -> list[str]:
    """A gateway response for each, in the words of the gateway at home; their names.

    Where pages of other origins call (`has_pages`) any page may read them: there is nothing of the
    app in them.
    """
    more = {"Access-Control-Allow-Origin": "'*'"} if has_pages else {}
    return [_add(resources, refusal, more) for refusal in _REFUSALS]


def _add(resources: Resources, refusal: _Refusal, more: dict[str, str]) -> str:
    kind, name, status, detail = refusal
    headers = {"Content-Type": f"'{MEDIA_TYPE}'", **more}
    if status == "503":
        headers["Retry-After"] = "'1'"
    document = problem(name, detail)
    if not status:  # of many statuses: the document says none in particular
        title = CATALOGUE[name][1]
        document = f'{{"type":"about:blank","title":"{title}","detail":"{detail}"}}'
    properties: Json = {
        "RestApiId": ref("Api"),
        "ResponseType": kind,
        **({"StatusCode": status} if status else {}),
        "ResponseParameters": {
            f"gatewayresponse.header.{header}": value for header, value in headers.items()
        },
        "ResponseTemplates": {"application/json": document},
    }
    logical = "Refusal" + kind.title().replace("_", "")
    return resources.add(logical, "AWS::ApiGateway::GatewayResponse", properties)
