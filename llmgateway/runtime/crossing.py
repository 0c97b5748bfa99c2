"""Work that a thread hands to the loop and waits for: a coroutine, or a request and its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

from llmgateway.gateway import Gateway
from llmgateway.runtime.base import LoopStopped, SyncResponse
from llmgateway.runtime.body import BlockingBody
from llmgateway.runtime.stream import Pipe, SyncStream
from llmgateway.runtime.threads import Threads
from llmgateway.types.call import Principal
from llmgateway.types.http import HTTPRequest

T = TypeVar("T")


class Lane(Protocol):
    """The loop that crossings go to, as they see it."""

    loop: asyncio.AbstractEventLoop
    threads: Threads
    tasks: set[asyncio.Task[None]]

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """Call something on the loop, unless it is closed."""
        ...

    def meet(self, gateway: Gateway) -> None:
        """Note a gateway that runs here, on the loop."""
        ...


class Crossing(Generic[T]):
    """One piece of work: `begin` in the thread, `main` on the loop, `wait`, `result` in the thread.

    A thread that is interrupted after it has begun to `begin` calls `give_up`.
    """

    __slots__ = ("_failure", "_lane", "_result", "_settled", "_task", "_waiter")

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._waiter = lane.threads.waiter()
        self._task: asyncio.Task[None] | None = None
        self._settled = False
        self._result: T | None = None
        self._failure: BaseException | None = None

    async def main(self) -> None:
        """Do the work, and `settle` with its result."""
        raise NotImplementedError

    def begin(self) -> None:
        """Hand the work over; `wait` must follow."""
        try:
            self._lane.loop.call_soon_threadsafe(self._start)
        except RuntimeError:
            self.drop()  # closed
            raise

    def wait(self) -> None:
        """Wait until there is a result."""
        while not self._settled:
            self._waiter.wait()
            self._serve()

    def give_up(self) -> None:
        """Have the loop cancel the work: nobody waits any more."""
        self._lane.post(self._cancel)

    def drop(self) -> None:
        """Let go of what was never begun."""

    def result(self) -> T:
        """Return the result, or raise what the work did."""
        failure, self._failure = self._failure, None
        if isinstance(failure, asyncio.CancelledError):
            raise LoopStopped("The loop was stopped before the work was done.") from failure
        if failure is not None:
            raise failure
        result, self._result = self._result, None
        return result  # type: ignore[return-value]  # set where nothing failed

    def _serve(self) -> None:
        """Do in the thread what the loop has asked for."""

    def _start(self) -> None:
        self._task = self._lane.loop.create_task(self._run())
        self._lane.tasks.add(self._task)

    async def _run(self) -> None:
        try:
            await self.main()
        except BaseException as error:
            # It is the waiting thread's to raise, cancellation too: nobody awaits this task.
            if not self._settled:
                self._failure = error
        finally:
            self._end()

    def settle(self, result: T) -> None:
        """Hand the result over; the work may go on. On the loop."""
        self._result = result
        self._settled = True
        self._waiter.wake()

    def _end(self) -> None:
        task, self._task = self._task, None  # a cycle that only the collector would find
        if task is not None:
            self._lane.tasks.discard(task)
        if not self._settled:
            self._settled = True
            self._waiter.wake()

    def _cancel(self) -> None:
        # A turn later: a task that is cancelled before its first step runs nothing, not its end.
        if self._task is not None:
            self._lane.loop.call_soon(self._task.cancel)
        elif not self._settled:
            self.drop()  # the thread was interrupted before it had handed the work over


class Run(Crossing[T]):
    """A coroutine and its result."""

    __slots__ = ("_coroutine",)

    def __init__(self, lane: Lane, coroutine: Coroutine[Any, Any, T]) -> None:
        super().__init__(lane)
        self._coroutine = coroutine

    async def main(self) -> None:
        """Await it."""
        self.settle(await self._coroutine)

    def drop(self) -> None:
        """Close it, so that nobody is told that it was never awaited."""
        self._coroutine.close()


class Handling(Crossing[SyncResponse]):
    """A request and its answer; a stream goes on after the answer's head has been handed over."""

    __slots__ = ("_body", "_gateway", "_principal", "_reading", "_request", "_wanted")

    def __init__(
        self, lane: Lane, gateway: Gateway, request: HTTPRequest, principal: Principal | None
    ) -> None:
        super().__init__(lane)
        self._gateway = gateway
        self._request = request
        self._principal = principal
        self._wanted = False
        self._reading = False
        self._body: BlockingBody | None = None
        if isinstance(request.body, BlockingBody):
            self._body = request.body
            self._body.attach(self._want)

    async def main(self) -> None:
        """Have the gateway answer, and send what streams."""
        self._lane.meet(self._gateway)
        response = await self._gateway.handle(self._request, self._principal)
        body = response.body
        if isinstance(body, bytes):
            self.settle(SyncResponse(response.status, response.headers, body))
            return
        pipe = Pipe(self._lane.loop, self._lane.threads, self._lane.post)
        # Its stream is the caller's alone: once nobody holds it any more, it is cancelled.
        self.settle(SyncResponse(response.status, response.headers, SyncStream(pipe, self._cancel)))
        await pipe.fill(body, self._gateway.settings.limits.stalled_reader_s)

    def settle(self, result: SyncResponse) -> None:
        """Hand the answer over, even if the thread is just waiting for the client."""
        super().settle(result)
        if self._reading and self._body is not None and self._body.interrupt is not None:
            self._body.interrupt()

    def _want(self) -> None:
        self._wanted = True
        self._waiter.wake()

    def _serve(self) -> None:
        if not self._wanted or self._body is None:
            return
        self._wanted = False
        piece: bytes | BaseException
        # Said first: an answer that comes from here on interrupts the read, begun or not.
        self._reading = True
        try:
            if self._settled:
                return
            piece = self._body.read()
        except Exception as error:
            piece = error
        finally:
            self._reading = False
        self._lane.post(self._body.give, piece)
