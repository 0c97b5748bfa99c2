"""The client's side of one request: its body, and the news of its leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from types import coroutine
from typing import Any

from llmgateway.errors import ClientDisconnected
from llmgateway.transport.perloop import PerLoop
from llmgateway.types.http import ArrivingBody

__all__ = ["LOOK_AFTER_S", "Client", "Lookout", "Message", "Receive"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
_Steps = Generator[Any, Any, Message]

LOOK_AFTER_S = 0.05
"""How long a request lasts at least, and twice at most, before its client is watched."""


class Client(ArrivingBody):
    """Who sent a request: its body as it comes, and a watch on whether it is still there."""

    __slots__ = (
        "_cancelled_us",
        "_first",
        "_lookout",
        "_pending",
        "_read",
        "_receive",
        "_steps",
        "_task",
        "_watcher",
        "answered",
        "gone",
        "started",
    )

    def __init__(self, receive: Receive, lookouts: PerLoop[Lookout], *, bodiless: bool) -> None:
        task = asyncio.current_task()
        assert task is not None, "an ASGI app runs in a task"
        self._receive = receive
        self._task = task
        self._read = bodiless
        self._first = b""
        self._steps: _Steps | None = None
        self._pending: Any = None
        self._watcher: asyncio.Task[None] | None = None
        self._cancelled_us = False
        self.gone = False
        self.started = False
        self.answered = False
        """Set before the last message: servers report a disconnect after it as well."""
        self._lookout = lookouts.get(task.get_loop())
        self._lookout.add(self)

    def take(self) -> bytes | None:
        """Return the whole body if it is here; see `ArrivingBody`."""
        if self._read:
            return b""
        # Servers mostly have it before they call us. So `receive` is let run until it would wait.
        steps: _Steps = self._receive().__await__()
        try:
            self._pending = next(steps)
        except StopIteration as done:
            piece = self._piece(done.value)
            if not done.value.get("more_body", False):
                return piece
            self._first = piece
        else:
            self._steps = steps
        return None

    async def __anext__(self) -> bytes:
        if self._first:
            piece, self._first = self._first, b""
            return piece
        while not self._read:
            steps, self._steps = self._steps, None
            message = await (self._receive() if steps is None else _goes_on(steps, self._pending))
            if piece := self._piece(message):
                return piece
        raise StopAsyncIteration

    def _piece(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            self.gone = True
            raise ClientDisconnected("The client left before its request was whole.")
        self._read = not message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        return piece

    def is_why(self) -> bool:
        """Tell whether the request's task was cancelled because the client left, and only so."""
        return self._cancelled_us and self._task.cancelling() <= 1

    def close(self) -> None:
        """Look no more."""
        self._lookout.discard(self)
        if self._steps is not None:
            self._steps.close()
        if self._watcher is not None:
            self._watcher.cancel()
        if self._cancelled_us:
            self._task.uncancel()

    def look(self) -> None:
        """Begin to watch for the client's leaving."""
        if self._read:
            self._watcher = self._task.get_loop().create_task(self._cancel_when_gone())
        else:  # two readers of `receive` would not do; until then its one reader is told
            self._lookout.add(self)

    async def _cancel_when_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self.answered:
            return
        self.gone = self._cancelled_us = True
        self._task.cancel()


@coroutine
def _goes_on(steps: _Steps, pending: Any) -> Generator[Any, Any, Message]:
    """Await the rest of what has been run up to its first wait."""
    try:
        while True:
            try:
                sent = yield pending
            except BaseException as error:
                pending = steps.throw(error)
            else:
                pending = steps.send(sent)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # what `receive` returns


class Lookout:
    """Looks at the clients of requests that last; one timer for all of a loop.

    Most answers are there before it is worth a task to look whether anyone still waits.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._young: set[Client] = set()
        self._older: set[Client] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, client: Client) -> None:
        """Let a client `look` in a while."""
        self._young.add(client)
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_AFTER_S, self._turn)

    def discard(self, client: Client) -> None:
        """Forget a client."""
        self._young.discard(client)
        self._older.discard(client)

    def _turn(self) -> None:
        due, self._older, self._young = self._older, self._young, set()
        self._timer = None
        if self._older:
            self._timer = self._loop.call_later(LOOK_AFTER_S, self._turn)
        for client in due:
            client.look()
