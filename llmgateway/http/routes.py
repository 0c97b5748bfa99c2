"""The table of routes: what a path is called inside, what body it takes, who may use it.

Code, tests and docs read this one table. A path that it does not name is proxied if it is below
`/v1/`, else not found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote

from llmgateway.errors import MethodNotAllowed, NotFound

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""What any route may be asked with; OPTIONS and the rest are 405."""


WRITE = "completions.write"
LIST = "models.list"
"""Scopes by the names that Portkey's keys have them."""


class Body(Enum):
    """What a route does with a request body."""

    NONE = "none"
    JSON = "json"
    """One JSON object, read whole."""
    UPLOAD = "upload"
    """Streamed to the provider; a JSON body is read as one."""
    ANY = "any"
    """As `UPLOAD`, and the content type is the provider's affair."""


class Access(Enum):
    """Who may use a route."""

    CALLER = "caller"
    """Whom the setting `access` admits."""
    ANYONE = "anyone"


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table."""

    methods: tuple[str, ...]
    path: str
    """A trailing `{path}` stands for one or more segments."""
    endpoint: str
    doc: str
    base: str = ""
    """The part of the path that the provider's own endpoint path replaces; "": all of it."""
    body: Body = Body.NONE
    access: Access = Access.CALLER
    scope: str = WRITE
    """What a caller that is limited to scopes needs."""


@dataclass(frozen=True, slots=True)
class Matched:
    """A route, and what of the path follows the endpoint's own part."""

    route: Route
    suffix: str
    params: Mapping[str, str] = field(default_factory=dict)
    """What a door has in the path: `model` and `operation`."""


def _post(path: str, endpoint: str, doc: str, body: Body = Body.JSON) -> Route:
    return Route(("POST",), path, endpoint, doc, body=body)


ROUTES: tuple[Route, ...] = (
    Route(("GET", "HEAD"), "/", "root", "A word of greeting.", access=Access.ANYONE),
    Route(("GET", "HEAD"), "/healthz", "health", "200 while it serves.", access=Access.ANYONE),
    _post("/v1/chat/completions", "chat", "Chat completions, streamed or not."),
    _post("/v1/completions", "completions", "Legacy text completions."),
    _post("/v1/embeddings", "embeddings", "Embeddings."),
    _post("/v1/moderations", "moderations", "Moderation."),
    _post("/v1/images/generations", "images", "Image generation."),
    _post("/v1/images/edits", "image_edits", "Image edits.", Body.UPLOAD),
    _post("/v1/images/variations", "image_variations", "Image variations.", Body.UPLOAD),
    _post("/v1/audio/speech", "speech", "Text to speech; the answer is binary."),
    _post("/v1/audio/transcriptions", "transcription", "Speech to text.", Body.UPLOAD),
    _post("/v1/audio/translations", "translation", "Speech to English text.", Body.UPLOAD),
    _post("/v1/responses", "responses", "The Responses API, streamed or not."),
    _post("/v1/messages", "messages", "Anthropic's Messages API, streamed or not."),
    _post("/v1/messages/count_tokens", "count_tokens", "Its count of tokens."),
    Route(
        ("GET", "POST", "DELETE"), "/v1/responses/{path}", "responses",
        "One response: retrieve, delete, cancel, input items.",
        base="/v1/responses", body=Body.UPLOAD,
    ),
    Route(("GET",), "/v1/models", "models", "The provider's models, or all configured ones.",
        scope=LIST,
    ),
    Route(
        ("GET",), "/v1/models/{path}", "models", "One model.", base="/v1/models", scope=LIST,
    ),
    Route(
        ("DELETE",), "/v1/models/{path}", "models", "Delete a fine-tuned one.", base="/v1/models",
    ),
    Route(("GET", "POST"), "/v1/files", "files", "List and upload files.", body=Body.UPLOAD),
    Route(
        ("GET", "DELETE"), "/v1/files/{path}", "files", "One file, or its content.",
        base="/v1/files",
    ),
    Route(("GET", "POST"), "/v1/batches", "batches", "List and create batches.", body=Body.JSON),
    Route(
        ("GET", "POST"), "/v1/batches/{path}", "batches", "One batch: retrieve, cancel.",
        base="/v1/batches", body=Body.UPLOAD,
    ),
    Route(
        ("GET", "POST"), "/v1/fine_tuning/jobs", "fine_tuning", "List and create jobs.",
        body=Body.JSON,
    ),
    Route(
        ("GET", "POST"), "/v1/fine_tuning/jobs/{path}", "fine_tuning",
        "One job: retrieve, cancel, events, checkpoints.",
        base="/v1/fine_tuning/jobs", body=Body.UPLOAD,
    ),
)  # fmt: skip
"""Everything with a name of its own, in the order of the docs."""

MODEL_ROUTES: Mapping[str, Route] = {
    operation: _post(f"/v1beta/models/{{model}}:{operation}", endpoint, doc)
    for operation, endpoint, doc in (
        ("generateContent", "generate_content", "Gemini's API."),
        (
            "streamGenerateContent",
            "generate_content",
            "Streamed: events with `alt=sse`, else one JSON array.",
        ),
        ("countTokens", "generate_content_count_tokens", "Its count of tokens."),
        ("embedContent", "embed_content", "Its embedding of one content."),
        ("batchEmbedContents", "embed_content", "Its embeddings of several."),
    )
}
"""Gemini's paths, by operation; served below `/v1/` as well. The model is everything before the
last colon, plain slashes included."""

PROXY_ROUTE = Route(
    METHODS, "/v1/{path}", "proxy", "Any other path: passed on to the provider as it is.",
    base="/v1", body=Body.ANY,
)  # fmt: skip

PLANNED: tuple[tuple[str, str], ...] = (
    (r"/v1/messages/.+", "The rest of Anthropic's API"),
    (r"/v1/realtime", "The realtime API"),
    (r"/v1/prompts(/.*)?", "The API of saved prompts"),
    (r"/v1/batches/[^/]+/output", "The output of a batch as rows"),
    (r"/v1beta/.*", "The rest of Gemini's API"),
)
"""Paths that a later version serves; until then they are not found, and say so."""

_EXACT = {(method, r.path): Matched(r, "") for r in ROUTES if not r.base for method in r.methods}
_BELOW = tuple((route.base + "/", route) for route in ROUTES if route.base)
_PLANNED = tuple((re.compile(pattern), what) for pattern, what in PLANNED)
# Named one by one: ids of fine-tuned models (`ft:gpt-4o:acme::id`) have colons too.
_MODEL_PATH = re.compile(
    rf"/v1(?:beta)?/models/(?P<model>.+):(?P<operation>{'|'.join(MODEL_ROUTES)})"
)
_UNSAFE = re.compile(
    r"//|/\.{1,2}(?:/|$)|%(?:2e|2f|5c|0[0-9a-f]|1[0-9a-f]|7f)|%(?![0-9a-f]{2})|[^\x21-\x7e]|[;\\#?]",
    re.IGNORECASE,
)
"""What could make a path mean another one to the provider: never passed on (S12)."""


def match(method: str, path: str) -> Matched:
    """Find the route of a request; `path` is percent-encoded, without the mount prefix.

    Raises `NotFound` and `MethodNotAllowed`.
    """
    exact = _EXACT.get((method, path))
    if exact is not None:
        return exact
    if not path.startswith("/") or _UNSAFE.search(path):
        raise NotFound("No such path.")
    if method not in METHODS:
        raise MethodNotAllowed(f"Use one of {', '.join(METHODS)}.", METHODS)
    named = _MODEL_PATH.fullmatch(path)
    if named and method == "POST":
        params = {"model": unquote(named["model"]), "operation": named["operation"]}
        return Matched(MODEL_ROUTES[named["operation"]], "", params)
    for pattern, what in _PLANNED:
        if pattern.fullmatch(path):
            raise NotFound(f"{what} is not available in this version yet.")
    for prefix, route in _BELOW:
        if path.startswith(prefix) and method in route.methods:
            return Matched(route, path[len(route.base) :])
    if (method, path.removesuffix("/")) in _EXACT:
        raise NotFound("No such path; leave out the slash at its end.")
    if path.startswith("/v1/v1/"):
        raise NotFound("No such path: /v1 is there twice; the client's base URL has it already.")
    if path.startswith("/v1/") and len(path) > len("/v1/"):
        return Matched(PROXY_ROUTE, _proxy_suffix(path))
    allow = [known for known, whole in _EXACT if whole == path]
    if allow:
        raise MethodNotAllowed(f"Use {' or '.join(allow)} here.", allow)
    raise NotFound("No such path; the API is below /v1/, so a client's base URL ends in /v1.")


def _proxy_suffix(path: str) -> str:
    """Return what is appended to the provider's base URL.

    Source: Portkey's proxy, which removes `/v1/proxy` or else `/v1`.
    """
    base = "/v1/proxy" if path.startswith("/v1/proxy/") else "/v1"
    return path[len(base) :]
