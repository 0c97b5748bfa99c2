"""Write the parts of the docs that the code knows best: `python docs/generate.py`.

A part stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->` and comes from the
registry that the code itself uses, so a page cannot say anything else. `--check` writes nothing
and names the pages that are out of date.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from llmgateway import errors
from llmgateway.cli.server_file import ServerSection
from llmgateway.engine import headers as crossing
from llmgateway.http import headers, routes
from llmgateway.providers import PLANNED
from llmgateway.settings import Limits, ProviderSettings, Settings
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
    Limits: "table",
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
        return "list of texts"
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


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": lambda: model_table(Settings),
    "provider-settings": lambda: model_table(ProviderSettings),
    "limits": lambda: model_table(Limits),
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
}
"""What can be generated, by the name in the marker."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
