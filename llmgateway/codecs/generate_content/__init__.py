"""Gemini's generateContent and its neighbours: formats, codecs and doors."""

from typing import Final

from llmgateway.codecs.generate_content.carried import MARKS
from llmgateway.codecs.generate_content.format import (
    COUNT_TOKENS,
    EMBED_CONTENT,
    GENERATE_CONTENT,
)
from llmgateway.codecs.generate_content.frames import ArrayFrames, json_array_frames
from llmgateway.codecs.generate_content.renamed import renamed
from llmgateway.codecs.late import LateCodec, LateDoor

__all__ = [
    "COUNT_TOKENS",
    "COUNT_TOKENS_CODEC",
    "COUNT_TOKENS_DOOR",
    "EMBED_CODEC",
    "EMBED_CONTENT",
    "EMBED_DOOR",
    "GENERATE_CONTENT",
    "GENERATE_CONTENT_CODEC",
    "GENERATE_CONTENT_DOOR",
    "ArrayFrames",
    "json_array_frames",
    "renamed",
]

_HERE = "llmgateway.codecs.generate_content"

GENERATE_CONTENT_CODEC: Final = LateCodec(f"{_HERE}.codec:GENERATE_CONTENT_CODEC")
GENERATE_CONTENT_DOOR: Final = LateDoor(
    GENERATE_CONTENT, "chat", MARKS, f"{_HERE}.door:GENERATE_CONTENT_DOOR"
)
COUNT_TOKENS_CODEC: Final = LateCodec(f"{_HERE}.count_tokens:COUNT_TOKENS_CODEC")
COUNT_TOKENS_DOOR: Final = LateDoor(
    COUNT_TOKENS, "count_tokens", MARKS, f"{_HERE}.count_tokens:COUNT_TOKENS_DOOR"
)
EMBED_CODEC: Final = LateCodec(f"{_HERE}.embed:EMBED_CODEC")
EMBED_DOOR: Final = LateDoor(EMBED_CONTENT, "embeddings", (), f"{_HERE}.embed:EMBED_DOOR")
