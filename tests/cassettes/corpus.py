"""The recordings, and the tool that serves them; both lie beside the project, not in it."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from llmgateway.providers import Provider, builtin

SHARED = Path(__file__).resolve().parents[2] / "../shared"
TOOL = SHARED / "tools" / "replay_upstream.py"

ROWS = {
    "alibaba": "dashscope",
    "azure": "azure-openai",
    "mistral": "mistral-ai",
    "perplexity": "perplexity-ai",
    "together": "together-ai",
    "xai": "x-ai",
    "zai": "z-ai",
}
"""Our row of a recorded provider, where the names differ."""

GENERIC = "openai"
"""Whoever has no row and speaks OpenAI's format is called as this one with a custom host."""

GENERIC_APIS = {"chat_completions": "chat", "openai_chat": "chat", "responses": "responses"}
"""The recorder's names of the formats in which it can be called, and our endpoints."""

OTHER_FORMATS = {"anthropic", "bedrock", "cohere", "deepgram", "gemini", "vertex"}
"""Providers with formats of their own, whose rows translate; here they count as without a row."""

LATER_APIS = {"messages", "realtime_ws"}
"""Formats whose doors come in later versions, also at providers that have a row."""

ENDPOINTS = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/embeddings": "embeddings",
    "/responses": "responses",
    "/images/generations": "images",
    "/images/edits": "image_edits",
    "/audio/speech": "speech",
    "/audio/transcriptions": "transcription",
    "/moderations": "moderations",
    "/models": "models",
    "/files": "files",
    "/batches": "batches",
    "/fine_tuning/jobs": "fine_tuning",
}
"""OpenAI's paths, written apart from the rows, and our names of what is there."""

_PATHS = "|".join(rf"(?<!/chat){path}" if path == "/completions" else path for path in ENDPOINTS)
_TAIL = re.compile(f".*(?P<path>{_PATHS})(?P<suffix>/.*)?$")
_API = re.compile(r'"api":\s*"([^"]+)"')
_HEAD = 1000
_DEPLOYMENT = re.compile(r"/deployments/([^/]+)/")


@dataclass(frozen=True)
class Exchange:
    """One recording, and how a client of the gateway asks for it."""

    case: Any
    """A `Case` of the tool."""
    row: Provider
    endpoint: str
    """Our name; `proxy` where the row does not serve the path by a name."""
    suffix: str
    """What follows the endpoint's own path."""
    is_hosted: bool
    """Whether the client names the host, for want of a row or of the path in it."""

    @property
    def id(self) -> str:
        """The recording's id."""
        return str(self.case.id)

    @property
    def provider(self) -> str:
        """Who answered, as the recordings call it."""
        return str(self.case.provider)

    @property
    def recorded_path(self) -> str:
        """The path on which the provider was called."""
        return urlsplit(str(self.case.request["url"])).path

    @property
    def url(self) -> str:
        """Path and query on the gateway."""
        url = urlsplit(str(self.case.request["url"]))
        query = {k: v for k, v in parse_qs(url.query).items() if k != "api-version"}
        asked = f"?{urlencode(query, doseq=True)}" if query else ""
        if self.endpoint == "proxy":
            return f"/v1/proxy{url.path}{asked}"
        return f"/v1{self.openai_path}{self.suffix}{asked}"

    @property
    def openai_path(self) -> str:
        """OpenAI's own path of the endpoint; `proxy` has none."""
        return next(path for path, name in ENDPOINTS.items() if name == self.endpoint)

    @property
    def is_at_generic_path(self) -> bool:
        """Whether it is called at OpenAI's path, for want of a row that knows the provider's."""
        return self.is_hosted and self.endpoint != "proxy"

    @property
    def method(self) -> str:
        """The request's method."""
        return str(self.case.request["method"])

    @property
    def request(self) -> dict[str, Any] | None:
        """The JSON body that is sent; made up where the recording has none."""
        recorded = self.case.request["body"]
        if self.case.request["body_encoding"] == "json":
            assert isinstance(recorded, dict)
            return recorded
        if self.case.request["body_encoding"] != "none" or self.method == "GET":
            return None
        made: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
        return {**made, "stream": True} if self.case.stream else made

    @property
    def body(self) -> bytes:
        """The body that is sent."""
        if self.request is not None:
            return json.dumps(self.request, ensure_ascii=False).encode()
        return base64.b64decode(self.case.request["body"] or "")

    @property
    def headers(self) -> dict[str, str]:
        """The head that is sent, but for who asks and where to."""
        recorded: dict[str, str] = self.case.request["headers"]
        passed = ("content-type", "accept", "openai-beta")
        found = {name: value for name, value in recorded.items() if name in passed}
        if self.request is not None:
            found["content-type"] = "application/json"
        deployment = _DEPLOYMENT.search(self.recorded_path)
        if deployment is not None:
            found["x-llmgateway-azure-deployment-id"] = deployment[1]
        if "/openai/v1/" in self.recorded_path:
            found["x-llmgateway-azure-api-version"] = "v1"
        return found

    @property
    def status(self) -> int:
        """The recorded status."""
        return int(self.case.response["status"])

    @property
    def raw(self) -> bytes:
        """The recorded body."""
        return bytes(self.case.payload())

    @property
    def is_text(self) -> bool:
        """Whether the recorded body is text of some kind."""
        return bool(self.case.wire != "binary" and self.endpoint != "speech")

    @property
    def is_stream(self) -> bool:
        """Whether a stream of events was answered."""
        return bool(self.case.wire == "sse")


@cache
def tool() -> Any:
    """Return the replay tool as a module; `Any`, since it is no part of the project."""
    spec = importlib.util.spec_from_file_location("replay_upstream", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclasses look for their annotations
    spec.loader.exec_module(module)
    # Many small pieces; without this each of them would wait for the last one's acknowledgement.
    module.Handler.disable_nagle_algorithm = True
    return module


@cache
def corpus() -> Any:
    """Return all recordings, by id in `cases`."""
    found = tool().Corpus([SHARED / "cassettes"])
    for case in found.cases.values():
        if case.wire == "sse":
            # One recorder has lost it; without it nobody could tell a stream.
            case.response["headers"].setdefault("content-type", "text/event-stream")
    return found


@cache
def exchanges() -> tuple[Exchange, ...]:
    """Return the recordings that the gateway can be asked for; none where they are absent."""
    if not TOOL.is_file():
        return ()
    found = (_exchange(case) for case in corpus().cases.values())
    return tuple(exchange for exchange in found if exchange is not None)


def _exchange(case: Any) -> Exchange | None:
    path = urlsplit(case.request["url"]).path
    api = _api(case.id)
    if api in LATER_APIS:
        return None
    row = builtin().get(_row_name(case.provider, path))
    if row is None or case.provider in OTHER_FORMATS:
        if api not in GENERIC_APIS:
            return None
        return Exchange(case, builtin()[GENERIC], GENERIC_APIS[api], "", is_hosted=True)
    tail = _TAIL.fullmatch(path)
    if tail is not None and ENDPOINTS[tail["path"]] in row.endpoints:
        return Exchange(case, row, ENDPOINTS[tail["path"]], tail["suffix"] or "", is_hosted=False)
    return Exchange(case, row, "proxy", "", is_hosted=True)


def _api(case_id: str) -> str:
    """Return the recorder's name of the operation, which the tool leaves out."""
    with (SHARED / "cassettes" / f"{case_id}.json").open(encoding="utf-8") as file:
        found = _API.search(file.read(_HEAD))
    assert found is not None, f"{case_id}.json names no api among its first fields"
    return found[1]


def _row_name(provider: str, path: str) -> str:
    if path.startswith("/models/") and provider == "azure":
        return "azure-ai"
    return ROWS.get(provider, provider)


def params(wanted: Callable[[Exchange], bool] = lambda _: True) -> list[Any]:
    """Return recordings as test parameters, or one that says why there are none."""
    chosen = [pytest.param(found, id=found.id) for found in exchanges() if wanted(found)]
    absent = pytest.mark.skip(reason="no recordings: ../shared is not beside the project")
    return chosen or [pytest.param(None, marks=absent, id="absent")]
