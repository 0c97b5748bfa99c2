"""Streams that are masked or restored as they come, however they are cut into deltas."""

from __future__ import annotations

from llmgateway.guardrails.pii.cuts import MAX_PIECE
from llmgateway.guardrails.pii.find import Looked, Search
from llmgateway.guardrails.pii.vault import LONGEST_PLACEHOLDER, PLACEHOLDER, QUOTED, Found, Vault

__all__ = ["StreamMask", "StreamRestore"]

_OFTEN = 256
"""Up to how many characters what is held is looked at with each delta; beyond, ever more rarely."""


class StreamMask:
    """Masks one text of a stream: together its outputs are what `Vault.mask` makes of the whole.

    It holds back what may yet become a value, mostly a word. One for each choice and channel.
    """

    def __init__(
        self,
        vault: Vault,
        is_json: bool = False,
        *,
        looked: Looked | None = None,
        is_reversible: bool = True,
    ) -> None:
        looked = looked or vault.looked
        if looked.recogniser is not None:
            raise ValueError("A recogniser needs the whole text")
        self._vault = vault
        self._is_json = is_json
        self._is_reversible = is_reversible
        self._search = Search(looked, is_json)
        self._held = ""
        self._look_at = 0
        self.found = Found()

    def __repr__(self) -> str:
        return f"<StreamMask that holds {len(self._held)} characters>"

    def feed(self, delta: str) -> str:
        """Take the next piece; return what is certain now, masked."""
        self._held += delta
        return self._released(is_end=False) if len(self._held) >= self._look_at else ""

    def close(self) -> str:
        """Return what is left, masked."""
        return self._released(is_end=True)

    def _released(self, is_end: bool) -> str:
        masked: list[str] = []
        held, start = self._held, 0
        while start < len(held):
            next_ = self._search.piece(held[start : start + MAX_PIECE], is_end)
            if next_ is None:
                break
            length, spans = next_
            piece = held[start : start + length]
            self._vault.reserve(piece)
            masked.append(
                self._vault.put(piece, spans, self._is_json, self._is_reversible, self.found)
            )
            start += length
        self._held = held[start:]
        left = len(self._held)
        self._look_at = min(left + left // 4, MAX_PIECE) if left > _OFTEN else 0
        return "".join(masked)


class StreamRestore:
    """Restores one text of a stream: together its outputs are what `Vault.restore` makes of all.

    It holds back only what may be the beginning of a placeholder that was given out.
    """

    def __init__(self, vault: Vault, is_json: bool = False) -> None:
        self._vault = vault
        self._is_json = is_json
        self._held = ""

    def __repr__(self) -> str:
        return f"<StreamRestore that holds {len(self._held)} characters>"

    def feed(self, delta: str) -> str:
        """Take the next piece; return what is certain now, restored."""
        text = self._held + delta
        cut = self._certain(text)
        self._held = text[cut:]
        return self._vault.restore(text[:cut], self._is_json)

    def close(self) -> str:
        """Return what is left."""
        text, self._held = self._held, ""
        return self._vault.restore(text, self._is_json)

    def _certain(self, text: str) -> int:
        """Return up to where no placeholder is cut."""
        if not len(self._vault):
            return len(text)
        cut = len(text)
        begin = text.rfind("[", max(0, cut - LONGEST_PLACEHOLDER))
        if begin >= 0 and "]" not in text[begin:] and self._vault.may_begin(text[begin:]):
            cut = begin
        if not (self._is_json and self._vault.has_bare):
            return cut
        # A number's placeholder takes its quotes with it: they must come together.
        if cut == len(text) and text.endswith("]"):
            begin = text.rfind("[", max(0, cut - LONGEST_PLACEHOLDER))
            cut = begin if begin >= 0 and PLACEHOLDER.match(text, begin) else cut
        if text.endswith(']"') and (begin := text.rfind('"[')) >= 0:
            if QUOTED.fullmatch(text, begin):
                return len(text)
        return cut - 1 if cut > 0 and text[cut - 1] == '"' else cut
