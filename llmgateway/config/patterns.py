"""The patterns of `$regex`: the one place where callers bring regular expressions here.

Only RE2 compiles them, whose time is linear in the text. How steep the line is depends on the
pattern, so all patterns of a config together have a budget, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llmgateway.config.javascript import text_of
from llmgateway.late import import_late

MAX_TEXT_BYTES = 256 * 1024
"""How much of a text is searched at most; what follows is taken as not there."""
MAX_PATTERNS = 64
"""How many patterns a config may have."""
MAX_INSTRUCTIONS = 4096
"""How large RE2's programs for a config's patterns may be together; `^gpt-4` has 4."""

# At its worst RE2 took 15 ns for each instruction and byte (measured with a[ab]{200}c on a text of
# a's), so all patterns of a config together hold the loop for a quarter of a second at most.
_MAX_INSTRUCTION_BYTES = 2**24
# For the program and the states that a pattern collects; where that is too little, RE2 goes on
# without keeping states.
_MAX_PATTERN_MEMORY = 128 * 1024


class Patterns:
    """All patterns of one config, whose sizes bound the text that each of them may search."""

    def __init__(self) -> None:
        self._count = 0
        self._instructions = 0

    @property
    def text_bytes(self) -> int:
        """How much of a text each pattern searches."""
        return min(MAX_TEXT_BYTES, _MAX_INSTRUCTION_BYTES // max(self._instructions, 1))

    def compile(self, pattern: Any) -> Callable[[Any], bool]:
        """Return the test whether a value's text holds the pattern anywhere.

        Raises `ValueError` with words for the caller where the pattern cannot be used.
        """
        if not isinstance(pattern, str):
            raise ValueError("$regex must be a string")
        regexp = self._admit(pattern)

        def found(value: Any) -> bool:
            text = text_of(value)
            return text is not None and self._search(regexp, text)

        return found

    def _admit(self, pattern: str) -> Any:
        if self._count < MAX_PATTERNS and self._instructions < MAX_INSTRUCTIONS:
            regexp = _compile(pattern)
            self._count += 1
            self._instructions += regexp.programsize
            if self._instructions <= MAX_INSTRUCTIONS:
                return regexp
        raise ValueError(
            "The $regex patterns of this config are too many or too large together; simplify them"
        )

    def _search(self, regexp: Any, text: str) -> bool:
        limit = self.text_bytes
        try:
            encoded = text[:limit].encode()
        except UnicodeEncodeError:
            return False
        return regexp.search(encoded[:limit]) is not None


def _compile(pattern: str) -> Any:
    try:
        # An optional dependency, wanted only by configs that have a $regex.
        re2 = import_late("re2")
    except ImportError:
        raise ValueError(
            "$regex needs google-re2, which this gateway lacks; install llmgateway[regex]"
        ) from None
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MAX_PATTERN_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as exc:
        # The reason comes as bytes, and may end within a character of the pattern.
        reason = exc.args[0].decode(errors="replace")[:200]
        raise ValueError(f"RE2 cannot compile this pattern: {reason}") from None
