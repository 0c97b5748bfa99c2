"""Gathers the calls of tools in a stream, in whichever pieces a provider sends them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from llmgateway.codecs.base import Context
from llmgateway.codecs.chat.pieces import argument_text
from llmgateway.types import JSON


@dataclass(slots=True)
class _Call:
    index: int
    """Ours: dense, in order of appearance."""
    id: str
    kind: str
    """`function` or `custom`."""
    given_id: str | None
    """None where the id is made by us."""
    name: str = ""
    is_open: bool = False
    """Whether its start has been handed on; that waits for the name."""
    waiting: list[str] = field(default_factory=list)
    """Arguments that came before the name."""
    has_text: bool = False
    is_whole: bool = False


class Calls:
    """The calls of one choice."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._calls: list[_Call] = []
        self._by_place: dict[int, _Call] = {}
        """By the provider's own index."""
        self._by_id: dict[str, _Call] = {}
        """By the provider's own id; of several the last."""

    def __bool__(self) -> bool:
        return bool(self._calls)

    def feed(self, deltas: list[JSON], *, whole: bool = False) -> list[JSON]:
        """Return the hub's deltas; `whole` ones repeat what has been streamed already."""
        return [delta for piece in deltas if (delta := self._read(piece, whole)) is not None]

    def close(self) -> list[JSON]:
        """Return what is owed: starts that had no name, and arguments of calls that have none."""
        owed = []
        for call in self._calls:
            if not call.is_open:
                owed.append(self._open(call, {}, "".join(call.waiting)))
            if call.kind == "function" and not call.has_text:
                call.has_text = True
                owed.append(_delta(call, "{}"))
        return owed

    def _read(self, piece: JSON, whole: bool) -> JSON | None:
        inner = piece.get("custom") if isinstance(piece.get("custom"), dict) else None
        kind = "function" if inner is None else "custom"
        within: Any = piece.get("function") if inner is None else inner
        within = within if isinstance(within, dict) else {}
        text = argument_text(within.get("arguments" if inner is None else "input"))
        call = self._find(piece, within, kind)
        call.name = call.name or str(within.get("name") or "")
        if whole and call.has_text:
            return None
        if not call.is_open:
            if not call.name:
                call.waiting.append(text)
                return None
            return self._open(call, piece, "".join([*call.waiting, text]))
        if not text:
            return None
        call.has_text = True
        return _delta(call, text)

    def _find(self, piece: JSON, within: JSON, kind: str) -> _Call:
        """Return the call that a piece belongs to, a new one if to none.

        Providers leave out the index, or give 0 to every call; and ids are absent, empty or
        repeated in later pieces.
        """
        place = piece.get("index")
        given = str(piece["id"]) if piece.get("id") else None
        known = self._by_place.get(place) if isinstance(place, int) else self._unplaced(given)
        if known is not None and not _is_another(known, given, within):
            return known
        made = given or self._ctx.new_id("call_")
        call = _Call(len(self._calls), made, kind, given)
        self._calls.append(call)
        if given is not None:
            self._by_id[given] = call
        if isinstance(place, int):
            self._by_place[place] = call
        return call

    def _unplaced(self, given: str | None) -> _Call | None:
        if given is not None:
            return self._by_id.get(given)
        return self._calls[-1] if self._calls else None

    def _open(self, call: _Call, piece: JSON, text: str) -> JSON:
        call.is_open, call.has_text = True, bool(text)
        member = "arguments" if call.kind == "function" else "input"
        delta: JSON = {"index": call.index, "id": call.id, "type": call.kind}
        if isinstance(piece.get("extra_content"), dict):
            delta["extra_content"] = piece["extra_content"]
        return {**delta, call.kind: {"name": call.name, member: text}}


def _is_another(known: _Call, given: object, within: JSON) -> bool:
    """Tell whether a piece in a known call's place starts another one."""
    if not within.get("name"):
        return False
    if given is not None and known.given_id is not None:
        return given != known.given_id
    # Without ids, a name after a name and its arguments is the next call's.
    return given is None and known.given_id is None and known.has_text


def _delta(call: _Call, text: str) -> JSON:
    member = "arguments" if call.kind == "function" else "input"
    return {"index": call.index, call.kind: {member: text}}
