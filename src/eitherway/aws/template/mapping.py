"""What API Gateway makes of a request and of SQS's answer: concatenations of encoded text alone.

VTL engines disagree on quotes within quotes, so there is no `#if` and no string within a string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ...operation import Operation
from ...problem import CATALOGUE, MEDIA_TYPE
from .cloudformation import Json, ref, sub

_MESSAGE_ID = "$input.path('$.SendMessageResponse.SendMessageResult.MessageId')"
_HEADERS = ("traceparent", "tracestate")
_KEY = ("Idempotency-Key", "idempotency-key")  # VTL knows a header by its very spelling
_URL = {
    "Fn::If": [
        "HasPublicUrl",
        ref("PublicUrl"),
        sub("https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${StageName}"),
    ]
}


def public_url() -> Json:
    """The start of absolute links: the parameter, else that of the API."""
    return _URL


def send_message(operation: Operation, in_path: Mapping[str, str]) -> str:
    """The form of SQS's `SendMessage`, in VTL.

    The body is the caller's. Attributes: `operation`, `version`, `params` and `headers`, the last
    two as forms themselves, in which an empty value was not given. `in_path` says what the path's
    parameters are called in the API.
    """
    body = operation.binding.body
    may_be_empty = body is None or not body.required
    given = "%20" if may_be_empty else ""  # SQS takes no empty message; JSON may begin with a space
    fields = [
        "Action=SendMessage",
        "Version=2012-11-05",
        f"MessageBody={given}{_encoded('$input.body')}",
    ]
    params = {
        parameter.name: in_path.get(parameter.name, parameter.name)
        for parameter in operation.binding.parameters
        if parameter.source != "body"
    }
    headers = _HEADERS if operation.idempotency_key == "ignored" else (*_HEADERS, *_KEY)
    attributes = {
        "operation": quote(operation.name, safe=""),
        "version": str(operation.version),
        "headers": _form({name: name for name in headers}),
    }
    if params:
        attributes["params"] = _form(params)
    for number, (name, value) in enumerate(attributes.items(), 1):
        fields += [
            f"MessageAttribute.{number}.Name={name}",
            f"MessageAttribute.{number}.Value.DataType=String",
            f"MessageAttribute.{number}.Value.StringValue={value}",
        ]
    return "&".join(fields)


def _form(given: Mapping[str, str]) -> str:
    """A form within the form: encoded twice."""
    return "%26".join(
        f"{quote(name, safe='')}%3D{_encoded(_encoded(_param(source)))}"
        for name, source in given.items()
    )


def _encoded(expression: str) -> str:
    return f"$util.urlEncode({expression})"


def _param(name: str) -> str:
    return f"$input.params('{name}')"


def receipt(operation: Operation, prefix: str) -> Json:
    """The 202: what is known of a job before its record is."""
    job = f"${{Url}}{prefix}/jobs/$id"
    accepted = "?accepted=$context.requestTimeEpoch"
    document = (
        '{"id":"$id",'
        f'"operation":"{operation.name}","status":"queued","done":false,"attempt":0,'
        f'"attempts_max":{operation.retry.attempts},"attempts":[],"durability":"replicated",'
        f'"recorded":false,"links":{{"self":"{job}{accepted}","result":"{job}/result{accepted}",'
        f'"cancel":"{job}","events":"{job}/events{accepted}"}}}}'
    )
    lines = [
        f"#set($id = {_MESSAGE_ID})",
        f'#set($context.responseOverride.header.Location = "{job}{accepted}")',
        f'#set($context.responseOverride.header.Operation-Location = "{job}{accepted}")',
        document,
    ]
    return sub("\n".join(lines), Url=_URL)


def problem(name: str, detail: str) -> str:
    """A problem document, as a template without anything to fill in."""
    status, title = CATALOGUE[name]
    return f'{{"type":"/problems/{name}","title":"{title}","status":{status},"detail":"{detail}"}}'


def integration_responses(operation: Operation, prefix: str) -> list[Json]:
    """SQS said yes: 202. Anything else: 503.

    The one without a pattern is the default, and so has to be the refusal.
    """
    unavailable = problem("engine-unavailable", "nothing was stored, send it again")
    return [
        {
            "StatusCode": "202",
            "SelectionPattern": "2\\d{2}",
            "ResponseParameters": {
                "method.response.header.Retry-After": "'1'",
                "method.response.header.Cache-Control": "'no-store'",
            },
            "ResponseTemplates": {"application/json": receipt(operation, prefix)},
        },
        {
            "StatusCode": "503",
            "ResponseParameters": {
                "method.response.header.Retry-After": "'1'",
                "method.response.header.Content-Type": f"'{MEDIA_TYPE}'",
            },
            "ResponseTemplates": {"application/json": unavailable},
        },
    ]


def method_responses() -> list[Json]:
    """The headers that the integration's answers may set."""

    def headers(*named: str) -> dict[str, Any]:
        return {f"method.response.header.{name}": False for name in named}

    return [
        {
            "StatusCode": "202",
            "ResponseParameters": headers(
                "Location", "Operation-Location", "Retry-After", "Cache-Control"
            ),
        },
        {"StatusCode": "503", "ResponseParameters": headers("Retry-After", "Content-Type")},
    ]
