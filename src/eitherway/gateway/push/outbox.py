"""What one connection has to send: bounded, and without a task while there is nothing."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Step = Callable[[], Awaitable[None]]


class Outbox:
    """Runs steps one after another, in a task that lives only while there are some."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._steps: deque[Step] = deque()
        self._failed = failed
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def busy(self) -> bool:
        """Whether something is under way or waits."""
        return self._task is not None

    def put(self, step: Step) -> None:
        """Run the step after those before it. When one raises, the rest is dropped."""
        self._steps.append(step)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def end(self, step: Step | None = None) -> None:
        """Drop what has not been done, also what is under way; then run this step alone."""
        self._steps.clear()
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
        if step is not None:
            self.put(step)

    async def _run(self) -> None:
        me = asyncio.current_task()
        try:
            while self._steps and self._task is me:
                await self._steps.popleft()()
        except Exception as error:  # noqa: BLE001 - handed on
            if self._task is me:
                self._steps.clear()
                self._failed(error)
        finally:
            if self._task is me:
                self._task = None
