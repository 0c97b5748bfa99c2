"""Token counts as disjoint parts, whose sum is the total."""

from __future__ import annotations

from enum import Enum

from llmgateway.types.value import value


class UsageSource(Enum):
    """Where the figures come from."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"
    NONE = "none"


@value(frozen=True, slots=True)
class Usage:
    """Tokens of one call; no token is counted in two fields."""

    input: int = 0
    """Uncached text (and anything the provider does not itemise) that was read."""
    input_audio: int = 0
    cache_read: int = 0
    cache_write: int = 0
    """Written to the provider's cache with its default lifetime (five minutes)."""
    cache_write_1h: int = 0
    output: int = 0
    """Visible text that was written."""
    output_audio: int = 0
    reasoning: int = 0
    source: UsageSource = UsageSource.PROVIDER

    def plus(self, more: Usage) -> Usage:
        """Return both together."""
        if self.source is UsageSource.NONE or more.source is UsageSource.NONE:
            return more if self.source is UsageSource.NONE else self
        sums = {
            name: getattr(self, name) + getattr(more, name)
            for name in self.__dataclass_fields__
            if name != "source"
        }
        return Usage(**sums, source=self.source)

    @property
    def total_input(self) -> int:
        """Everything that was read, cached or not."""
        return (
            self.input + self.input_audio + self.cache_read + self.cache_write + self.cache_write_1h
        )

    @property
    def total_output(self) -> int:
        """Everything that was written, seen or not."""
        return self.output + self.output_audio + self.reasoning

    @property
    def total(self) -> int:
        """The sum of all parts."""
        return self.total_input + self.total_output


NO_USAGE = Usage(source=UsageSource.NONE)
