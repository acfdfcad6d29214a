"""Requests that API Gateway accepted twice under one key: the later ids stand for the first job.

The gateway looks nothing up, so each request has an id of its own before anybody sees its key. The
first that is taken becomes a job; what a later one leaves is an item that names that job.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from ...engine.idempotency import KeyState
from ...engine.values import NewJob
from . import keys
from .codec import BACKSTOP_SECONDS, Image
from .tables import EXPIRY
from .writes import Write, commit

if TYPE_CHECKING:
    from .core import Core

_FIRST = "repeat_of"


class Bound(NamedTuple):
    """What a request is under its key: a repeat of `first`, or one whose claim writes `key`."""

    first: str | None = None
    key: Write | None = None


async def bind(core: Core, job: NewJob) -> Bound:
    """Whether it is a repeat, and if not, the write that makes its key stand for it.

    Another request under the same key is no repeat: it is a job of its own, without a key. Nor is
    one whose key stands for a call, made while the operation was direct: that may come to nothing.
    """
    if job.key is None:
        return Bound()
    while True:
        (binding,) = await keys.bind(core, [job])
        if binding.able:
            return Bound(key=binding.write)
        (found,) = await keys.look_up(core, [job.key.key])
        if found is not None:  # else its time was over in between
            is_same = found.fingerprint == job.key.fingerprint
            is_repeat = is_same and found.state is KeyState.JOB
            return Bound(first=found.job_id) if is_repeat else Bound()


async def remember(core: Core, job: NewJob, first: str) -> None:
    """From now on the repeat's id finds the first job, for as long as its key is kept."""
    if job.key is None or first == job.id:
        return
    over = str(int(job.key.expires + BACKSTOP_SECONDS))
    image: Image = {"id": {"S": job.id}, _FIRST: {"S": first}, EXPIRY: {"N": over}}
    write = Write(table=core.store.jobs, image=image)
    await commit(core.store, [replace(write, condition="attribute_not_exists(id)")])


def named(image: Image | None) -> str | None:
    """The job that an item stands for, if it is that of a repeat."""
    return None if image is None or _FIRST not in image else str(image[_FIRST]["S"])
