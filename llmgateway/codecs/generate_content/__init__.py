"""Gemini's generateContent and its neighbours: formats, codecs and doors."""

from llmgateway.codecs.generate_content.codec import GENERATE_CONTENT_CODEC
from llmgateway.codecs.generate_content.format import GENERATE_CONTENT

__all__ = ["GENERATE_CONTENT", "GENERATE_CONTENT_CODEC"]
