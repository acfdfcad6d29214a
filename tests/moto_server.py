"""AWS on loopback: moto's server in a process of its own, for `tests/aws.py`.

moto checks conditions and rolls transactions back without a lock, so what its threads do at the
same time gets lost. Here requests come one at a time, but for long polls, which wait. And they come
several times as fast: see `leave_out` and `undo_transactions`.
"""

import copy
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from moto.core import utils
from moto.core.parse import BaseJSONParser
from moto.core.responses import ActionResult
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb import models
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodbstreams.responses import DynamoDBStreamsHandler
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sqs.models import Queue
from werkzeug.serving import WSGIRequestHandler, make_server

FAULTS = {
    "throttle": ("400 Bad Request", b"ProvisionedThroughputExceededException"),
    "lose": ("500 Internal Server Error", b"InternalServerError"),
}

ITEM_BYTES = 400_000

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


class Dispatcher(DomainDispatcherApplication):
    """Finds a service by the target of a request, once: moto looks through all that it knows."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.known: dict[str, Any] = {}

    def get_application(self, environ: dict[str, Any]) -> Any:
        target = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[0]
        if target not in self.known:
            self.known[target] = super().get_application(environ)
        return self.known[target]


def leave_out() -> None:
    """What takes moto most of its time, and says nothing here."""
    for counted in ("", "_delayed", "_not_visible"):
        setattr(Queue, f"approximate_number_of_messages{counted}", 0)
    for function in (utils.camelcase_to_underscores, utils.method_names_from_class):
        keep_answers(function)
    UpdateExpressionParser.make = cache(UpdateExpressionParser.make)  # who validates it copies it
    look_at_one_kind()
    weigh_large_items()


def find_by_time() -> None:
    """Places in a stream by time (`AT_TIMESTAMP`), which moto does not know."""
    find = DynamoDBStreamsHandler.get_shard_iterator

    def get_shard_iterator(self: Any) -> Any:
        if self._get_param("ShardIteratorType") != "AT_TIMESTAMP":
            return find(self)
        arn, when = self._get_param("StreamArn"), self._get_param("Timestamp")
        shard = self.backend._get_table_from_arn(arn).stream_shard
        written = [one.record["dynamodb"]["ApproximateCreationDateTime"] for one in shard.items]
        since = datetime.fromtimestamp(when, UTC).replace(tzinfo=None)
        earlier = sum(one < since for one in written)
        place = shard.starting_sequence_number + earlier
        found = self.backend.get_shard_iterator(arn, shard.id, "AT_SEQUENCE_NUMBER", place)
        return ActionResult({"ShardIterator": found.arn})

    DynamoDBStreamsHandler.get_shard_iterator = get_shard_iterator


def keep_answers(function: Callable[..., Any]) -> None:
    """Ask a pure function of moto's once for each argument, whoever has imported it by name."""
    known = cache(function)
    for module in [each for name, each in sys.modules.items() if name.startswith("moto")]:
        if vars(module).get(function.__name__) is function:
            setattr(module, function.__name__, known)


def look_at_one_kind() -> None:
    """An attribute is of one of ten kinds, which it says: the other nine are not looked for."""
    serialize, parse = BaseJSONSerializer._serialize_type_structure, BaseJSONParser._parse_structure

    def is_attribute(value: Any, shape: Any) -> bool:
        return shape.name == "AttributeValue" and type(value) is dict

    def serialize_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if not is_attribute(value, shape):
            serialize(self, serialized, value, shape, key)
            return
        wrapper: dict[str, Any] = {}
        for kind, inner in value.items():
            self._serialize(wrapper, inner, shape.members[kind], kind)
        self._default_serialize(serialized, wrapper, shape, key)

    def parse_structure(self: Any, shape: Any, value: Any) -> Any:
        if not is_attribute(value, shape):
            return parse(self, shape, value)
        return {kind: self._parse_shape(shape.members[kind], value[kind]) for kind in value}

    BaseJSONSerializer._serialize_type_structure = serialize_structure
    BaseJSONParser._parse_structure = parse_structure


def weigh_large_items() -> None:
    """An item is weighed with each attribute that it is given: only once it may be too large."""
    weigh = LimitedSizeDict.__setitem__

    def set_attribute(self: Any, key: str, value: Any) -> None:
        self.bytes_most = getattr(self, "bytes_most", 0) + len(key) + value.size()
        if self.bytes_most > ITEM_BYTES:
            weigh(self, key, value)
        else:
            dict.__setitem__(self, key, value)

    LimitedSizeDict.__setitem__ = set_attribute


def undo_transactions() -> None:
    """A transaction copies each table that it touches, whole and with its stream, for each item.

    Here it remembers the items. So a table stays the same one, also when it is refused.
    """
    transact = DynamoDBBackend.transact_write_items

    def deepcopy(value: Any) -> Any:
        return value if isinstance(value, Table) else copy.deepcopy(value)

    def transact_write_items(self: Any, transact_items: Sequence[Any]) -> None:
        writes = [write for item in transact_items for write in item.values()]
        tables = [self.tables.get(write["TableName"]) for write in writes]
        before = [kept(table, write) for table, write in zip(tables, writes, strict=True) if table]
        streams = {table.stream_shard for table, *_ in before if table.stream_shard}
        told = [(stream, len(stream.items)) for stream in streams]
        try:
            transact(self, transact_items)
        except Exception:
            for table, key, item in before:
                put_back(table, *key, item)
            for stream, count in told:
                del stream.items[count:]
            raise

    models.copy = SimpleNamespace(deepcopy=deepcopy)
    DynamoDBBackend.transact_write_items = transact_write_items


def kept(table: Table, write: Mapping[str, Any]) -> tuple[Table, Any, Any]:
    """What is at the place of a write: table, key, and a copy of the item."""
    attributes = write.get("Item") or write["Key"]
    names = (table.hash_key_attr, table.range_key_attr)
    key = tuple(DynamoType(attributes[name]) if name else None for name in names)
    return table, key, copy.deepcopy(table.get_item(*key))


def put_back(table: Table, hash_key: Any, range_key: Any, item: Any) -> None:
    items, key = table.items, hash_key
    if range_key is not None:
        items, key = table.items[hash_key], range_key
    items.pop(key, None)
    if item is not None:
        items[key] = item


def main() -> None:
    leave_out()
    undo_transactions()
    find_by_time()
    application = one_at_a_time(faulty(Dispatcher()))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
