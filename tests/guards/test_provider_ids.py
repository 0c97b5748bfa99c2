"""No code outside `llmgateway/providers/` compares, matches or keys on a provider's id.

What is peculiar about a provider is a field of its row; code asks the row, never the name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import pytest

from tests.guards.tree import PRODUCT, name, place, python_files, syntax

_KEYED_METHODS = {"get", "pop", "setdefault"}
_COMPARING_METHODS = {"startswith", "endswith", "removeprefix", "removesuffix", "fullmatch"}


def strings_decided_on(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield each string constant that a comparison, a pattern, a key or a set is made of."""
    for node in ast.walk(tree):
        for part in _deciding_parts(node):
            yield from _constants(part)


def _deciding_parts(node: ast.AST) -> Iterable[ast.expr | None]:
    match node:
        case ast.Compare():
            return [node.left, *node.comparators]
        case ast.MatchValue():
            return [node.value]
        case ast.MatchMapping():
            return node.keys
        case ast.Dict():
            return node.keys
        case ast.DictComp():
            return [node.key]
        case ast.Set():
            return node.elts
        case ast.Subscript():
            return [node.slice]
        case ast.Call(func=ast.Name(id="set" | "frozenset")):
            return node.args
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in _KEYED_METHODS:
            return node.args[:1]
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in _COMPARING_METHODS:
            return node.args
        case _:
            return []


def _constants(node: ast.expr | None) -> Iterator[ast.Constant]:
    """Yield the strings that `node` is, or that a literal collection or a choice of it holds."""
    match node:
        case ast.Constant(value=str()):
            yield node
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            for part in parts:
                yield from _constants(part)
        case ast.BoolOp(values=parts):
            for part in parts:
                yield from _constants(part)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _constants(body)
            yield from _constants(orelse)
        case ast.Starred(value=value) | ast.NamedExpr(value=value):
            yield from _constants(value)


def provider_ids() -> frozenset[str]:
    """Return the ids of all providers that ship with the package."""
    providers = pytest.importorskip("llmgateway.providers")
    if not hasattr(providers, "builtin"):
        pytest.skip("there are no provider rows yet")
    return frozenset(providers.builtin().names())


def test_no_code_outside_the_providers_decides_on_a_provider_id() -> None:
    ids = provider_ids()

    found = [
        f"{place(path, constant)} {constant.value!r}"
        for path in python_files(*PRODUCT)
        if not name(path).startswith("llmgateway/providers/")
        for constant in strings_decided_on(syntax(path))
        if constant.value in ids
    ]

    assert [] == found


@pytest.mark.parametrize(
    "code",
    [
        "provider == 'acme'",
        "'acme' != provider.name",
        "provider in ('acme', 'other')",
        "provider in ['other', 'acme']",
        "provider in {'acme'}",
        "'acme' in providers",
        "match provider:\n    case 'acme': pass",
        "match provider:\n    case 'other' | 'acme': pass",
        "match row:\n    case {'acme': found}: pass",
        "match provider:\n    case ['acme', *rest]: pass",
        "QUIRKS = {'acme': 1}",
        "rows['acme']",
        "del rows['acme']",
        "rows.get('acme')",
        "rows.pop('acme', None)",
        "SPECIAL = {'acme', 'other'}",
        "SPECIAL = frozenset(['acme'])",
        "provider.startswith('acme')",
        "provider.endswith(('other', 'acme'))",
        "provider == ('acme' if strict else 'other')",
        "assert provider is not None and provider == 'acme'",
    ],
)
def test_each_way_of_deciding_is_found(code: str) -> None:
    found = {constant.value for constant in strings_decided_on(ast.parse(code))}

    assert "acme" in found


@pytest.mark.parametrize(
    "code",
    [
        "provider = 'acme'",
        "call('acme')",
        "Settings(default_provider='acme')",
        "def serve(provider='acme'): pass",
        "'the provider acme'",
        "names = ['acme']",
        "{'provider': 'acme'}",
    ],
)
def test_naming_a_provider_as_a_value_is_free(code: str) -> None:
    """Demos, defaults and examples may name a provider; nothing may depend on its name."""
    found = {constant.value for constant in strings_decided_on(ast.parse(code))}

    assert "acme" not in found
