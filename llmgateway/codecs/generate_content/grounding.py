"""What an answer rests on: grounding and citations, and the hub's annotations.

Google counts places in bytes of UTF-8, OpenAI in characters.
Source: https://ai.google.dev/api/generate-content#Segment
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

from llmgateway.codecs.generate_content.shape import (
    an_object,
    number,
    objects,
    pick,
    string,
)
from llmgateway.types import JSON

MAX_SEARCHED: Final = 64 * 1024 * 1024
"""How many characters of an answer may be searched for passages that are not where they should."""
MAX_QUOTED: Final = 4
"""How often over an answer's text is repeated in passages, before they come without their words."""


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
        self._ends = None if text.isascii() else list(accumulate(map(_length, text)))
        """Where each character ends, in bytes."""
        self._searches = MAX_SEARCHED // max(len(text), 1)

    def span(self, source: JSON) -> tuple[int, int]:
        """Return where a passage starts and ends; its own words show it where places do not."""
        start = self._char(number(pick(source, "startIndex")) or 0)
        end = self._char(number(pick(source, "endIndex")) or 0)
        words = string(source.get("text"))
        if words and not (end - start == len(words) and self._text.startswith(words, start)):
            self._searches -= 1
            at = self._text.find(words) if self._searches >= 0 else -1
            if at >= 0:
                return at, at + len(words)
        return start, max(start, end)

    def _char(self, place: int) -> int:
        if self._ends is None:
            return min(max(place, 0), len(self._text))
        return bisect_right(self._ends, place)


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
    numbers: dict[str, int] = {}
    supports: dict[tuple[int, int], dict[int, None]] = {}
    for annotation in objects(annotations):
        source = an_object(annotation.get("url_citation"))
        url = string(source.get("url"))
        if not url:
            continue
        chunks.setdefault(url, {"web": {"uri": url, "title": string(source.get("title"))}})
        span = (number(source.get("start_index")) or 0, number(source.get("end_index")) or 0)
        index = numbers.setdefault(url, len(numbers))
        supports.setdefault(span, {})[index] = None
    if not chunks:
        return {}
    segments = _Segments(text)
    return {
        "groundingChunks": list(chunks.values()),
        "groundingSupports": [
            {"segment": segments.at(span), "groundingChunkIndices": list(indices)}
            for span, indices in supports.items()
            if span[1] > span[0]
        ],
    }


class _Segments:
    """Says where passages of one text are, in bytes, and their words while there is room."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = None if text.isascii() else [0, *accumulate(map(_length, text))]
        self._room = MAX_QUOTED * len(text)

    def at(self, span: tuple[int, int]) -> JSON:
        """Return the segment from one character to another."""
        start, end = (min(max(place, 0), len(self._text)) for place in span)
        places: dict[str, Any] = {"endIndex": self._bytes(end)}
        self._room -= end - start
        if self._room >= 0:
            places["text"] = self._text[start:end]
        return {"startIndex": self._bytes(start), **places} if start else places

    def _bytes(self, place: int) -> int:
        return place if self._starts is None else self._starts[place]


def _length(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
