"""What an answer rests on: grounding and citations, and the hub's annotations.

Google counts places in bytes of UTF-8, OpenAI in characters.
Source: https://ai.google.dev/api/generate-content#Segment
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmgateway.codecs.generate_content.shape import (
    an_object,
    number,
    objects,
    pick,
    string,
)
from llmgateway.types import JSON


def decode_annotations(candidate: JSON, text: str) -> list[JSON]:
    """Return one `url_citation` for each source of each passage of `text`."""
    grounding = an_object(pick(candidate, "groundingMetadata"))
    found = list(_grounded(grounding, _Places(text)))
    found += _cited(an_object(pick(candidate, "citationMetadata")), _Places(text))
    return found


class _Places:
    """Turns places in bytes into places in characters of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._bytes = text.encode("utf-8", "surrogatepass")

    def span(self, source: JSON) -> tuple[int, int]:
        """Return where a passage starts and ends; its own words show it where places do not."""
        start = self._char(number(pick(source, "startIndex")) or 0)
        end = self._char(number(pick(source, "endIndex")) or 0)
        words = string(source.get("text"))
        if words and self._text[start:end] != words:
            at = self._text.find(words)
            if at >= 0:
                return at, at + len(words)
        return start, max(start, end)

    def _char(self, place: int) -> int:
        return len(self._bytes[: max(place, 0)].decode("utf-8", "ignore"))


def _grounded(grounding: JSON, places: _Places) -> Iterator[JSON]:
    chunks = pick(grounding, "groundingChunks")
    sources = [_source(an_object(chunk)) for chunk in chunks] if isinstance(chunks, list) else []
    supports = objects(pick(grounding, "groundingSupports"))
    for support in supports:
        span = places.span(an_object(support.get("segment")))
        indices = pick(support, "groundingChunkIndices")
        for index in indices if isinstance(indices, list) else []:
            if isinstance(index, int) and 0 <= index < len(sources) and sources[index]:
                yield _citation(sources[index], span)
    if not supports:
        yield from (_citation(source, (0, 0)) for source in sources if source)


def _source(chunk: JSON) -> JSON:
    """Return a chunk's address and title, be it from the web, a store or a map."""
    for kind in ("web", "retrievedContext", "maps", "image"):
        place = an_object(pick(chunk, kind))
        url = string(place.get("uri")) or string(pick(place, "sourceUri"))
        if url:
            return {"url": url, "title": string(place.get("title"))}
    return {}


def _cited(metadata: JSON, places: _Places) -> Iterator[JSON]:
    # The Gemini API says `citationSources`, Vertex AI says `citations`.
    entries = objects(pick(metadata, "citations")) or objects(pick(metadata, "citationSources"))
    for entry in entries:
        if url := string(entry.get("uri")):
            source = {"url": url, "title": string(entry.get("title"))}
            yield _citation(source, places.span(entry))


def _citation(source: JSON, span: tuple[int, int]) -> JSON:
    within = {**source, "start_index": span[0], "end_index": span[1]}
    return {"type": "url_citation", "url_citation": within}


def encode_grounding(annotations: object, text: str) -> JSON:
    """Return the `groundingMetadata` of the hub's annotations; empty if there are none."""
    chunks: dict[str, JSON] = {}
    supports: dict[tuple[int, int], list[int]] = {}
    for annotation in objects(annotations):
        source = an_object(annotation.get("url_citation"))
        url = string(source.get("url"))
        if not url:
            continue
        chunks.setdefault(url, {"web": {"uri": url, "title": string(source.get("title"))}})
        span = (number(source.get("start_index")) or 0, number(source.get("end_index")) or 0)
        indices = supports.setdefault(span, [])
        index = list(chunks).index(url)
        if index not in indices:
            indices.append(index)
    if not chunks:
        return {}
    return {
        "groundingChunks": list(chunks.values()),
        "groundingSupports": [
            {"segment": _segment(text, span), "groundingChunkIndices": indices}
            for span, indices in supports.items()
            if span[1] > span[0]
        ],
    }


def _segment(text: str, span: tuple[int, int]) -> JSON:
    start, end = (max(place, 0) for place in span)
    places: dict[str, Any] = {"endIndex": _length(text[:end]), "text": text[start:end]}
    return {"startIndex": _length(text[:start]), **places} if start else places


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
