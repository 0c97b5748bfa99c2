"""Providers that Portkey knows and this version does not serve yet.

They need a translation of their own. A request that names one is told so, instead of being told
that its provider is invalid.
"""

from __future__ import annotations

PLANNED = frozenset({
    "ai21",
    "bedrock",
    "bytez",
    "cohere",
    "cortex",
    "nomic",
    "oracle",
    "palm",
    "reka-ai",
    "sagemaker",
    "segmind",
    "stability-ai",
    "triton",
    "vertex-ai",
    "workers-ai",
})  # fmt: skip
