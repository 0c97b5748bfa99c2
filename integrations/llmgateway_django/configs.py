"""Saves routing configs: each change is a version of its own, and is sound when it is saved.

A config has no secrets. It names a virtual key, whose integration has them sealed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.db.models import F

from llmgateway.config import Config, parse_config
from llmgateway.config.schema import snake_case
from llmgateway.engine.check import KeyPath, dotted
from llmgateway.engine.resolve import resolve
from llmgateway.errors import InvalidConfig, InvalidRequest
from llmgateway.types.documents import VirtualKey as OpenKey
from llmgateway_django import audit
from llmgateway_django.conf import conf_of_project
from llmgateway_django.models import SavedConfig, SavedConfigVersion, VirtualKey, Workspace
from llmgateway_django.origins import API_KEY, providers

__all__ = ["MAX_CONFIG_BYTES", "check_config", "save_config"]

MAX_CONFIG_BYTES = 256 * 2**10
_SECRET = (
    "is a secret, which no saved config keeps: put it into an integration, and name that by "
    "`virtual_key`"
)


def save_config(
    config: SavedConfig, body: str | Mapping[str, Any], *, by: Any = None
) -> SavedConfigVersion:
    """Make JSON the newest version of a saved config, and return it; `by` is the user.

    What says the same as the version in force makes no other one. Safe when two do so at once.
    Raises `ValidationError` as `check_config` does.
    """
    data = check_config(config.workspace, body)
    using = router.db_for_write(SavedConfig, instance=config)
    with transaction.atomic(using=using):
        # A write that changes nothing: it is the one lock that SQLite has as well.
        SavedConfig.objects.using(using).filter(pk=config.pk).update(slug=F("slug"))
        versions = SavedConfigVersion.objects.using(using).filter(config=config)
        newest: SavedConfigVersion | None = versions.select_for_update().order_by("-number").first()
        if newest is not None and _text(newest.body) == _text(data):
            return newest
        before = None if newest is None else newest.number
        version: SavedConfigVersion = versions.create(
            config=config,
            number=(before or 0) + 1,
            body=data,
            created_by="" if by is None else str(by.pk),
        )
        audit.record(by, "config_saved", config, {"version": (before, version.number)})
    return version


def check_config(workspace: Workspace, body: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return what JSON says, if it is a config that a workspace can use.

    Raises `ValidationError` with a message for each fault: `targets[1].provider: …`.
    """
    data = _loaded(body)
    if faults := [f"{dotted(path)}: {_SECRET}" for path in _secrets_in(data, ())]:
        raise ValidationError(faults)
    try:
        config = parse_config(data)
        if config.names_provider:  # else the request completes it
            resolve(
                config,
                providers(),
                conf_of_project().settings,
                trusted=True,
                virtual_keys=_keys_of(workspace, config),
            )
    except InvalidConfig as error:
        raise ValidationError(
            [_in_words(*fault) for fault in error.faults] or [error.message]
        ) from None
    except InvalidRequest as error:
        raise ValidationError(error.message) from None
    return data


def _loaded(body: str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = body.encode() if isinstance(body, str) else orjson.dumps(body)
        data = orjson.loads(text)
    except (orjson.JSONEncodeError, orjson.JSONDecodeError, UnicodeEncodeError):
        raise ValidationError("This is no JSON.") from None
    if len(text) > MAX_CONFIG_BYTES:
        raise ValidationError(f"A config has at most {MAX_CONFIG_BYTES} bytes.")
    if not isinstance(data, dict):
        raise ValidationError("A config is a JSON object.")
    if rb"\u0000" in orjson.dumps(data):  # no column of PostgreSQL's takes it
        raise ValidationError("A config holds no NUL characters.")
    return data


def _secrets_in(node: Mapping[str, Any], path: KeyPath) -> Iterator[KeyPath]:
    names = _secret_names()
    yield from (
        (*path, name) for name, value in node.items() if value and snake_case(name) in names
    )
    targets = node.get("targets")
    for index, target in enumerate(targets if isinstance(targets, list) else ()):
        if isinstance(target, dict):
            yield from _secrets_in(target, (*path, "targets", index))


@cache
def _secret_names() -> frozenset[str]:
    """Return what secrets are called, of whichever provider: a branch is of many."""
    rows = providers().values()
    return frozenset(
        (API_KEY, *(option.name for row in rows for option in row.options if option.secret))
    )


def _keys_of(workspace: Workspace, config: Config) -> dict[str, OpenKey]:
    """Return the virtual keys that it may mean; their secrets are not needed for that."""
    rows = VirtualKey.objects.filter(workspace=workspace, slug__in=config.slugs)
    return {
        row.slug: OpenKey(
            row.slug,
            row.integration.provider,
            base_url=row.integration.base_url or None,
            options=row.integration.options,
        )
        for row in rows.select_related("integration")
    }


def _in_words(path: str, words: str) -> str:
    steps = tuple(int(step) if step.isdecimal() else step for step in path.split(".") if step)
    return f"{dotted(steps)}: {words}" if steps else words


def _text(data: Any) -> bytes:
    """Return JSON as one text, whatever order a database keeps members in."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
