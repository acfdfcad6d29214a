"""An app for functions that are tried in a process of their own."""

import asyncio
import os
import signal

from pydantic import BaseModel, field_validator

from eitherway import App, Retry


class Note(BaseModel):
    text: str


app = App("notes")
notes = app.table("notes", Note, key="text")
loops: set[int] = set()


@app.post("/notes", delivery="queued")
async def write(note: Note) -> Note:
    loops.add(id(asyncio.get_running_loop()))
    await notes.put(note)
    return note


@app.post("/endless", delivery="queued", retry=Retry(attempts=1))
async def endless(note: Note) -> None:
    if note.text == "terminated":
        os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()


@app.post("/pairs", delivery="queued", batch_max=10)
async def pairs(some: list[Note]) -> list[str]:
    return [f"{len(some)}" for _ in some]


class Raising(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def look(cls, text: str) -> str:
        raise ZeroDivisionError(text)


@app.post("/raising", delivery="queued", retry=Retry(attempts=1))
async def raising(one: Raising) -> None: ...


@app.post("/newest", delivery="queued", version=2, upgrade=lambda body, version: body)
async def newest(note: Note) -> None: ...
