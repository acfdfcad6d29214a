"""Events as API Gateway and SQS send them: recorded ones, with what a test asks for put in."""

from __future__ import annotations

import json
import time
from typing import Any

REST_HOST = "gy415nuibc.execute-api.us-east-1.amazonaws.com"
HTTP_HOST = "aaaaaaaaaa.execute-api.us-west-2.amazonaws.com"


class Context:
    """What Lambda tells a handler."""

    def __init__(self, seconds: float = 30.0) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return round(self.seconds * 1000)


def rest_request(
    method: str,
    path: str,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Format 1.0: a REST API's stage `live`."""
    fields = {
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
        "Host": REST_HOST,
        "User-Agent": "PostmanRuntime/2.4.5",
        "X-Amzn-Trace-Id": "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e",
        "X-Forwarded-For": "54.240.196.186, 54.182.214.83",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **({"Content-Type": "application/json"} if body is not None else {}),
        **(headers or {}),
    }
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": fields,
        "multiValueHeaders": {name: [value] for name, value in fields.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "resourceId": "roq9wj",
            "stage": "live",
            "domainName": REST_HOST,
            "domainPrefix": "gy415nuibc",
            "requestId": "deef4878-7910-11e6-8f14-25afc3e9ae33",
            "protocol": "HTTP/1.1",
            "identity": {"sourceIp": "192.168.196.186", "userAgent": "PostmanRuntime/2.4.5"},
            "resourcePath": path,
            "path": f"/live{path}",
            "httpMethod": method,
            "requestTime": "15/May/2020:06:01:09 +0000",
            "requestTimeEpoch": 1589522469693,
            "apiId": "gy415nuibc",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
        **changes,
    }


def http_request(
    method: str,
    path: str,
    *,
    body: Any = None,
    headers: dict[str, str] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Format 2.0: an HTTP API's stage `$default`."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "host": HTTP_HOST,
            "user-agent": "curl/7.58.0",
            "x-amzn-trace-id": "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c",
            "x-forwarded-for": "1.2.3.4",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            **({"content-type": "application/json"} if body is not None else {}),
            **(headers or {}),
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "aaaaaaaaaa",
            "domainName": HTTP_HOST,
            "domainPrefix": "aaaaaaaaaa",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "1.2.3.4",
                "userAgent": "curl/7.58.0",
            },
            "requestId": "LV7fzho-PHcEJPw=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "21/Apr/2020:15:08:21 +0000",
            "timeEpoch": 1587481701067,
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        event["body"] = json.dumps(body)
    return {**event, **changes}


def message(
    message_id: str,
    operation: str,
    body: Any,
    *,
    version: int = 1,
    params: str | None = None,
    headers: str | None = None,
) -> dict[str, Any]:
    """A record of an SQS event: what API Gateway made of a caller's request."""
    said = {"operation": operation, "version": str(version)}
    if params is not None:
        said["params"] = params
    if headers is not None:
        said["headers"] = headers
    sent = 1589522469693 if params is not None else round(time.time() * 1000)
    return {
        "messageId": message_id,
        "receiptHandle": f"AQEB{message_id}",
        "body": json.dumps(body),
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(sent),
            "SenderId": "AROAEXAMPLE:apigateway",
            "ApproximateFirstReceiveTimestamp": str(sent),
        },
        "messageAttributes": {
            name: {
                "stringValue": value,
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
            for name, value in said.items()
        },
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:notes_{operation}",
        "awsRegion": "eu-west-1",
    }


def socket_event(
    route: str,
    connection: str = "TWegAcC4EowCHnA=",
    *,
    body: str | None = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    """What a WebSocket API sends for one of its routes."""
    kinds = {"$connect": "CONNECT", "$disconnect": "DISCONNECT", "$default": "MESSAGE"}
    event: dict[str, Any] = {
        "requestContext": {
            "routeKey": route,
            "eventType": kinds[route],
            "messageDirection": "IN",
            "stage": "live",
            "connectedAt": 1547230720092,
            "requestTimeEpoch": 1547230720093,
            "identity": {"sourceIp": "192.168.196.186"},
            "requestId": "TWegAcC4EowCHnA=",
            "domainName": "ws.execute-api.eu-west-1.amazonaws.com",
            "connectionId": connection,
            "apiId": "ws",
        },
        "isBase64Encoded": False,
    }
    if route == "$connect":
        fields = {
            "Host": "ws.execute-api.eu-west-1.amazonaws.com",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Protocol": "cloudevents.json",
            "Sec-WebSocket-Version": "13",
            "X-Forwarded-Proto": "https",
            **(headers or {}),
        }
        event["headers"] = fields
        event["multiValueHeaders"] = {name: [value] for name, value in fields.items()}
        event["queryStringParameters"] = query
        event["multiValueQueryStringParameters"] = query and {k: [v] for k, v in query.items()}
    if body is not None:
        event["body"] = body
    return event
