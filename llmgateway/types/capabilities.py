"""What a model can do, as data: codecs ask this and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

SAMPLING = frozenset({"temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"})
"""The sampling parameters that models differ in."""


class Reasoning(Enum):
    """In which words a model takes how much it shall think."""

    NONE = "none"
    """It does not think, or not on request."""
    BUDGET = "budget"
    """A number of tokens."""
    EFFORT = "effort"
    """A word such as low, medium, high."""
    LEVEL = "level"
    """A word of the provider's own scale (Gemini's `thinkingLevel`)."""


class Schema(Enum):
    """How a model takes a JSON schema for its answer."""

    NONE = "none"
    NATIVE = "native"
    """Any JSON schema, in a field of its own."""
    SUBSET = "subset"
    """A subset of JSON schema, without references."""
    TOOL = "tool"
    """Only as the parameters of a tool that it is made to call."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Facts about one model. The defaults are those of a model that nobody knows."""

    max_output: int = 4096
    """Tokens that it can write at most; sent where a provider demands a figure."""
    sampling: frozenset[str] = SAMPLING
    """The parameters of `SAMPLING` that it takes."""
    sampling_exclusive: bool = False
    """Whether `temperature` and `top_p` together are refused."""
    reasoning: frozenset[Reasoning] = frozenset({Reasoning.NONE})
    """Every form that it takes; a codec uses the one nearest to what the caller said."""
    efforts: tuple[str, ...] = ("low", "medium", "high")
    """The words of `EFFORT` or `LEVEL`, rising."""
    budget_range: tuple[int, int] = (1024, 32768)
    """Of `BUDGET`, in tokens."""
    can_disable_reasoning: bool = True
    schema: Schema = Schema.NATIVE
    tool_schema: Schema = Schema.NATIVE
    """How it takes the schema of a tool's parameters."""
    forced_tool_with_reasoning: bool = True
    """Whether it may be made to call a tool while it thinks."""


UNKNOWN = Capabilities()
