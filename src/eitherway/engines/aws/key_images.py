"""An idempotency key as an item of the table of jobs."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from ...engine.key_rules import StoredKey
from ...problem import Answer
from .codec import BACKSTOP_SECONDS, Image, sweep
from .tables import EXPIRY


def to_key(key: str) -> dict[str, Any]:
    """Where a key is: under a digest, as it may be longer than a name of DynamoDB's."""
    return {"id": {"S": f"key#{sha256(key.encode()).hexdigest()}"}}


def to_image(key: str, row: StoredKey, stamp: int) -> dict[str, Any]:
    """The item of a key. `stamp` moves with every write."""
    over = max(row.expires, row.lease_until or 0.0)
    place = to_key(key)
    image: dict[str, Any] = {
        **place,
        "fingerprint": {"B": row.fingerprint},
        "job_id": {"S": row.job_id},
        "expires": {"N": repr(row.expires)},
        "token": {"N": str(row.token)},
        "stamp": {"N": str(stamp)},
        "sweep": {"S": sweep("purge", place["id"]["S"])},
        "look_at": {"N": repr(over)},
        EXPIRY: {"N": str(int(over + BACKSTOP_SECONDS))},
    }
    if row.is_job:
        image["is_job"] = {"BOOL": True}
    if row.lease_until is not None:
        image["lease_until"] = {"N": repr(row.lease_until)}
    if row.answer is not None:
        image["status"] = {"N": str(row.answer.status)}
        image["media_type"] = {"S": row.answer.media_type}
        image["body"] = {"B": row.answer.body}
    return image


def to_stored(image: Image) -> StoredKey:
    """The key of an item."""
    answer = None
    if "status" in image:
        answer = Answer(
            int(image["status"]["N"]), image["media_type"]["S"], bytes(image["body"]["B"])
        )
    lease = image.get("lease_until")
    return StoredKey(
        fingerprint=bytes(image["fingerprint"]["B"]),
        job_id=image["job_id"]["S"],
        expires=float(image["expires"]["N"]),
        token=int(image["token"]["N"]),
        is_job="is_job" in image,
        lease_until=None if lease is None else float(lease["N"]),
        answer=answer,
    )
