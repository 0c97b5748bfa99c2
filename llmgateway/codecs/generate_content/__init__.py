"""Gemini's generateContent and its neighbours: formats, codecs and doors."""

from llmgateway.codecs.generate_content.codec import GENERATE_CONTENT_CODEC
from llmgateway.codecs.generate_content.count_tokens import (
    COUNT_TOKENS,
    COUNT_TOKENS_CODEC,
    COUNT_TOKENS_DOOR,
)
from llmgateway.codecs.generate_content.door import GENERATE_CONTENT_DOOR
from llmgateway.codecs.generate_content.embed import EMBED_CODEC, EMBED_CONTENT, EMBED_DOOR
from llmgateway.codecs.generate_content.format import GENERATE_CONTENT
from llmgateway.codecs.generate_content.frames import ArrayFrames, json_array_frames
from llmgateway.codecs.generate_content.renamed import renamed

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
