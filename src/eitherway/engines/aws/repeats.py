"""Requests that API Gateway accepted twice under one key: the later ids stand for the first job.

The gateway looks nothing up, so each request has an id of its own before anybody sees its key. The
first that is taken becomes a job; what a later one leaves is an item that names that job.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...engine.values import NewJob
from . import keys
from .codec import BACKSTOP_SECONDS, Image
from .tables import EXPIRY
from .writes import Write, commit

if TYPE_CHECKING:
    from .core import Core

_FIRST = "repeat_of"


async def first_of(core: Core, job: NewJob) -> str | None:
    """The job that this one's key stands for already; None where it is the first.

    Another request under the same key is no repeat: it is a job of its own, without a key.
    """
    if job.key is None:
        return None
    (found,) = await keys.look_up(core, [job.key.key])
    if found is None or found.fingerprint != job.key.fingerprint:
        return None
    return found.job_id


async def binding(core: Core, job: NewJob) -> Write | None:
    """The write that makes a job's key stand for it, where it can."""
    (bound,) = await keys.bind(core, [job])
    return bound.write


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
