"""The hub: Chat Completions, and the named extensions that codecs and doors read and write.

Everything not named here is as https://platform.openai.com/docs/api-reference/chat says. Unknown
members of a body are left where they are.

Requests
    messages[].content          text, or parts: `text`, `image_url` (http or data URL),
                                `input_audio`, `refusal`, and `file`
                                {file_data | file_url | file_id, filename, mime_type}
    messages[].cache_control    also on a part and on a tool:
                                {"type": "ephemeral", "ttl"?: "5m" | "1h"}
    messages[].content_blocks   on an assistant turn: ordered blocks, see below; the truth where
                                `content` says the same
    messages[].extra_content    {"content_blocks": [...]}: the blocks that `content` cannot carry,
                                as the chat door gave them to a client of strict compliance; it
                                makes `content_blocks` of them again (`codecs.chat.kept`), so that
                                no codec needs to read this
    tool_calls[].extra_content  {"thought_signature": "…", "blocks_before": n}: the second only
                                where blocks follow the call; thoughts without a signature do
                                not count. A format keeps under its own name (`messages`) what it
                                alone has words for. `EXTRAS` has all keys
    role `tool`                 `content` may be parts (text, image_url, file); `is_error` is a bool
    tools[]                     {"type": "function", …} as usual; a neutral built-in tool
                                {"type": "web_search" | "code_execution" | "mcp", "options": {…}};
                                a provider's own {"type": "native", "native": {…}}, passed as it is.
                                Options, where given: web_search {allowed_domains, blocked_domains,
                                max_uses, search_context_size, user_location {type: "approximate",
                                city, region, country, timezone}}; mcp {server_label, server_url,
                                authorization, headers, allowed_tools: [names], require_approval}
    thinking                    {"type": "enabled" | "disabled" | "adaptive", "budget_tokens"?};
                                `reasoning_effort` says the same in OpenAI's word; `thinking` wins
    top_k                       as in most other APIs

Answers
    choices[].message.content_blocks    every block of the answer but tool calls, in order
    choices[].message.reasoning_content the thinking text, for clients that show it
    choices[].native_finish_reason      the provider's own word; `finish_reason` is always OpenAI's
    choices[].message.annotations       `url_citation` as OpenAI has it; `page_citation` and
                                        `char_citation` {document_index, document_title, cited_text,
                                        start, end} beside it
    usage                               the fields of `types.usage.Usage` by name, without `source`

Blocks
    {"type": "text", "text", "signature"?, "citations"?}
    {"type": "thinking", "thinking", "signature"?, "wire"?}
                                a thought without `wire` is of the format `messages`; a signature
                                goes back to the format that gave it, and to no other
    {"type": "redacted_thinking", "data"}
    {"type": "opaque", "wire", "value"}     a provider's own block, of the format named by `wire`;
                                            it goes back to that format only, byte for byte
    A text stands in `content` as well; where both are there, the blocks are the truth.

Chunks
    choices[].delta.content_blocks      [{"index": n, …}]: the first entry of an index has the
                                        block's `type`; texts of later ones are to be appended
                                        (`text`, `thinking`, `signature`, `data`), other members
                                        are whole.
                                        Clients that merge deltas by index end up with the blocks.
    choices[].delta.content             carries text too, so that plain clients need no blocks
    choices[].delta.reasoning_content   carries thinking too
    One role chunk comes first; one chunk per choice has its `finish_reason`; `usage` comes once, in
    a last chunk with `choices: []`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from llmgateway.types import JSON
from llmgateway.types.usage import Usage

Block = dict[str, Any]

APPENDED: Final = frozenset({"text", "thinking", "signature", "data"})
"""Members of a block whose pieces in deltas are appended; every other member comes whole."""

EXTRAS: Final = frozenset({"content_blocks", "thought_signature", "blocks_before", "messages"})
"""The keys in `extra_content` that are ours; others are some provider's own (`google`)."""


def counters(usage: Usage) -> dict[str, int]:
    """Return usage as the hub has it: each counter by name."""
    parts = asdict(usage)
    del parts["source"]
    return parts


def usage_of(parts: object) -> Usage | None:
    """Read the hub's usage; None where there is none."""
    if not isinstance(parts, dict):
        return None
    known = {name: parts[name] for name in _COUNTERS if isinstance(parts.get(name), int)}
    return Usage(**known) if known else None


_COUNTERS: Final = tuple(counters(Usage()))


def blocks_of(message: JSON) -> list[Block]:
    """Return an assistant turn's blocks, whichever way the message carries them.

    `content_blocks` count first; else what `extra_content` kept of them, whose texts stand where
    they stood; else `content` as text blocks. Tool calls are no blocks.
    """
    for holder in (message, message.get("extra_content")):
        blocks = holder.get("content_blocks") if isinstance(holder, dict) else None
        if isinstance(blocks, list) and blocks:
            return [block for block in blocks if isinstance(block, dict)]
    return [{"type": "text", "text": text} for text in texts_of(message.get("content")) if text]


def texts_of(content: object) -> Iterator[str]:
    """Yield the texts of a message's content, be it a string or parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                yield part
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def text_of_blocks(blocks: list[Block]) -> str:
    """Return the text that `content` has for these blocks."""
    texts = (block.get("text") for block in blocks if block.get("type") == "text")
    return "".join(text for text in texts if isinstance(text, str))


def merge_blocks(blocks: dict[int, Block], deltas: object) -> None:
    """Add a chunk's `content_blocks` to what has been gathered, by index."""
    if not isinstance(deltas, list):
        return
    for delta in deltas:
        if not isinstance(delta, dict) or not isinstance(delta.get("index"), int):
            continue
        block = blocks.setdefault(delta["index"], {})
        for key, value in delta.items():
            if key == "index":
                continue
            if key not in APPENDED:
                block[key] = value
            elif isinstance(value, str):
                append(block, key, value)


def append(holder: Any, key: Any, piece: str) -> None:
    """Append a piece to a text in a dict or list; what is there and no text is replaced.

    The text is taken from its place meanwhile: Python extends a text that nothing else refers to
    where it lies, so that many small pieces cost no more than a few large ones.
    """
    text = holder.get(key) if isinstance(holder, dict) else holder[key]
    if not isinstance(text, str):
        holder[key] = piece
        return
    holder[key] = None
    text += piece
    holder[key] = text
