"""Embeddings. Source: https://platform.openai.com/docs/api-reference/embeddings."""

from llmgateway.codecs.opaque import OpaqueWatch
from llmgateway.codecs.openai import OpenAIFormat, has_list

EMBEDDINGS = OpenAIFormat(
    name="embeddings",
    new_watch=OpaqueWatch,
    # Ollama's older path answers `{"embedding": […]}` (https://docs.ollama.com/api/embed).
    answers=has_list("data", "embeddings", "embedding"),
)
