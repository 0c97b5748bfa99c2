"""Importing the package is cheap, and hardly any import hides inside a function."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.guards.tree import PRODUCT, ROOT, name, python_files, syntax

NOT_AT_IMPORT = {
    "cryptography",
    "django",
    "fastapi",
    "flask",
    "httpcore",
    "httpx",
    "re2",
    "starlette",
    "uvicorn",
    "uvloop",
    "werkzeug",
}

MAX_HIDDEN_IMPORTS = 20

HIDDEN_IMPORTS: dict[str, str] = {
    "llmgateway/transport/choice.py:llmgateway.transport.httpx_transport": (
        "httpcore takes long to import, and a host may bring a transport of its own"
    ),
    "llmgateway/transport/choice.py:llmgateway.transport.proxy": "httpcore takes long to import",
    "llmgateway/transport/httpx_transport.py:llmgateway.transport.http2": "it needs h2, an extra",
    "llmgateway/transport/decoding.py:brotli": "optional, for what no provider was asked to send",
    "llmgateway/transport/tls.py:certifi": "a list for the few machines that trust nobody",
    "llmgateway/config/patterns.py:re2": "optional, and wanted only by configs with a $regex",
    "llmgateway/guardrails/regexp.py:re2": "optional, and wanted only by checks with a pattern",
    "llmgateway/guardrails/schemas.py:jsonschema": "optional, for checks that have a schema",
    "llmgateway/guardrails/schemas.py:referencing": "it comes with jsonschema",
    "llmgateway/guardrails/tokens.py:jwt": "optional, for the check of that name",
    "llmgateway/guardrails/language.py:lingua": "optional, and takes 70 MB of memory",
    "llmgateway/guardrails/pii/phones.py:phonenumbers": "optional, for checks of personal data",
    "llmgateway/guardrails/pii/recognise.py:presidio_analyzer": (
        "optional, and loads models for whoever asks for names"
    ),
    "llmgateway/engine/room.py:llmgateway.engine.asking": (
        "all that guards calls takes a tenth of a start, and most gateways have no guardrails"
    ),
    "integrations/llmgateway_django/late.py:llmgateway_django.gateway": (
        "it has models, which load only once the project's asgi.py has set Django up"
    ),
    "llmgateway/cli/__init__.py:llmgateway.cli.check": "loads all that reads configs",
    "llmgateway/cli/__init__.py:llmgateway.cli.keys": "loads the engine's authorization",
    "llmgateway/cli/__init__.py:llmgateway.cli.serve": "loads the whole gateway, collector at rest",
    "llmgateway/cli/server.py:llmgateway.cli.demo": "the fake provider, for the demo alone",
    "llmgateway/cli/serve.py:llmgateway.cli.server": (
        "uvicorn is optional; its absence is told in the command's own words"
    ),
}
"""By `file:module`: why the import waits. Only an optional or a heavy dependency may."""


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert 0 == run.returncode, run.stderr
    return set(run.stdout.split())


def hidden_imports(tree: ast.Module) -> set[str]:
    """Return the modules that are imported inside functions, by statement or by call."""
    return {
        module
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
        for module in _imported(node)
    }


def _imported(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=aliases):
            yield from (alias.name for alias in aliases)
        case ast.ImportFrom(module=module, level=level):
            yield "." * level + (module or "")
        case ast.Call(
            func=ast.Name(id="import_module" | "import_late" | "__import__")
            | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            yield module


@pytest.mark.parametrize("statement", ["import llmgateway", "from llmgateway import Gateway"])
def test_importing_the_package_loads_nothing_heavy(statement: str) -> None:
    loaded = modules_after(statement) - modules_after("pass")

    assert set() == loaded & NOT_AT_IMPORT


def test_a_gateway_without_guardrails_loads_nothing_that_guards() -> None:
    code = (
        "import sys\nfrom llmgateway import Gateway\nGateway({})\n"
        "print([name for name in sys.modules if name.startswith(sys.argv[1:][0])])"
    )
    for part in ("llmgateway.engine.guard", "llmgateway.guardrails.pii"):
        run = subprocess.run(
            [sys.executable, "-c", code, part], cwd=ROOT, capture_output=True, text=True, check=True
        )

        assert "[]" == run.stdout.strip()


def test_every_hidden_import_is_listed() -> None:
    found = {
        f"{name(path)}:{module}"
        for path in python_files(*PRODUCT)
        for module in hidden_imports(syntax(path))
    }

    assert HIDDEN_IMPORTS.keys() == found, "import at the top of the file; or a stale exception"


def test_hidden_imports_are_few_and_have_reasons() -> None:
    without = [what for what, why in HIDDEN_IMPORTS.items() if len(why) < 15]

    assert len(HIDDEN_IMPORTS) <= MAX_HIDDEN_IMPORTS
    assert [] == without


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import a", set()),
        ("def f():\n    import a.b, c", {"a.b", "c"}),
        ("async def f():\n    from a import b", {"a"}),
        ("class C:\n    def f(self):\n        from . import b", {"."}),
        ("def f():\n    return import_module('a')", {"a"}),
        ("f = lambda: importlib.import_module('a')", {"a"}),
        ("try:\n    import a\nexcept ImportError:\n    a = None", set()),
    ],
)
def test_hidden_imports_are_found(code: str, expected: set[str]) -> None:
    assert expected == hidden_imports(ast.parse(code))
