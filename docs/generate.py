"""Write the parts of the docs that the code knows best: `python docs/generate.py`.

A part stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->` and comes from the
registry that the code itself uses, so a page cannot say anything else. `--check` writes nothing
and names the pages that are out of date.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from llmgateway import errors
from llmgateway.cli.server_file import ServerSection
from llmgateway.codecs.base import Codec, Context
from llmgateway.codecs.generate_content.finish import decode_finish
from llmgateway.codecs.messages.words import FINISH
from llmgateway.engine import headers as crossing
from llmgateway.engine.doors import HUB_CODECS
from llmgateway.guardrails.pii import vendors
from llmgateway.http import headers, routes
from llmgateway.providers import PLANNED, builtin
from llmgateway.settings import Limits, ProviderSettings, Settings, UpstreamTransport
from llmgateway.testing import script_table

DOCS = Path(__file__).parent

_PART = re.compile(
    r"(?P<open><!-- generated: (?P<name>[\w-]+) -->\n).*?(?P<close><!-- end of (?P=name) -->\n)",
    re.DOTALL,
)
_ABSTRACT = (
    errors.GatewayError,
    errors.RequestError,
    errors.TransportError,
    errors.UpstreamError,
    errors.ClientDisconnected,
)
"""Classes that no answer has the status and code of: bases, a provider's own words, a log entry."""
_KINDS: Mapping[Any, str] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    SecretStr: "text",
    Path: "text",
    Limits: "table",
    UpstreamTransport: "table",
}
_UNITS = ((2**20, "MiB"), (2**10, "KiB"))


def main(arguments: Sequence[str]) -> int:
    """Write every page that has generated parts; 1 if `--check` finds one out of date."""
    stale = []
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = fill(before)
        if before == after:
            continue
        stale.append(page.name)
        if "--check" not in arguments:
            page.write_text(after, encoding="utf-8")
    for name in stale:
        print(f"docs/{name}: " + ("out of date" if "--check" in arguments else "written"))
    return 1 if stale and "--check" in arguments else 0


def fill(text: str) -> str:
    """Return a page with its generated parts made anew."""
    return _PART.sub(lambda part: part["open"] + PARTS[part["name"]]() + part["close"], text)


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# ---- models


def model_table(model: type[BaseModel]) -> str:
    """Return the fields of a settings model: name, type, default, meaning."""
    return table(("key", "type", "default", "meaning"), _fields(model))


def _fields(model: type[BaseModel]) -> Iterator[Sequence[str]]:
    docs = field_docs(model)
    for name, field in model.model_fields.items():
        meaning = docs[name]
        yield f"`{name}`", _kind(field.annotation), _default(name, field), meaning


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings that stand under a model's fields, each on one line."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match text:
                case ast.Expr(ast.Constant(str() as words)):
                    found[field.target.id] = " ".join(words.split())
    return found


def _kind(annotation: Any) -> str:
    """Say a type in TOML's words."""
    arguments = [arg for arg in get_args(annotation) if arg not in (type(None), ...)]
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in arguments)
    if origin is tuple:
        return "list" if arguments == [Any] else "list of texts"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "table of texts" if arguments[-1] is SecretStr else "table"
    if origin is not None:
        return " or ".join(_kind(argument) for argument in arguments)
    return _KINDS[annotation]


def _default(name: str, field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value == () or isinstance(value, Mapping | BaseModel):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if "bytes" in name and not name.endswith("_s"):
        return f"`{value}`{_size(value)}"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _size(value: int) -> str:
    for unit, name in _UNITS:
        if value >= unit and value % unit == 0:
            return f" ({value // unit} {name})"
    return ""


# ---- HTTP


def _routes() -> str:
    rows = (*routes.ROUTES, *routes.MODEL_ROUTES.values(), routes.PROXY_ROUTE)
    return table(
        ("path", "methods", "what it is", "body"),
        (
            (
                f"`{route.path}`",
                "any" if route.methods == routes.METHODS else ", ".join(route.methods),
                route.doc,
                _BODIES[route.body],
            )
            for route in rows
        ),
    )


_BODIES: Mapping[routes.Body, str] = {
    routes.Body.NONE: "–",
    routes.Body.JSON: "JSON",
    routes.Body.UPLOAD: "JSON, form or audio",
    routes.Body.ANY: "any",
}


def _planned_routes() -> str:
    return "".join(f"- {what}\n" for _, what in routes.PLANNED)


def _header_table(fields: Mapping[str, str]) -> str:
    return table(
        ("header", "meaning"),
        ((f"`{headers.LLMGATEWAY}{name}`", meaning) for name, meaning in fields.items()),
    )


def _later_headers() -> str:
    later = headers.LATER_HEADERS.items()
    return table(
        ("header", "what it is for"),
        ((f"`{headers.LLMGATEWAY}{name}`", what) for name, what in later),
    )


def _names(fields: Iterable[bytes]) -> str:
    return ", ".join(f"`{name.decode('ascii')}`" for name in sorted(fields)) + ".\n"


def _errors() -> str:
    return table(("status", "`type`", "`code`", "meaning"), _error_rows())


def _error_rows() -> Iterator[Sequence[str]]:
    seen = set()
    for kind in sorted(_kinds_of(errors.GatewayError), key=lambda kind: kind.status):
        row = (kind.status, kind.code)
        if kind not in _ABSTRACT and not kind.__name__.startswith("_") and row not in seen:
            seen.add(row)
            code = "null" if kind.code is None else f"`{kind.code}`"
            yield str(kind.status), f"`{kind.type}`", code, _first_line(kind)


def _kinds_of(kind: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    """Yield the class and all below it, in the order of the file."""
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds_of(child)


def _first_line(kind: type[errors.GatewayError]) -> str:
    words = (inspect.getdoc(kind) or "").partition("\n\n")[0].replace("\n", " ")
    # What is said of a class's attributes is for readers of the code.
    return words.partition("; `")[0].removesuffix(".") + "."


# ---- translation

MODELS = (
    ("anthropic", "claude-opus-5"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-3-flash-preview"),
    ("google", "gemini-2.5-flash"),
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-4o"),
)
"""A newer and an older model of each provider that a translated call can reach."""
_FUNCTION: Mapping[str, Any] = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {}}},
}
_OFFERED: Mapping[str, Any] = {"tools": [_FUNCTION]}
_NAMED: Mapping[str, Any] = {"type": "function", "function": {"name": "f"}}
_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
_SERVER: Mapping[str, Any] = {"server_label": "docs", "server_url": "https://mcp.example.com"}
_ALLOWED: Mapping[str, Any] = {"mode": "auto", "tools": [_NAMED]}


def _part(**part: Any) -> Mapping[str, Any]:
    """Return a request whose user says nothing but one part."""
    return {"messages": [{"role": "user", "content": [part]}]}


SAMPLES: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "`temperature`": ({"temperature": 0.5}, {}),
    "`top_p`": ({"top_p": 0.5}, {}),
    "`top_k`": ({"top_k": 5}, {}),
    "`frequency_penalty`": ({"frequency_penalty": 0.5}, {}),
    "`presence_penalty`": ({"presence_penalty": 0.5}, {}),
    "`seed`": ({"seed": 7}, {}),
    "`max_tokens`, `max_completion_tokens`": ({"max_tokens": 900}, {}),
    "`stop`": ({"stop": ["END"]}, {}),
    "`n`": ({"n": 2}, {}),
    "`logprobs`": ({"logprobs": True}, {}),
    "`top_logprobs`": ({"top_logprobs": 2}, {"logprobs": True}),
    "`logit_bias`": ({"logit_bias": {"5": 1}}, {}),
    "`reasoning_effort`": ({"reasoning_effort": "low"}, {"max_tokens": 4000}),
    "`reasoning_effort: none`": ({"reasoning_effort": "none"}, {"max_tokens": 4000}),
    "`thinking` with a budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"max_tokens": 4000},
    ),
    "`response_format`: `json_object`": ({"response_format": {"type": "json_object"}}, {}),
    "`response_format`: `json_schema`": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": _SCHEMA},
            }
        },
        {},
    ),
    "`tools`: functions": (_OFFERED, {}),
    "`tools`: `web_search`, `web_search_options`": ({"tools": [{"type": "web_search"}]}, {}),
    "`tools`: `code_execution`": ({"tools": [{"type": "code_execution"}]}, {}),
    "`tools`: `mcp`": ({"tools": [{"type": "mcp", "options": _SERVER}]}, {}),
    "`tools`: `web_search` beside functions": (
        {"tools": [_FUNCTION, {"type": "web_search"}]},
        _OFFERED,
    ),
    "`tool_choice`: a word": ({"tool_choice": "required"}, _OFFERED),
    "`tool_choice`: a function": ({"tool_choice": _NAMED}, _OFFERED),
    "`tool_choice`: `allowed_tools`": (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": _ALLOWED}},
        {"tools": [_FUNCTION, {**_FUNCTION, "function": {"name": "g"}}]},
    ),
    "`parallel_tool_calls: false`": ({"parallel_tool_calls": False}, _OFFERED),
    "`user`": ({"user": "u-1"}, {}),
    "`safety_identifier`": ({"safety_identifier": "u-1"}, {}),
    "`metadata`": ({"metadata": {"plan": "paid"}}, {}),
    "`service_tier: flex`": ({"service_tier": "flex"}, {}),
    "`store: true`": ({"store": True}, {}),
    "`verbosity`": ({"verbosity": "low"}, {}),
    "`prediction`": ({"prediction": {"type": "content", "content": "x"}}, {}),
    "`prompt_cache_key`": ({"prompt_cache_key": "k"}, {}),
    "`modalities`: audio": ({"modalities": ["text", "audio"]}, {}),
    "pictures": (_part(type="image_url", image_url={"url": "https://example.com/a.png"}), {}),
    "sound": (_part(type="input_audio", input_audio={"data": "AAAA", "format": "wav"}), {}),
    "PDFs": (_part(type="file", file={"file_data": "data:application/pdf;base64,AAAA"}), {}),
    "PDFs by address": (
        _part(
            type="file",
            file={"file_url": "https://example.com/a.pdf", "mime_type": "application/pdf"},
        ),
        {},
    ),
}
"""By what a table calls it: members of a hub request, and those that they need beside them."""
EMBEDDINGS: Mapping[str, Mapping[str, Any]] = {
    "several texts": {"input": ["a", "b"]},
    "`dimensions`": {"dimensions": 256},
    "`user`": {"user": "u-1"},
}
_HI: Mapping[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}


def fate(codec: Codec, model: Context, asked: Mapping[str, Any], without: Mapping[str, Any]) -> str:
    """Say what a codec makes of a request's members: `yes`, `adjusted`, `dropped` or `nothing`.

    `nothing` is what must not be: left out without a word.
    """
    encoded = codec.encode_request({**without, **asked}, model)
    if encoded.dropped:
        return "dropped"
    if encoded.adjusted:
        return "adjusted"
    return "nothing" if encoded == codec.encode_request(dict(without), model) else "yes"


def _codec(provider: str, endpoint: str) -> Codec:
    return builtin()[provider].endpoints[endpoint].codec or HUB_CODECS[endpoint]


def _context(provider: str, model: str) -> Context:
    return Context(model, capabilities=builtin()[provider].capabilities_for(model))


def chat_rows() -> Iterator[Sequence[str]]:
    """Yield what becomes of each parameter of a chat at each model."""
    for label, (asked, beside) in SAMPLES.items():
        yield (
            label,
            *(
                fate(_codec(name, "chat"), _context(name, model), asked, {**_HI, **beside})
                for name, model in MODELS
            ),
        )


def embeddings_rows() -> Iterator[Sequence[str]]:
    """Yield what becomes of each parameter of an embedding."""
    context = _context("google", "gemini-embedding-001")
    for label, asked in EMBEDDINGS.items():
        yield label, fate(_codec("google", "embeddings"), context, asked, {"input": "a"})


def _chat_matrix() -> str:
    return table(("parameter", *(f"{name} `{model}`" for name, model in MODELS)), chat_rows())


def losses() -> list[Any]:
    """Return what crossings cannot carry: the rows that tests prove."""
    rows: list[Any] = json.loads((DOCS / "losses.json").read_text(encoding="utf-8"))
    return rows


def _losses(door: str) -> str:
    rows = [row for row in losses() if row["door"] == door]
    providers = sorted({name for row in rows for name in row["lost"]})
    return table(
        ("what a caller says", *(f"at {name}" for name in providers)),
        ((row["what"], *(_lost(row["lost"].get(name)) for name in providers)) for row in rows),
    )


def _lost(fate: Mapping[str, Sequence[str]] | None) -> str:
    if fate is None:
        return "–"
    told = [f"{what}: `{name}`" for what, names in fate.items() for name in names]
    return ", ".join(told) or "carried"


_GOOGLES_REASONS = (
    "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT",
    "SPII", "MALFORMED_FUNCTION_CALL", "OTHER",
)  # fmt: skip


def _finish_reasons() -> str:
    words: dict[str, tuple[list[str], list[str]]] = {}
    for reason, finish in FINISH.items():
        words.setdefault(finish, ([], []))[0].append(f"`{reason}`")
    for name in _GOOGLES_REASONS:
        finish = decode_finish(name, has_calls=False)
        words.setdefault(finish, ([], []))[1].append(f"`{name}`")
    words["tool_calls"][1].append("any `STOP` with calls")
    return table(
        ("`finish_reason`", "Anthropic's", "Google's"),
        ((f"`{finish}`", *map(", ".join, both)) for finish, both in words.items()),
    )


# ---- guardrails


def _checks(part: str) -> str:
    # Late: tests load this file from elsewhere, where its neighbour is not found.
    made: str = getattr(import_module("check_sections"), part)(table)
    return made


def _secret_vendors() -> str:
    shaped = {row.name for row in vendors.VENDORS}
    named = shaped | {row.name for row in vendors.CONTEXTS} | {"private-key"}
    return ", ".join(f"`{name}`" for name in sorted(named)) + ".\n"


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": lambda: model_table(Settings),
    "provider-settings": lambda: model_table(ProviderSettings),
    "limits": lambda: model_table(Limits),
    "upstream-transport": lambda: model_table(UpstreamTransport),
    "server": lambda: model_table(ServerSection),
    "routes": _routes,
    "planned-routes": _planned_routes,
    "request-headers": lambda: _header_table(headers.REQUEST_HEADERS),
    "later-headers": _later_headers,
    "response-headers": lambda: _header_table(headers.RESPONSE_HEADERS),
    "errors": _errors,
    "passed-up": lambda: _names(crossing.PASSED_UP),
    "never-up": lambda: _names(
        {*crossing.NEVER_UP, *(prefix + b"*" for prefix in crossing.NEVER_UP_PREFIXES)}
    ),
    "passed-down": lambda: _names(crossing.PASSED_DOWN),
    "never-down": lambda: _names(crossing.NEVER_DOWN),
    "planned-providers": lambda: ", ".join(f"`{name}`" for name in sorted(PLANNED)) + ".\n",
    "scripts": lambda: script_table() + "\n",
    "chat-matrix": _chat_matrix,
    "embeddings-matrix": lambda: table(
        ("parameter", "google `gemini-embedding-001`"), embeddings_rows()
    ),
    "losses-messages": lambda: _losses("messages"),
    "losses-responses": lambda: _losses("responses"),
    "losses-generate-content": lambda: _losses("generate_content"),
    "losses-chat": lambda: _losses("chat"),
    "finish-reasons": _finish_reasons,
    "check-table": lambda: _checks("overview"),
    "checks": lambda: _checks("sections"),
    "secret-vendors": _secret_vendors,
}
"""What can be generated, by the name in the marker."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
