"""Citations of the API ↔ the hub's annotations.

Source: https://platform.claude.com/docs/en/build-with-claude/citations.
"""

from __future__ import annotations

from typing import Any, Final

from llmgateway.codecs.hub import Block
from llmgateway.codecs.messages.carrier import PREFIX
from llmgateway.codecs.messages.shape import as_list, kind_of, text_of
from llmgateway.types import JSON

_SPANS: Final = {
    "page_location": ("page_citation", "start_page_number", "end_page_number"),
    "char_location": ("char_citation", "start_char_index", "end_char_index"),
    "content_block_location": ("block_citation", "start_block_index", "end_block_index"),
}
_LOCATION_OF: Final = {kind: (location, *ends) for location, (kind, *ends) in _SPANS.items()}


_LOCATIONS: Final = frozenset({*_SPANS, "web_search_result_location", "search_result_location"})


_MAX_CITED: Final = 1_000
"""The most characters of a passage that are repeated: many citations may be of the same one."""


def own_citations(citations: Any) -> list[JSON]:
    """Return the citations that are of this format; other makers' have other shapes."""
    return [one for one in as_list(citations) if kind_of(one) in _LOCATIONS]


def annotations_of(block: Block, offset: int) -> list[JSON]:
    """Return the annotations of a text block that begins at `offset` of the whole text."""
    text = block.get("text")
    end = offset + len(text) if isinstance(text, str) else offset
    found = (_annotation(one, offset, end) for one in as_list(block.get("citations")))
    return [annotation for annotation in found if annotation is not None]


def _annotation(citation: Any, start: int, end: int) -> JSON | None:
    if not isinstance(citation, dict):
        return None
    kind = citation.get("type")
    if kind in ("web_search_result_location", "search_result_location"):
        url = citation.get("url", citation.get("source"))
        place = {"start_index": start, "end_index": end, "url": url, "title": citation.get("title")}
        return {"type": "url_citation", "url_citation": place}
    if not isinstance(kind, str) or kind not in _SPANS:
        return None
    name, first, last = _SPANS[kind]
    return {
        "type": name,
        name: {
            "document_index": citation.get("document_index"),
            "document_title": citation.get("document_title"),
            "cited_text": citation.get("cited_text"),
            "start": citation.get(first),
            "end": citation.get(last),
        },
    }


def citation_of(annotation: Any, text: str) -> JSON | None:
    """Return the citation that an annotation of `text` becomes; None where it says too little."""
    kind = annotation.get("type") if isinstance(annotation, dict) else None
    within = annotation.get(kind) if isinstance(kind, str) else None
    if not isinstance(within, dict):
        return None
    if kind == "url_citation":
        return _url_citation(within, text)
    if kind not in _LOCATION_OF:
        return None
    location, first, last = _LOCATION_OF[kind]
    return {
        "type": location,
        "cited_text": text_of(within.get("cited_text")),
        "document_index": _whole(within.get("document_index")),
        "document_title": text_of(within.get("document_title")) or None,
        first: _whole(within.get("start")),
        last: _whole(within.get("end")),
    }


def _url_citation(within: JSON, text: str) -> JSON | None:
    if not isinstance(within.get("url"), str):
        return None
    start, end = _whole(within.get("start_index")), _whole(within.get("end_index"))
    return {
        "type": "web_search_result_location",
        "cited_text": text[start : min(end, start + _MAX_CITED)],
        "encrypted_index": PREFIX,  # required; the mark tells that no search of the API's gave it
        "title": text_of(within.get("title")) or None,
        "url": within["url"],
    }


def _whole(value: Any) -> int:
    is_whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_whole else 0
