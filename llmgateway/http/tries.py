"""How often an address may fail to say who calls: the bound of guesses, and of what junk costs.

A caller who is known never comes here, so a good key works whoever else shares its address.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from llmgateway.errors import TooManyFailedTries
from llmgateway.http.addresses import client_address
from llmgateway.settings import Settings
from llmgateway.types.http import HTTPRequest

MAX_ADDRESSES = 10_000
"""How many are remembered; the ones that failed last."""
_WITHIN_S = 60.0


class FailedTries:
    """The failed tries of the last minute, by address. Safe from any thread."""

    def __init__(self, settings: Settings, monotonic: Callable[[], float]) -> None:
        self._trusted = settings.trusted_proxies
        self._limit = settings.limits.failed_auth_per_minute
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._times: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def add(self, request: HTTPRequest) -> None:
        """Count a try that has failed.

        Raises `TooManyFailedTries` in place of the answer that it would get, once so many have
        had that one within a minute. Those that it is raised for are not counted.
        """
        holder, now = self._holder_of(request), self._monotonic()
        with self._lock:
            times = self._times.setdefault(holder, deque(maxlen=self._limit))
            self._times.move_to_end(holder)
            if len(self._times) > MAX_ADDRESSES:
                self._times.popitem(last=False)
            wait_s = times[0] + _WITHIN_S - now if len(times) == self._limit else 0.0
            if wait_s <= 0:
                times.append(now)
                return
        raise TooManyFailedTries(
            "Too many requests with no valid API key have come from this address; check the key.",
            retry_after_s=math.ceil(wait_s),
        )

    def _holder_of(self, request: HTTPRequest) -> Hashable:
        """Return what stands for whoever has the client's address.

        That is a whole /64 in IPv6: less is given to nobody. Clients that cannot be told apart
        share what is counted, so that nobody gains by being one of them.
        """
        address = client_address(request, self._trusted)
        if address is None:
            return request.client
        return int(address) >> 64 if address.version == 6 else address
