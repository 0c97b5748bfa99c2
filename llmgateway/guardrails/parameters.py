"""A check's parameters, read from its function's signature.

The signature is the schema: the type says what is taken, the default whether it must be there, the
docstring (its section `Args:`) or a text in `Annotated` what it means. Values are validated as
JSON, strictly: `"3"` is no number. All of this happens when a config is read, never in a call.
"""

from __future__ import annotations

import difflib
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from types import SimpleNamespace
from typing import Annotated, Any

import orjson
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from llmgateway.guardrails.base import ParameterFault
from llmgateway.types import JSON

_RESERVED = frozenset({"id", "is_enabled", "credentials", "fail_on_error", "timeout_ms"})
# What the runner hands in.
_HANDED = frozenset({"services", "vault"})
# Portkey spells these words so: `webhookURL`, `onlyDNS`.
_ACRONYMS = {"url": "URL", "dns": "DNS"}
_MISSING = inspect.Parameter.empty
_ITEM = re.compile(r"^(\s*)(\w+):\s*(.*)$")


class Parameter:
    """One parameter: how a config spells it, what it takes, what it is without."""

    def __init__(self, name: str, hint: Any, default: Any, description: str) -> None:
        self.name = name
        """In the function's signature: `not_`, `min_words`."""
        self.title = spelling(name)
        """In configs: `not`, `minWords`."""
        self.is_required = default is _MISSING
        self.default = default
        self._hint = hint
        self._description = description

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._hint)

    def read(self, value: Any) -> Any:
        """Return the value as the function takes it.

        Raises `ParameterFault`, which never repeats the value: it may be a secret.
        """
        try:
            text = orjson.dumps(value)
        except TypeError:
            raise ParameterFault("This is not JSON", (self.title,)) from None
        try:
            return self._adapter.validate_json(text, strict=True)
        except ValidationError as exc:
            raise self._fault(exc.errors(include_url=False, include_input=False)[0]) from None

    def _fault(self, error: ErrorDetails) -> ParameterFault:
        path: list[str | int] = [self.title, *error["loc"]]
        inner = error.get("ctx", {}).get("error")
        if isinstance(inner, ParameterFault):
            return ParameterFault(inner.message, (*path, *inner.path))
        return ParameterFault(error["msg"].removeprefix("Value error, "), path)

    def schema(self) -> JSON:
        """Return its JSON schema with title, description and default."""
        found = dict(self._adapter.json_schema())
        found["title"] = self.title
        description = _annotated_text(self._hint) or self._description
        if description:
            found["description"] = description
        if not self.is_required:
            found["default"] = orjson.loads(orjson.dumps(self.default))
        return found


class Parameters:
    """All parameters of one check."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self._parameters = tuple(parameters)
        self._by_key = {_key(parameter.name): parameter for parameter in self._parameters}
        if len(self._by_key) != len(self._parameters):
            raise TypeError("Two parameters of this check are spelled alike in configs")

    def __iter__(self) -> typing.Iterator[Parameter]:
        return iter(self._parameters)

    def read(self, raw: Any) -> dict[str, Any]:
        """Return the function's arguments, defaults filled in; raises `ParameterFault`."""
        if not isinstance(raw, Mapping):
            raise ParameterFault("The parameters of a check are an object")
        found: dict[str, Any] = {}
        for spelled, value in raw.items():
            parameter = self._find(spelled)
            if parameter.name in found:
                raise ParameterFault(f"{parameter.title} is given twice", (spelled,))
            found[parameter.name] = parameter.read(value)
        for parameter in self._parameters:
            if parameter.name in found:
                continue
            if parameter.is_required:
                raise ParameterFault(f"{parameter.title} is missing", (parameter.title,))
            found[parameter.name] = parameter.default
        return found

    def _find(self, spelled: Any) -> Parameter:
        parameter = self._by_key.get(_key(str(spelled)))
        if parameter is not None:
            return parameter
        names = [known.title for known in self._parameters]
        message = f"This check has no parameter {str(spelled)[:100]!r}"
        raise ParameterFault(f"{message}{did_you_mean(str(spelled), names)}", (str(spelled),))

    def schema(self) -> JSON:
        """Return the JSON schema of the object that a config states."""
        properties: JSON = {}
        definitions: JSON = {}
        for parameter in self._parameters:
            properties[parameter.title] = parameter.schema()
            definitions.update(properties[parameter.title].pop("$defs", {}))
        schema: JSON = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [parameter.title for parameter in self._parameters if parameter.is_required]
        if required:
            schema["required"] = required
        if definitions:
            schema["$defs"] = definitions
        return schema


def parameters_of(function: Callable[..., Any]) -> tuple[Parameters, bool]:
    """Read a check's signature: its parameters, and whether it wants `services`.

    The first parameter is the subject. Raises `TypeError` for a signature that no config can fill.
    """
    signature = inspect.signature(function)
    _, *others = signature.parameters.values() or [None]
    wanted = [one for one in others if one is not None and one.name not in _HANDED]
    name = getattr(function, "__qualname__", "check")
    if not signature.parameters:
        raise TypeError(f"{name}() must take the subject as its first parameter")
    for one in wanted:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD, one.POSITIONAL_ONLY):
            raise TypeError(f"{name}(): {one} cannot be filled by name")
        if one.name.rstrip("_") in _RESERVED:
            raise TypeError(f"{name}(): {one.name} is read by the gateway; rename it")
    hints = _hints(function, wanted)
    texts = described(inspect.getdoc(function) or "")[1]
    parameters = [
        Parameter(one.name, hints.get(one.name, Any), one.default, texts.get(one.name, ""))
        for one in wanted
    ]
    return Parameters(parameters), "services" in signature.parameters


def _hints(function: Callable[..., Any], wanted: Sequence[inspect.Parameter]) -> dict[str, Any]:
    # Only what a config fills: other annotations may name what is imported for types alone.
    annotations = {one.name: one.annotation for one in wanted if one.annotation is not _MISSING}
    inner = inspect.unwrap(function)
    space = getattr(inner, "__globals__", {})
    holder = SimpleNamespace(__annotations__=annotations)
    return typing.get_type_hints(holder, space, include_extras=True)


def described(doc: str) -> tuple[str, dict[str, str]]:
    """Split a docstring into its text and what its section `Args:` says of each parameter."""
    head, _, section = doc.partition("\nArgs:\n")
    texts: dict[str, str] = {}
    current, depth, after = "", None, []
    for line in section.splitlines():
        item = _ITEM.match(line)
        if line.strip() and not line.startswith(" "):
            after = section[section.index(line) :].splitlines()
            break
        if item and (depth is None or len(item[1]) == depth):
            depth, current = len(item[1]), item[2]
            texts[current] = item[3].strip()
        elif line.strip() and current:
            texts[current] = f"{texts[current]} {line.strip()}".strip()
    return "\n".join([head.strip(), "", *after]).strip(), texts


def _annotated_text(hint: Any) -> str:
    if typing.get_origin(hint) is not Annotated:
        return ""
    return next((one for one in hint.__metadata__ if isinstance(one, str)), "")


def spelling(name: str) -> str:
    """Return how configs spell a parameter: `not_` → `not`, `webhook_url` → `webhookURL`."""
    first, *others = name.removesuffix("_").split("_")
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in others)


def _key(spelled: str) -> str:
    return spelled.replace("_", "").lower()


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a sentence's end that offers the nearest name, or tells those that there are."""
    known = sorted(names)
    near = difflib.get_close_matches(name.lower(), [one.lower() for one in known], n=1)
    for one in known:
        if near and one.lower() == near[0]:
            return f"; did you mean {one!r}?"
    return f"; it has {', '.join(known[:20])}" if 0 < len(known) <= 20 else ""
