"""Turns what the hub says of an answer into output items, and tells of each step."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Generator, Iterator
from typing import Any, Final

from llmgateway.codecs.base import Context
from llmgateway.codecs.chat.kept import gather, kept_entries
from llmgateway.codecs.hub import Block, merge_blocks
from llmgateway.codecs.responses.answer import is_incomplete
from llmgateway.codecs.responses.items import (
    COMPLETED,
    CallItem,
    CustomCallItem,
    Item,
    MessageItem,
    ReasoningItem,
    Told,
)
from llmgateway.codecs.responses.sealed import pack
from llmgateway.codecs.responses.tools import custom_names
from llmgateway.types import JSON

_PLAIN: Final = -1
"""The number of a thought that came without blocks."""


class Output:
    """The items of one answer, in the order in which they began.

    A thought and a message end where the next item begins; calls end with the answer, since
    providers may take turns between them.
    """

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._customs = custom_names(ctx.door_request)
        self._items: list[Item] = []
        self._messages: list[MessageItem] = []
        self._calls: dict[int, CallItem] = {}
        self._late: dict[str, JSON] = {}
        """By id of a call: what came for it after it had begun."""
        self._message: MessageItem | None = None
        self._thought: ReasoningItem | None = None
        """At most one of the two is open."""
        self._block: int | None = None
        """The hub's number of the block that the open thought is."""
        self._kinds: dict[int, str] = {}
        self._texts: dict[int, Block] = {}
        """The texts since the last item, with their lengths in place of their words."""
        self._at = 0

    def feed(self, delta: JSON, logprobs: list[Any]) -> Iterator[Told]:
        """Take the next delta of the hub."""
        entries = _objects(delta.get("content_blocks"))
        if entries:
            for entry in entries:
                yield from self._entry(entry, logprobs)
        else:
            if text := _text(delta.get("reasoning_content")):
                yield from self._think(_PLAIN, {"type": "thinking", "thinking": text})
            if text := _text(delta.get("content")):
                yield from self._write(text, logprobs)
        if refusal := _text(delta.get("refusal")):
            message = self._message or (yield from self._begin_message())
            yield from message.refuse(refusal)
        for note in _objects(delta.get("annotations")):
            yield from self._annotate(note)
        for call in _objects(delta.get("tool_calls")):
            yield from self._call(call)

    def end(self, finish: str | None) -> Iterator[Told]:
        """End what is open; the last item of an answer that is cut short is so too."""
        status = "incomplete" if is_incomplete(finish) else COMPLETED
        last = self._items[-1] if self._items else None
        yield from self._close(status if last is self._message else COMPLETED)
        for call in self._calls.values():
            yield from call.end(status if call is last else COMPLETED)
        for call_id, extra in self._late.items():
            yield from self._pack({"call": call_id, "extra_content": extra})

    def values(self) -> list[JSON]:
        """Return the items."""
        return [item.value() for item in self._items]

    # ---- blocks

    def _entry(self, entry: JSON, logprobs: list[Any]) -> Iterator[Told]:
        index = _number(entry.get("index"))
        if self._kinds.setdefault(index, _text(entry.get("type")) or "text") != "text":
            yield from self._think(index, entry)
            return
        if text := _text(entry.get("text")):
            yield from self._write(text, logprobs)
        else:
            yield from self._end_thought()
        gather(self._texts, [entry])

    def _think(self, index: int, entry: JSON) -> Iterator[Told]:
        thought = self._thought
        if thought is None or self._block != index:
            yield from self._close(COMPLETED)
            thought = ReasoningItem(len(self._items), self._ctx.new_id("rs_"), {})
            self._thought, self._block = thought, index
            yield from self._begin(thought)
        if text := _text(entry.get("thinking")):
            yield from thought.think(text)
        rest = {key: value for key, value in entry.items() if key != "thinking"}
        merge_blocks({index: thought.block}, [{**rest, "index": index}])

    def _write(self, text: str, logprobs: list[Any]) -> Iterator[Told]:
        message = self._message or (yield from self._begin_message())
        self._at += len(text)
        yield from message.write(text, logprobs)

    def _annotate(self, note: Any) -> Iterator[Told]:
        """Add a citation of a page of the web; other kinds have no place in this format."""
        inner = note.get("url_citation") if isinstance(note, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("url"), str):
            return
        start, end = (_number(inner.get(key)) for key in ("start_index", "end_index"))
        if self._messages:
            place = bisect_right(self._messages, start, key=lambda message: message.at)
            message = self._messages[place - 1]  # of none before it, the last
            shown = {
                "type": "url_citation",
                "url": inner["url"],
                "title": inner.get("title") or "",
                "start_index": max(start - message.at, 0),
                "end_index": max(end - message.at, 0),
            }
            yield from message.annotate(shown)

    # ---- calls

    def _call(self, delta: JSON) -> Iterator[Told]:
        index, extra = _number(delta.get("index")), delta.get("extra_content")
        function = _object(delta.get("function")) or _object(delta.get("custom"))
        call = self._calls.get(index)
        if call is None:
            yield from self._close(COMPLETED)
            call_id = _text(delta.get("id")) or self._ctx.new_id("call_")
            if extra:
                yield from self._pack({"call": call_id, "extra_content": extra})
            call = self._calls[index] = self._new_call(call_id, function, delta.get("type"))
            yield from self._begin(call)
        elif extra:
            self._late[call.call_id] = extra
        if text := _text(function.get("arguments")) or _text(function.get("input")):
            yield from call.argue(text)

    def _new_call(self, call_id: str, function: JSON, kind: object) -> CallItem:
        name, place = _text(function.get("name")), len(self._items)
        if kind == "custom" or name in self._customs:
            return CustomCallItem(place, self._ctx.new_id("ctc_"), call_id, name)
        return CallItem(place, self._ctx.new_id("fc_"), call_id, name)

    # ---- items

    def _begin(self, item: Item) -> Iterator[Told]:
        self._items.append(item)
        return item.begin()

    def _begin_message(self) -> Generator[Told, None, MessageItem]:
        # Texts without words may have come since the last item; they are this message's.
        yield from self._end_thought()
        message = MessageItem(len(self._items), self._ctx.new_id("msg_"), self._at)
        self._message = message
        self._messages.append(message)
        yield from self._begin(message)
        return message

    def _pack(self, value: JSON) -> Iterator[Told]:
        """Write an item that holds nothing but what must come back."""
        item = ReasoningItem(len(self._items), self._ctx.new_id("rs_"), {}, pack(value))
        yield from self._begin(item)
        yield from item.end(COMPLETED)

    def _end_thought(self) -> Iterator[Told]:
        if self._thought is not None:
            thought, self._thought = self._thought, None
            yield from thought.end(COMPLETED)

    def _close(self, status: str) -> Iterator[Told]:
        """End the open item, and pack what its texts must get back."""
        yield from self._end_thought()
        if self._message is not None:
            message, self._message = self._message, None
            yield from message.end(status)
        texts = [block for _, block in sorted(self._texts.items())]
        self._texts = {}
        if kept := kept_entries(texts):
            yield from self._pack({"texts": kept})


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _object(value: object) -> JSON:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[JSON]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
