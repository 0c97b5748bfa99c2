"""What an integration may say, and the place that its secrets are bound to.

It knows the provider rows and no table, so that models can ask it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError

from llmgateway.config.hosts import check_custom_host
from llmgateway.engine.check import did_you_mean
from llmgateway.engine.resolve import find, origin_of
from llmgateway.errors import InvalidRequest
from llmgateway.providers import Option, Provider, Registry, builtin

__all__ = ["API_KEY", "check_integration", "place_of", "providers", "secret_names"]

API_KEY = "api_key"
"""The secret that every provider may have."""
_MAX_CHARS = 2000
"""Of an option's value."""


@cache
def providers() -> Registry:
    """Return all rows there are; installed packages do not change while a process runs."""
    return builtin().discover()


def secret_names(provider: str) -> tuple[str, ...]:
    """Return what a provider's secrets are called, `api_key` first."""
    row = providers().get(provider)
    options = () if row is None else row.options
    return (API_KEY, *(option.name for option in options if option.secret and not option.planned))


def place_of(provider: str, base_url: str, options: Any) -> tuple[str, str]:
    """Return where secrets go: the provider's id, and an origin `scheme://host:port`.

    The origin is empty where the provider's own address is meant, which moves with the row.
    """
    row = providers().get(provider)
    try:
        if base_url:
            return provider, origin_of(base_url)
        if row is None or not callable(row.base_url):
            return provider, ""
        return provider, origin_of(row.base_url_for(_with_defaults(row, options)) or "")
    except InvalidRequest:
        # Nowhere yet; what does not read alike is not the same nowhere.
        return provider, f"{base_url} {options}" if base_url else str(options)


def check_integration(provider: str, base_url: str, options: Any) -> None:
    """Raise `ValidationError` by field for what could not be called, or is a secret in the open."""
    row = providers().get(provider)
    if row is None:
        raise ValidationError({"provider": _why_not(provider)})
    faults: dict[str, list[str]] = {}
    if base_url:
        try:
            check_custom_host(base_url)
        except InvalidRequest:
            faults["base_url"] = ["Give an address such as https://llm.example.com/v1."]
    elif row.base_url is None:
        faults["base_url"] = [f"{row.name} has no address of its own; give yours."]
    if wrong := list(_wrong_options(row, options)):
        faults["options"] = wrong
    elif not base_url and (missing := _missing(row, options)):
        faults["options"] = [missing]
    if faults:
        raise ValidationError(faults)


def _why_not(provider: str) -> str:
    try:
        found = find(provider, providers())
    except InvalidRequest as error:
        return error.message
    return f"Write the provider's name as it is: {found.name}"


def _wrong_options(row: Provider, options: Any) -> Iterator[str]:
    if not isinstance(options, dict):
        yield "Give an object of names and texts."
        return
    known = {option.name: option for option in row.options}
    for name, value in options.items():
        option = known.get(name)
        if name == API_KEY or (option is not None and option.secret):
            yield f"`{name}` is a secret: enter it among the secrets, where it is sealed."
        elif option is None:
            hint = did_you_mean(name, list(known)) or f"; there are: {', '.join(known) or 'none'}"
            yield f"{row.name} has no option `{name[:64]}`{hint}"
        elif fault := _wrong_value(row, option, value):
            yield fault


def _wrong_value(row: Provider, option: Option, value: Any) -> str | None:
    if not isinstance(value, str) or not value or len(value) > _MAX_CHARS:
        return f"`{option.name}` must be a text of 1 to {_MAX_CHARS} characters."
    # As a header has it: nothing that ends one, and nothing that gets lost at its ends.
    if not value.isprintable() or value != value.strip():
        return f"`{option.name}` must hold no control characters, and no space at either end."
    try:
        row.check_options({option.name: value})
        if option.is_url:
            check_custom_host(value)
    except InvalidRequest as error:
        return f"`{option.name}`: {error.message}" if option.is_url else error.message
    return None


def _missing(row: Provider, options: Mapping[str, str]) -> str | None:
    """Return what the provider's own address lacks."""
    said = _with_defaults(row, options)
    for option in row.options:
        if option.required and not option.secret and option.name not in said:
            return f"{row.name} needs `{option.name}`."
    try:
        row.base_url_for(said)
    except InvalidRequest as error:
        return error.message
    return None


def _with_defaults(row: Provider, options: Any) -> dict[str, str]:
    defaults = {o.name: o.default for o in row.options if o.default is not None}
    said = options if isinstance(options, dict) else {}
    return {**defaults, **{str(name): str(value) for name, value in said.items()}}
