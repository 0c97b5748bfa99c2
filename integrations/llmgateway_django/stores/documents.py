"""Virtual keys and saved configs in the project's database."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from django.db import router
from django.db.models import Q

from llmgateway.errors import StoreUnavailable
from llmgateway.redaction import redacting_logger
from llmgateway.stores.sealing import SealError
from llmgateway.types.documents import SavedConfig, VirtualKey
from llmgateway_django import models
from llmgateway_django.conf import AS_USUAL, Keeping
from llmgateway_django.database import Database, DatabaseThreads
from llmgateway_django.seals import secrets_of
from llmgateway_django.stores.warm import LOOKUP_S, Warm, forget_with

__all__ = ["DjangoDocuments"]

logger = redacting_logger(__name__)

_ID = re.compile(r"\d{1,18}", re.ASCII)
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_threads = DatabaseThreads("documents", threads=2, limit_s=LOOKUP_S)


class _Name(NamedTuple):
    """What is asked for; without a slug it is all virtual keys of the workspace."""

    kind: type[VirtualKey | SavedConfig]
    workspace: str
    slug: str | None


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

    async def _ask(
        self, kind: type[VirtualKey | SavedConfig], workspace: str | None, slug: str | None
    ) -> Any:
        if workspace is None or not _ID.fullmatch(workspace):
            return None  # a caller of the project's own, who is in no workspace of ours
        if slug is not None and not _SLUG.fullmatch(slug):
            return None
        name = _Name(kind, workspace, slug)
        answer = (await self._warm.ask([name]))[name]
        if answer is None:
            raise StoreUnavailable(
                "What is saved cannot be read at the moment; send the request again.",
                retry_after_s=5,
            )
        return answer.value


_warm = forget_with(
    models.Integration, models.VirtualKey, models.SavedConfig, models.SavedConfigVersion
)


def _look_up(names: Sequence[_Name]) -> Mapping[_Name, Any]:
    found = {}
    for name in names:
        if name.kind is SavedConfig:
            value: Any = _config(name)
        else:
            value = _virtual_keys(name)
            if name.slug is not None:
                value = value[0] if value else None
        if value is not None:
            found[name] = value
    return found


def _config(name: _Name) -> SavedConfig | None:
    rows = models.SavedConfigVersion.objects.using(router.db_for_read(models.SavedConfigVersion))
    rows = rows.filter(config__workspace=name.workspace, config__is_active=True)
    version = rows.filter(config__slug=name.slug).select_related("config").first()
    # MariaDB takes `PC-Main` for `pc-main`.
    if version is None or version.config.slug != name.slug:
        return None
    return SavedConfig(version.config.slug, orjson.dumps(version.body).decode(), version.number)


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
