"""Grammars of the streams that we write: what every event of a kind must obey.

Each checker takes a whole stream as written, raises `AssertionError` at the first breach, and
returns what the events add up to, so that a test can hold it against a whole answer.
"""

from __future__ import annotations

import json
from typing import Any

JSON = dict[str, Any]


def sse(raw: bytes) -> list[tuple[str | None, str]]:
    """Return the events of a stream as pairs of name and data; each ends with a blank line."""
    assert raw.endswith(b"\n\n"), "the stream breaks off within an event"
    events = []
    for block in raw.decode().removesuffix("\n\n").split("\n\n"):
        lines = block.split("\n")
        names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        assert len(data) == 1 and len(names) <= 1 and len(lines) == len(names) + 1, block
        events.append((names[0] if names else None, data[0]))
    return events


# ---- chat completions


def chat_chunks(raw: bytes) -> list[JSON]:
    """Return the chunks of a chat stream, which ends with its sentinel."""
    events = sse(raw)

    assert all(name is None for name, _ in events)
    assert "[DONE]" == events[-1][1]
    assert all(data != "[DONE]" for _, data in events[:-1])
    return [json.loads(data) for _, data in events[:-1]]


def check_chat(raw: bytes, *, asked: bool) -> JSON:
    """Check one envelope, one role, dense indexes, one finish, usage once and `[DONE]`.

    `asked` says whether the caller asked for usage. Returns the answer that the chunks add up to.
    """
    chunks = chat_chunks(raw)
    envelopes = {
        tuple(chunk[key] for key in ("id", "object", "created", "model")) for chunk in chunks
    }
    assert len(envelopes) <= 1, "more than one envelope"
    last = chunks.pop() if chunks and chunks[-1]["choices"] == [] else None
    if asked:
        assert all(chunk["usage"] is None for chunk in chunks), "usage before its chunk"
        assert last is None or isinstance(last["usage"], dict)
    else:
        assert last is None and all("usage" not in chunk for chunk in chunks), "usage for nobody"
    choices: dict[int, JSON] = {}
    for chunk in chunks:
        assert chunk["choices"], "a chunk that says nothing"
        for choice in chunk["choices"]:
            _follow_choice(choices.setdefault(choice["index"], {"message": {}}), choice)
    assert list(range(len(choices))) == sorted(choices)
    assert all("finish_reason" in choice for choice in choices.values()), "a choice never finished"
    return {"choices": [choices[at] for at in sorted(choices)], "usage": (last or {}).get("usage")}


def _follow_choice(known: JSON, choice: JSON) -> None:
    assert "finish_reason" not in known, "something follows the finish"
    message, delta = known["message"], choice["delta"]
    assert ("role" in delta) == (not message), "the role stands in the first delta, and only there"
    for key, value in delta.items():
        if key in ("tool_calls", "content_blocks"):
            _follow_indexed(message.setdefault(key, []), value)
        elif isinstance(value, str):
            message[key] = message.get(key, "") + value
        else:
            assert key not in message, f"{key} comes twice, and clients cannot merge it"
            message[key] = value
    if choice["finish_reason"] is not None:
        assert choice["finish_reason"] in ("stop", "length", "tool_calls", "content_filter")
        known["finish_reason"] = choice["finish_reason"]


def _follow_indexed(known: list[JSON], entries: list[JSON]) -> None:
    """Merge entries as clients do; a new index is the next one."""
    for entry in entries:
        assert entry["index"] <= len(known), "an index is skipped"
        if entry["index"] == len(known):
            known.append({})
            assert "type" in entry, "the first entry of an index names its type"
            assert "function" not in entry or (entry["id"] and entry["function"]["name"])
        _merge(known[entry["index"]], entry)


def _merge(known: JSON, entry: JSON) -> None:
    for key, value in entry.items():
        if isinstance(value, dict):
            _merge(known.setdefault(key, {}), value)
        elif isinstance(value, str) and key not in ("type", "id"):
            known[key] = known.get(key, "") + value
        else:
            assert key in ("type", "index") or key not in known, f"{key} comes twice"
            known[key] = value


# ---- responses

_PARTS = {
    "output_text": ("response.output_text.delta", "response.output_text.done", "text"),
    "refusal": ("response.refusal.delta", "response.refusal.done", "refusal"),
}
_CALLS = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}


def check_responses(raw: bytes) -> JSON:
    """Check numbers, nesting and order; what was told bit by bit is what is told at the end.

    Returns the Response of the last event.
    """
    events = [(name, json.loads(data)) for name, data in sse(raw)]
    assert all(name == event["type"] for name, event in events)
    bodies = [event for _, event in events]
    assert list(range(len(bodies))) == [event["sequence_number"] for event in bodies]
    assert ["response.created", "response.in_progress"] == [event["type"] for event in bodies[:2]]
    last = bodies[-1]
    assert last["type"] in ("response.completed", "response.incomplete")
    assert last["type"].endswith(last["response"]["status"])
    assert len({event["response"]["id"] for event in (*bodies[:2], last)}) == 1
    output = _Items()
    for event in bodies[2:-1]:
        output.follow(event)
    assert not output.open, "an item never ended"
    whole = last["response"]["output"]
    assert [_uncited(item) for item in output.done] == [_uncited(item) for item in whole]
    ids = [item["id"] for item in output.done]
    assert len(ids) == len(set(ids))
    result: JSON = last["response"]
    return result


def _uncited(item: JSON) -> JSON:
    """Return an item without its citations; some come when their text has ended."""
    if item["type"] != "message":
        return item
    return {**item, "content": [{**part, "annotations": None} for part in item["content"]]}


class _Items:
    """Follows the items of a Response."""

    def __init__(self) -> None:
        self.open: dict[int, JSON] = {}
        self.told: dict[int, str] = {}
        """By index: what has been told of the open part."""
        self._done: dict[int, JSON] = {}

    @property
    def done(self) -> list[JSON]:
        """The items that have ended, in order."""
        assert list(range(len(self._done))) == sorted(self._done)
        return [self._done[at] for at in sorted(self._done)]

    def follow(self, event: JSON) -> None:
        """Take the next event between the first two and the last."""
        kind, at = event["type"], event["output_index"]
        if kind == "response.output_item.added":
            assert at == len(self.open) + len(self._done), "an item is skipped"
            assert event["item"].get("status") in (None, "in_progress")
            self.open[at] = event["item"]
            self.told[at] = ""
            return
        assert at in self.open, f"{kind} outside its item"
        item = self.open[at]
        if kind == "response.output_item.done":
            self._end(at, event["item"])
            return
        assert event["item_id"] == item["id"]
        if item["type"] == "message":
            self._message(at, item, event)
        elif item["type"] == "reasoning":
            self._reasoning(at, item, event)
        else:
            stem, member = _CALLS[item["type"]]
            assert kind in (f"{stem}.delta", f"{stem}.done")
            self._text(at, event, f"{stem}.delta", member)

    def _end(self, at: int, item: JSON) -> None:
        begun = self.open.pop(at)
        assert (begun["id"], begun["type"]) == (item["id"], item["type"])
        assert item.get("status") in (None, "completed", "incomplete")
        if item["type"] == "message":
            assert begun["content"] == item["content"]
        elif item["type"] == "reasoning":
            assert begun["summary"] == item["summary"] and item["encrypted_content"]
        else:
            assert self.told[at] == item[_CALLS[item["type"]][1]]
        self._done[at] = item

    def _message(self, at: int, item: JSON, event: JSON) -> None:
        kind, place = event["type"], event["content_index"]
        if kind == "response.content_part.added":
            assert place == len(item["content"])
            item["content"].append(event["part"])
            self.told[at] = ""
            return
        part = item["content"][place]
        if kind == "response.output_text.annotation.added":
            assert event["annotation_index"] == len(part["annotations"])
            part["annotations"].append(event["annotation"])
        elif kind == "response.content_part.done":
            member = _PARTS[part["type"]][2]
            assert self.told[at] == event["part"][member]
            item["content"][place] = event["part"]
        else:
            delta, done, member = _PARTS[part["type"]]
            assert place == len(item["content"]) - 1 and kind in (delta, done)
            self._text(at, event, delta, member)

    def _reasoning(self, at: int, item: JSON, event: JSON) -> None:
        kind, place = event["type"], event["summary_index"]
        if kind == "response.reasoning_summary_part.added":
            assert place == len(item["summary"])
            item["summary"].append(event["part"])
        elif kind == "response.reasoning_summary_part.done":
            item["summary"][place] = event["part"]
        else:
            stem = "response.reasoning_summary_text"
            assert kind in (f"{stem}.delta", f"{stem}.done")
            self._text(at, event, f"{stem}.delta", "text")

    def _text(self, at: int, event: JSON, delta: str, member: str) -> None:
        if event["type"] == delta:
            self.told[at] += event["delta"]
        else:
            assert self.told[at] == event[member]
