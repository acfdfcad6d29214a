"""The receipt that is filled in says, byte for byte, what the job's document says."""

import pytest

from eitherway import App, Retry
from eitherway.attempt.forecast import Outlook
from eitherway.engine.values import Message
from eitherway.gateway.documents import job_document, record_of
from eitherway.gateway.receipt_form import ReceiptForm
from eitherway.gateway.whole import fields_of
from eitherway.registry import new_job

app = App("receipts")


@app.post("/plain", delivery="queued")
async def plain(order: dict[str, str]) -> None: ...


@app.operation(name="own%name-1", retry=Retry(attempts=7))
async def named() -> None: ...


def an_operation(name):
    return next(one for one in app.describe()._operations if one.name == name)


@pytest.mark.parametrize("name", ["plain", "own%name-1"])
@pytest.mark.parametrize(
    "url", ["http://shop.example/jobs", 'http://a"b\\c/%s/jobs', f"http://{'a' * 300}/jobs"]
)
@pytest.mark.parametrize("outlook", [Outlook(), Outlook(0, None), Outlook(12, 3.5)])
def test_the_receipt_is_the_document(name, url, outlook):
    """Whatever the operation, the host and what is known of the queue."""
    operation = an_operation(name)
    job = new_job(
        operation,
        Message(payload=b"{}"),
        job_id="0192f0c1-0000-7000-8000-000000000000",
        now=1_790_000_000.1239,
        payload_bytes_max=1000,
    )
    document = job_document(record_of(job), "fsync", url, outlook)
    where = f"{url}/{job.id}".encode()
    lines, filled = ReceiptForm(operation, "fsync").filled(job, url, outlook)
    assert filled == document
    assert fields_of(lines) == [
        (b"location", where),
        (b"operation-location", where),
        (b"retry-after", b"1"),
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(document)),
    ]


def test_a_receipt_of_several_lines_is_none():
    """Whatever a server lets through as a host, it adds no field."""
    with pytest.raises(RuntimeError):
        ReceiptForm(an_operation("plain"), "fsync").filled(None, "http://a\r\nb: c", Outlook())
