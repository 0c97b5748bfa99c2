"""Pictures, sound, video and documents: the hub's parts and `inlineData` or `fileData`.

Source: https://ai.google.dev/gemini-api/docs/file-input-methods
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from llmgateway.codecs.generate_content.shape import an_object, pick, string
from llmgateway.errors import InvalidRequest
from llmgateway.types import JSON

FILES: Final = "https://generativelanguage.googleapis.com/v1beta/"
"""Where the names of uploaded files (`files/…`) stand, as the API itself spells them."""

_DATA_URL: Final = re.compile(r"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)
_MIME_BY_ENDING: Final = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp",
    "gif": "image/gif", "heic": "image/heic", "heif": "image/heif", "bmp": "image/bmp",
    "pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv",
    "html": "text/html", "xml": "text/xml", "json": "application/json",
    "mp3": "audio/mp3", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg",
    "aac": "audio/aac", "aiff": "audio/aiff", "m4a": "audio/m4a",
    "mp4": "video/mp4", "mpeg": "video/mpeg", "mov": "video/mov", "webm": "video/webm",
    "avi": "video/avi", "wmv": "video/wmv", "flv": "video/x-flv", "3gp": "video/3gpp",
}  # fmt: skip
_VIDEO_HOSTS: Final = frozenset({"youtube.com", "www.youtube.com", "youtu.be", "m.youtube.com"})
"""Addresses of pages, not of files: they come without a type."""
_SOUND_FORMATS: Final = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}


def encode_media(part: JSON) -> JSON | None:
    """Return a hub part as the API takes it, or None for a kind that it has no place for.

    Raises `InvalidRequest` for a part that says too little.
    """
    write = _WRITERS.get(string(part.get("type")))
    return None if write is None else write(part)


def _text(part: JSON) -> JSON:
    return {"text": string(part.get("text")) or string(part.get("refusal"))}


def _picture(part: JSON) -> JSON:
    return _located(part.get("image_url"), string(part.get("mime_type")), "image/jpeg")


def _video(part: JSON) -> JSON:
    return _located(part.get("video_url"), string(part.get("mime_type")), "video/mp4")


def _located(place: object, mime: str, default: str) -> JSON:
    within = an_object(place)
    url = place if isinstance(place, str) else string(within.get("url"))
    return by_url(url, mime or string(within.get("mime_type")), default)


def _sound(part: JSON) -> JSON:
    sound = an_object(part.get("input_audio"))
    data = _needed(string(sound.get("data")), "input_audio.data")
    kind = string(sound.get("format")) or "wav"
    return _inline(f"audio/{kind.removeprefix('audio/')}", data)


def _file(part: JSON) -> JSON:
    file = {**part, **an_object(part.get("file"))}
    mime, name = string(file.get("mime_type")), string(file.get("filename"))
    mime = mime or _MIME_BY_ENDING.get(_ending(name), "")
    data, url = string(file.get("file_data")), string(file.get("file_url"))
    if data.startswith("data:") or url:
        return by_url(data or url, mime, "application/pdf")
    if data:
        return _inline(mime or "application/pdf", data)
    return _uploaded(_needed(string(file.get("file_id")), "file"), mime)


def _uploaded(file_id: str, mime: str) -> JSON:
    if file_id.startswith("files/"):
        file_id = FILES + file_id
    if "://" not in file_id:
        raise InvalidRequest(
            "A file's id must be one that this provider gave, such as `files/…`; "
            "or send the file itself as `file_data`.",
            param="messages",
        )
    return {"fileData": {**({"mimeType": mime} if mime else {}), "fileUri": file_id}}


_WRITERS: Final[dict[str, Callable[[JSON], JSON]]] = {
    "text": _text,
    "refusal": _text,
    "image_url": _picture,
    "video_url": _video,
    "input_audio": _sound,
    "file": _file,
}


def by_url(url: str, mime: str, default: str) -> JSON:
    """Return what a data URL holds, or the address of what lies elsewhere."""
    found = _DATA_URL.match(url)
    if found is not None:
        data = url[found.end() :]
        if not found[2].lower().endswith(";base64"):
            raise InvalidRequest("A data URL must hold base64 data.", param="messages")
        return _inline(mime or found[1].lower() or default, data)
    parts = _split(_needed(url, "url"))
    if parts.hostname in _VIDEO_HOSTS:
        return {"fileData": {"fileUri": url}}
    mime = mime or _MIME_BY_ENDING.get(_ending(parts.path), default)
    return {"fileData": {"mimeType": mime, "fileUri": url}}


def _split(url: str) -> Any:
    try:
        return urlsplit(url)
    except ValueError:
        raise InvalidRequest("A URL in `messages` cannot be read.", param="messages") from None


def _inline(mime: str, data: str) -> JSON:
    return {"inlineData": {"mimeType": mime, "data": data}}


def _needed(value: str, what: str) -> str:
    if not value:
        raise InvalidRequest(f"A part of `messages` lacks its `{what}`.", param="messages")
    return value


def _ending(path: str) -> str:
    return path.rpartition(".")[2].lower() if "." in path else ""


# ---- the other way


def decode_media(part: JSON) -> JSON | None:
    """Return a part with `inlineData` or `fileData` as the hub has it, or None for another."""
    inline = pick(part, "inlineData")
    if isinstance(inline, dict):
        return _from_inline(inline)
    located = pick(part, "fileData")
    return _from_file(located) if isinstance(located, dict) else None


def data_url(blob: JSON) -> str:
    """Return inline data as a data URL; data in the URL-safe alphabet gets the usual one."""
    mime = string(pick(blob, "mimeType")) or "application/octet-stream"
    return f"data:{mime};base64,{_usual(string(blob.get('data')))}"


def _usual(data: str) -> str:
    data = data.replace("-", "+").replace("_", "/")
    return data + "=" * (-len(data) % 4)


def _from_inline(blob: JSON) -> JSON:
    family, _, kind = string(pick(blob, "mimeType")).partition("/")
    if family == "image":
        return {"type": "image_url", "image_url": {"url": data_url(blob)}}
    if family == "audio":
        sound = {"data": _usual(string(blob.get("data"))), "format": _SOUND_FORMATS.get(kind, kind)}
        return {"type": "input_audio", "input_audio": sound}
    return {"type": "file", "file": {"file_data": data_url(blob), **_names(blob)}}


def _from_file(file: JSON) -> JSON:
    mime, url = string(pick(file, "mimeType")), string(pick(file, "fileUri"))
    if mime.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"file_url": url, **_names(file)}}


def _names(source: JSON) -> JSON:
    """Return the type and the name, where they are stated."""
    members = {"mime_type": pick(source, "mimeType"), "filename": pick(source, "displayName")}
    return {key: value for key, value in members.items() if isinstance(value, str) and value}
