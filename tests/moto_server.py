"""AWS on loopback: moto's server in a process of its own, for `tests/aws.py`.

moto checks conditions and rolls transactions back without a lock, so what its threads do at the
same time gets lost. Here requests come one at a time, but for long polls, which wait. What takes it
most of its time is left out: it looks for each of the ten types of an attribute under several
names, and counts all messages of a queue whenever one is sent.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

from moto.core.serialize import ResponseSerializer
from moto.dynamodbstreams.models import ShardIterator
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sqs.models import Queue
from werkzeug.serving import WSGIRequestHandler, make_server

FAULTS = {
    "throttle": ("400 Bad Request", b"ProvisionedThroughputExceededException"),
    "lose": ("500 Internal Server Error", b"InternalServerError"),
}

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Quiet(WSGIRequestHandler):
    """Keeps connections open, and says nothing of requests."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        pass


def faulty(application: Wsgi) -> Wsgi:
    """`POST /throttle/METHOD/TIMES` has DynamoDB refuse so many requests of that method.

    With `/lose/` it does what they ask for, and answers that something is wrong with it.
    """
    left: Counter[tuple[str, str]] = Counter()

    def serve(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        _, fault, *rest = environ["PATH_INFO"].split("/")
        if fault in FAULTS:
            method, times = rest
            left[fault, f"DynamoDB_20120810.{method}"] = int(times)
            start("204 No Content", [])
            return []
        for fault, (status, code) in FAULTS.items():
            if left[fault, environ.get("HTTP_X_AMZ_TARGET", "")]:
                left[fault, environ["HTTP_X_AMZ_TARGET"]] -= 1
                if fault == "lose":
                    list(application(environ, lambda *_: None))
                start(status, [("Content-Type", "application/x-amz-json-1.0")])
                return [b'{"__type": "%s", "message": "as was asked for"}' % code]
        return application(environ, start)

    return serve


def one_at_a_time(application: Wsgi) -> Wsgi:
    lock = threading.Lock()

    def serve(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        told: list[Any] = []
        waits = environ.get("HTTP_X_AMZ_TARGET") == "AmazonSQS.ReceiveMessage"
        with nullcontext() if waits else lock:
            body = b"".join(application(environ, lambda *start_of: told.extend(start_of)))
        status, headers, *_ = told
        others = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start(status, [*others, ("Content-Length", str(len(body)))])  # keeps the connection open
        return [body]

    return serve


def leave_out() -> None:
    for counted in ("", "_delayed", "_not_visible"):
        setattr(Queue, f"approximate_number_of_messages{counted}", 0)
    look_up = ResponseSerializer.get_value

    def get_value(self: Any, value: Any, key: str, shape: Any) -> Any:
        if type(value) is dict and getattr(shape.parent, "name", "") == "AttributeValue":
            return value.get(key)
        return look_up(self, value, key, shape)

    ResponseSerializer.get_value = get_value


def follow_rollbacks() -> None:
    """A transaction that is refused leaves another copy of the table, and of its stream, behind."""
    read_on = ShardIterator.get

    def get(self: Any, limit: int = 1000) -> Any:
        table = self.streams_backend.dynamodb.get_table(self.stream_shard.table.name)
        self.stream_shard = table.stream_shard
        return read_on(self, limit)

    ShardIterator.get = get


def main() -> None:
    leave_out()
    follow_rollbacks()
    application = one_at_a_time(faulty(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
