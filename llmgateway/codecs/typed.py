"""Follows streams whose events say in `type` what they are: responses, images, audio."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from llmgateway.codecs.base import Event, EventKind
from llmgateway.codecs.choices import event_fault, parse_object
from llmgateway.codecs.faults import Fault, find_fault
from llmgateway.codecs.sse import DONE, is_bare, is_named
from llmgateway.codecs.usage import read_usage
from llmgateway.errors import UpstreamError
from llmgateway.types import JSON
from llmgateway.types.usage import Usage


@dataclass(frozen=True, slots=True)
class Grammar:
    """Which types of events a format has, as far as they matter here."""

    ends: frozenset[str]
    failures: frozenset[str] = frozenset()
    preludes: frozenset[str] = frozenset()
    must_end: bool = True
    """False: a stream in which no event has a type may end anywhere; some providers send such."""

    def watcher(self) -> Callable[[JSON | None, str], TypedWatch]:
        """Return what begins to follow a stream of this grammar."""
        telling = self._telling()
        return lambda _request, provider: TypedWatch(self, telling, provider)

    def _telling(self) -> re.Pattern[bytes]:
        """Return the pattern of events that must be parsed; see `choices` on why it misses none."""
        types = "|".join(re.escape(name) for name in sorted(self.ends | self.failures))
        pattern = rf'"(?:type"\s*:\s*"(?:{types})"|error"(?!\s*:\s*null))'
        return re.compile(pattern.encode())


class TypedWatch:
    """Follows one stream; implements `Watch`.

    Events after the first content are scanned for ends and errors, and parsed only then.
    """

    def __init__(self, grammar: Grammar, telling: re.Pattern[bytes], provider: str) -> None:
        self._grammar = grammar
        self._is_telling = telling.search
        self._provider = provider
        self._has_content = False
        self._has_type = False
        self._has_end = False
        self.usage: Usage | None = None
        self.error: UpstreamError | None = None

    @property
    def ended_well(self) -> bool:
        """Whether the format allows the stream to end now."""
        if self.error is not None or self._has_end:
            return self.error is None
        return self._has_content and not (self._grammar.must_end or self._has_type)

    def owed(self) -> bytes:
        """Return nothing: these formats end with an event of a known type."""
        return b""

    def feed(self, event: Event) -> EventKind:
        """Take the next event."""
        data = event.data
        if self._has_content and data[:1] == b"{" and event.name != "error":
            if not self._is_telling(data):
                return EventKind.CONTENT
        return self._read(event)

    def skim(self, block: bytes) -> bool:
        """Take some whole events, if none of them tells anything; see `Watch`."""
        return (
            self._has_content
            and (is_named(block) or is_bare(block))
            and b"event: error" not in block
            and not self._is_telling(block)
        )

    def _read(self, event: Event) -> EventKind:
        if event.data.startswith(DONE):
            return EventKind.DONE
        body = parse_object(event.data)
        kind = str(body.get("type") or "")
        within = body.get("response")
        holder: JSON = within if isinstance(within, dict) else body
        self.usage = read_usage(holder.get("usage")) or self.usage
        fault = event_fault(event, body)
        if fault is None and kind in self._grammar.failures:
            fault = find_fault(holder) or Fault(f"The provider's stream ended with {kind}.")
        if fault is not None:
            self.error = self.error or fault.to_error(self._provider)
            return EventKind.ERROR
        return self._follow(kind, body)

    def _follow(self, kind: str, body: JSON) -> EventKind:
        if kind:
            self._has_type = True
            self._has_end = self._has_end or kind in self._grammar.ends
        self._has_content = self._has_content or not self._is_prelude(kind, body)
        return EventKind.CONTENT if self._has_content and body else EventKind.PRELUDE

    def _is_prelude(self, kind: str, body: JSON) -> bool:
        if not kind:  # not of this grammar; where that may be, it is the provider's own content
            return self._grammar.must_end or not body
        if kind.endswith(".delta") and "delta" in body:
            return not body["delta"]
        if kind == _ITEM_ADDED:
            item = body.get("item")
            return isinstance(item, dict) and str(item.get("type")) in _SILENT_ITEMS
        return kind in self._grammar.preludes


_ITEM_ADDED: Final = "response.output_item.added"
_SILENT_ITEMS: Final = frozenset({"message", "reasoning"})
"""Items that announce text; any other one is a call of a tool, which is content by itself."""
