"""What rows of OpenAI-compatible providers are made of: endpoints, paths and the usual tweaks.

Nothing here knows a provider; the rows themselves stand in `compatible`, `azure` and their like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from llmgateway.codecs.audio import SPEECH, TRANSCRIPTION
from llmgateway.codecs.base import Format, Framing
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.codecs.responses import RESPONSES
from llmgateway.config.hosts import check_custom_host
from llmgateway.errors import InvalidRequest
from llmgateway.providers.base import Endpoint, Options, Place
from llmgateway.providers.tweaks import MapRole, Rename, Tweak

ENDPOINTS: Mapping[str, tuple[str, Format]] = {
    "chat": ("/chat/completions", CHAT),
    "completions": ("/completions", COMPLETIONS),
    "embeddings": ("/embeddings", EMBEDDINGS),
    "models": ("/models", OPAQUE),
    "images": ("/images/generations", IMAGES),
    "image_edits": ("/images/edits", IMAGES),
    "image_variations": ("/images/variations", IMAGES),
    "speech": ("/audio/speech", SPEECH),
    "transcription": ("/audio/transcriptions", TRANSCRIPTION),
    "translation": ("/audio/translations", TRANSCRIPTION),
    "moderations": ("/moderations", OPAQUE),
    "responses": ("/responses", RESPONSES),
    "files": ("/files", OPAQUE),
    "batches": ("/batches", OPAQUE),
    "fine_tuning": ("/fine_tuning/jobs", OPAQUE),
}
"""By our name of an endpoint: OpenAI's path after `/v1`, and the format that is spoken there."""

SYSTEM_FOR_DEVELOPER = MapRole("developer", "system")
"""Only OpenAI itself knows the role; the others answer an error. Source: the Portkey contract."""
MAX_TOKENS = Rename("max_completion_tokens", "max_tokens")
"""For providers that know the limit of an answer by its older name only.

Source: section 2 of the Portkey contract's providers, where a row links nothing newer.
"""


def openai_compatible(
    *names: str, prefix: str = "", framing: Framing = Framing.SSE
) -> dict[str, Endpoint]:
    """Return endpoints at OpenAI's own paths, below the base URL and `prefix`."""
    return {
        name: Endpoint(prefix + ENDPOINTS[name][0], ENDPOINTS[name][1], framing) for name in names
    }


def placed(path_for: Callable[[str], Callable[[Place], str]], *names: str) -> dict[str, Endpoint]:
    """Return endpoints whose path depends on the request; `path_for` gets OpenAI's own path."""
    return {name: Endpoint(path_for(ENDPOINTS[name][0]), ENDPOINTS[name][1]) for name in names}


def dialect(*chat: Tweak, **others: tuple[Tweak, ...]) -> dict[str, tuple[Tweak, ...]]:
    """Return a row's tweaks: `chat` ones after the change of role that all but OpenAI need."""
    return {"chat": (SYSTEM_FOR_DEVELOPER, *chat), **others}


def url_option(options: Options, name: str) -> str:
    """Return an option that is a base URL, without a trailing slash.

    Raises `InvalidRequest` where it is missing or has not the form of a custom host.
    """
    try:
        return check_custom_host(options.get(name, "")).rstrip("/")
    except InvalidRequest as refusal:
        raise InvalidRequest(refusal.message, param=name) from None
