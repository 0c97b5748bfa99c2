"""What guardrails write in Responses: a message put into a request, and a stream's end."""

from __future__ import annotations

from typing import Any

from llmgateway.codecs.written import written
from llmgateway.types import JSON


def insert(body: JSON, role: str, text: str) -> None:
    """Add a message to a request, in place; implements `Format.insert`.

    A system message goes before the instructions, as one text with them; where there are none,
    before all items, since instructions would replace those of a stored prompt.
    """
    instructions = body.get("instructions")
    is_system = role in ("system", "developer")
    if is_system and isinstance(instructions, str) and instructions:
        body["instructions"] = f"{text}\n\n{instructions}"
        return
    role = "system" if is_system else "assistant" if role == "assistant" else "user"
    items = _items(body.get("input"))
    items.insert(0 if is_system else _place(items, role), {"role": role, "content": text})
    body["input"] = items


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [{"role": "user", "content": value}] if isinstance(value, str) and value else []


def _place(items: list[Any], role: str) -> int:
    """Return where the last message of the role begins, with the thoughts that led to it.

    The API refuses thoughts without the very item that followed them.
    """
    for at in range(len(items) - 1, -1, -1):
        if _member(items[at], "role") == role:
            while at and _member(items[at - 1], "type") == "reasoning":
                at -= 1
            return at
    return len(items)


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


class ResponsesDenial:
    """Ends a stream as incomplete; implements `Denial`."""

    def __init__(self) -> None:
        self._number = -1
        """The last event's."""
        self._response: JSON = {"object": "response", "output": []}
        self._items: dict[int, JSON] = {}
        """The items that went out whole."""

    def see(self, event: JSON) -> None:
        """Take the next event that went out."""
        number, response, kind = (event.get(key) for key in ("sequence_number", "response", "type"))
        if isinstance(number, int):
            self._number = number
        if isinstance(response, dict):
            self._response = response
        if kind == "response.output_item.done":
            index, item = event.get("output_index"), event.get("item")
            if isinstance(index, int) and isinstance(item, dict):
                self._items[index] = item

    def write(self, hook_results: JSON) -> bytes:
        """Return `response.incomplete`, with the items that went out whole and the results."""
        response = {
            **self._response,
            "status": "incomplete",
            "incomplete_details": {"reason": "content_filter"},
            "output": [item for _, item in sorted(self._items.items())],
        }
        self._number += 1
        told = {
            "type": "response.incomplete",
            "sequence_number": self._number,
            "response": response,
            "hook_results": hook_results,
        }
        return f"event: response.incomplete\ndata: {written(told)}\n\n".encode("utf-8", "replace")

    def report(self, hook_results: JSON) -> bytes | None:
        """Return None: the stream's last event, which has the whole response, tells them itself."""
        return None
