"""Which door a caller came through, by the name of the endpoint."""

from __future__ import annotations

from collections.abc import Mapping

from llmgateway.codecs.base import Codec, Door, Format
from llmgateway.codecs.chat import CHAT_CODEC, CHAT_DOOR
from llmgateway.codecs.embeddings import EMBEDDINGS_CODEC, EMBEDDINGS_DOOR
from llmgateway.codecs.generate_content import (
    COUNT_TOKENS_DOOR as GENERATE_CONTENT_COUNT_DOOR,
)
from llmgateway.codecs.generate_content import EMBED_DOOR, GENERATE_CONTENT_DOOR
from llmgateway.codecs.messages import COUNT_TOKENS_DOOR, MESSAGES_DOOR
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.codecs.responses import RESPONSES_DOOR

DOORS: Mapping[str, Door] = {
    "chat": CHAT_DOOR,
    "messages": MESSAGES_DOOR,
    "responses": RESPONSES_DOOR,
    "generate_content": GENERATE_CONTENT_DOOR,
    "embeddings": EMBEDDINGS_DOOR,
    "embed_content": EMBED_DOOR,
    "count_tokens": COUNT_TOKENS_DOOR,
    "generate_content_count_tokens": GENERATE_CONTENT_COUNT_DOOR,
}
"""Every endpoint whose calls can be translated; all others pass or are not served."""

COUNTING_DOORS: Mapping[str, Door] = {
    name: door for name, door in DOORS.items() if door.hub == "count_tokens"
}
"""Those that ask for nothing but a count of tokens."""

HUB_CODECS: Mapping[str, Codec] = {"chat": CHAT_CODEC, "embeddings": EMBEDDINGS_CODEC}
"""How a provider that speaks the hub's own format is reached through another door."""


def format_of(endpoint: str | None) -> Format:
    """Return the format in which callers of an endpoint expect their errors."""
    door = DOORS.get(endpoint or "")
    return OPAQUE if door is None else door.format
