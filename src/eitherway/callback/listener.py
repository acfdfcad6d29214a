"""Who is told of a job's end: what a job's record keeps as `callback`."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic_core import from_json, to_json


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """A URL, and where the jobs were said to be when it was given."""

    url: str
    jobs_url: str  # what the links in the event begin with

    def encode(self) -> str:
        """As text."""
        return to_json({"url": self.url, "jobs_url": self.jobs_url}).decode()

    @classmethod
    def decode(cls, text: str) -> Listener:
        """Of that text."""
        return cls(**from_json(text))
