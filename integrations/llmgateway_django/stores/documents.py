"""Virtual keys, saved configs and guardrails in the project's database."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from django.db import router
from django.db.models import F, Q

from llmgateway.errors import StoreUnavailable
from llmgateway.redaction import redacting_logger
from llmgateway.stores.sealing import SealError
from llmgateway.types.documents import (
    SavedConfig,
    SavedGuardrail,
    VirtualKey,
    WorkspaceGuardrails,
)
from llmgateway_django import models
from llmgateway_django.conf import AS_USUAL, Keeping
from llmgateway_django.database import Database, DatabaseThreads
from llmgateway_django.seals import secrets_of
from llmgateway_django.stores.values import list_as_text
from llmgateway_django.stores.warm import LOOKUP_S, Warm, forget_with

__all__ = ["DjangoDocuments"]

logger = redacting_logger(__name__)

_ID = re.compile(r"\d{1,18}", re.ASCII)
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_VERSION = 2**31 - 1
"""What every database takes for a number of that column's."""
_threads = DatabaseThreads("documents", threads=2, limit_s=LOOKUP_S)


_Kind = type[VirtualKey | SavedConfig | SavedGuardrail | WorkspaceGuardrails]


class _Name(NamedTuple):
    """What is asked for; without a slug it is all virtual keys of the workspace."""

    kind: _Kind
    workspace: str | None
    """None for guardrails that all share."""
    slug: str | None
    version: int | None = None


class DjangoDocuments:
    """Finds what is saved under a slug; implements `Documents`. Safe from any loop."""

    def __init__(
        self,
        database: Database | None = None,
        keeping: Keeping = AS_USUAL,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._warm = Warm(_look_up, database or _threads, "saved objects", keeping, monotonic)
        _warm.add(self._warm)

    async def virtual_key(self, workspace: str | None, slug: str) -> VirtualKey | None:
        """Return a virtual key whose integration is active."""
        found: VirtualKey | None = await self._ask(VirtualKey, workspace, slug)
        return found

    async def virtual_keys(self, workspace: str | None) -> Sequence[VirtualKey]:
        """Return all of a workspace whose integrations are active, by slug."""
        return await self._ask(VirtualKey, workspace, None) or ()

    async def config(self, workspace: str | None, slug: str) -> SavedConfig | None:
        """Return an active config in its newest version."""
        found: SavedConfig | None = await self._ask(SavedConfig, workspace, slug)
        return found

    async def guardrail(
        self, workspace: str | None, slug: str, version: int | None = None
    ) -> SavedGuardrail | None:
        """Return an active guardrail of the workspace, or else one that all share."""
        if not _SLUG.fullmatch(slug) or not (version is None or 0 < version <= _MAX_VERSION):
            return None
        name = _Name(SavedGuardrail, workspace if _is_ours(workspace) else None, slug, version)
        found: SavedGuardrail | None = await self._named(name)
        return found

    async def workspace_guardrails(self, workspace: str | None) -> WorkspaceGuardrails:
        """Return what a workspace demands of each call."""
        return await self._ask(WorkspaceGuardrails, workspace, None) or _NOTHING

    async def _ask(self, kind: _Kind, workspace: str | None, slug: str | None) -> Any:
        if not _is_ours(workspace):
            return None
        if slug is not None and not _SLUG.fullmatch(slug):
            return None
        return await self._named(_Name(kind, workspace, slug))

    async def _named(self, name: _Name) -> Any:
        answer = (await self._warm.ask([name]))[name]
        if answer is None:
            raise StoreUnavailable(
                "What is saved cannot be read at the moment; send the request again.",
                retry_after_s=5,
            )
        return answer.value


_NOTHING = WorkspaceGuardrails()
_warm = forget_with(
    models.Integration,
    models.VirtualKey,
    models.SavedConfig,
    models.SavedConfigVersion,
    models.Guardrail,
    models.GuardrailVersion,
    models.Workspace,
)


def _is_ours(workspace: str | None) -> bool:
    """Tell a workspace of ours from one of a host's own callers, and from none."""
    return workspace is not None and _ID.fullmatch(workspace) is not None


def _look_up(names: Sequence[_Name]) -> Mapping[_Name, Any]:
    values = ((name, _LOOK_UPS[name.kind](name)) for name in names)
    return {name: value for name, value in values if value is not None}


def _config(name: _Name) -> SavedConfig | None:
    rows = models.SavedConfigVersion.objects.using(router.db_for_read(models.SavedConfigVersion))
    rows = rows.filter(config__workspace=name.workspace, config__is_active=True)
    version = rows.filter(config__slug=name.slug).select_related("config").first()
    # MariaDB takes `PC-Main` for `pc-main`.
    if version is None or version.config.slug != name.slug:
        return None
    return SavedConfig(version.config.slug, orjson.dumps(version.body).decode(), version.number)


def _guardrail(name: _Name) -> SavedGuardrail | None:
    rows = models.Guardrail.objects.using(router.db_for_read(models.Guardrail))
    is_found = Q(workspace=None) | Q(workspace=name.workspace)
    rows = rows.filter(is_found, slug=name.slug, status=models.Guardrail.Status.ACTIVE)
    own_first = rows.order_by(F("workspace").desc(nulls_last=True), "pk")
    row = next((row for row in own_first if row.slug == name.slug), None)
    if row is None:
        return None
    versions = row.versions.all()
    if name.version is not None:
        versions = versions.filter(number=name.version)
    version = versions.first()
    if version is None:
        return None
    body = {"checks": version.checks, "actions": version.actions}
    return SavedGuardrail(row.slug, orjson.dumps(body).decode(), version.number)


def _demands(name: _Name) -> WorkspaceGuardrails | None:
    rows = models.Workspace.objects.using(router.db_for_read(models.Workspace))
    row = rows.filter(pk=name.workspace).first()
    if row is None:
        return None
    return WorkspaceGuardrails(
        list_as_text(row.input_guardrails), list_as_text(row.output_guardrails)
    )


def _virtual_key(name: _Name) -> VirtualKey | tuple[VirtualKey, ...] | None:
    """Return one, or all where none is named."""
    keys = _virtual_keys(name)
    if name.slug is None:
        return keys
    return keys[0] if keys else None


def _virtual_keys(name: _Name) -> tuple[VirtualKey, ...]:
    rows = models.VirtualKey.objects.using(router.db_for_read(models.VirtualKey))
    # Asked here as well: rows may be written by other ways than the admin.
    is_ours = Q(integration__workspace=None) | Q(integration__workspace=name.workspace)
    rows = rows.filter(is_ours, workspace=name.workspace, integration__is_active=True)
    if name.slug is not None:
        rows = rows.filter(slug=name.slug)
    keys = rows.select_related("integration")
    return tuple(_opened(key) for key in keys if name.slug in (None, key.slug))


def _opened(key: Any) -> VirtualKey:
    integration = key.integration
    try:
        secrets = secrets_of(integration)
    except SealError as error:
        logger.error("The secrets of the integration %s cannot be opened: %s", integration, error)
        return VirtualKey(key.slug, integration.provider, is_readable=False)
    return VirtualKey(
        key.slug,
        integration.provider,
        api_key=secrets.pop("api_key", None),
        base_url=integration.base_url or None,
        options={name: str(value) for name, value in {**integration.options, **secrets}.items()},
        models=tuple(key.allowed_models),
    )


_LOOK_UPS: Mapping[_Kind, Callable[[_Name], Any]] = {
    VirtualKey: _virtual_key,
    SavedConfig: _config,
    SavedGuardrail: _guardrail,
    WorkspaceGuardrails: _demands,
}
