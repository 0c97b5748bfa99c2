"""Stores with what a test puts into them, and reads back, beside the protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from llmgateway.settings import client_key_digest
from llmgateway.stores import (
    Documents,
    KeyStore,
    MemoryDocuments,
    MemoryKeyStore,
    MemoryRecords,
    Records,
    StoredKey,
)
from llmgateway.types.documents import (
    SavedConfig,
    SavedGuardrail,
    VirtualKey,
    WorkspaceGuardrails,
)
from llmgateway.types.record import Record
from llmgateway_django import models
from llmgateway_django.configs import save_config
from llmgateway_django.database import DatabaseThreads
from llmgateway_django.guardrails import save_guardrail
from llmgateway_django.keys import create_key
from llmgateway_django.models import RequestBody, RequestLog, Workspace
from llmgateway_django.stores import DjangoDocuments, DjangoKeyStore, DjangoRecords, log_id
from llmgateway_django.vault import set_secrets

T = TypeVar("T")

database = DatabaseThreads("test", threads=2)


async def in_thread(work: Callable[[], T]) -> T:
    """Do a test's own work with the ORM, and leave no connection behind."""
    return await database.run(work, 30.0)


class KeyShelf(Protocol):
    """Keys that tests can make."""

    @property
    def store(self) -> KeyStore:
        """The store that is tested."""
        ...

    async def make(self, workspace: str) -> tuple[str, StoredKey]:
        """Make a key; returns its plain digest, and what the store must say of it."""
        ...


@dataclass
class MemoryKeyShelf:
    """Keys in memory."""

    store: MemoryKeyStore = field(default_factory=MemoryKeyStore)
    keys: list[StoredKey] = field(default_factory=list)

    async def make(self, workspace: str) -> tuple[str, StoredKey]:
        """Make a new store with one key more."""
        digest = client_key_digest(f"key number {len(self.keys)}")
        self.keys.append(StoredKey(f"key:{len(self.keys)}", digest, workspace))
        self.store = MemoryKeyStore(self.keys)
        return digest, self.keys[-1]


@dataclass
class DjangoKeyShelf:
    """Keys in a database."""

    store: DjangoKeyStore = field(default_factory=DjangoKeyStore)

    async def make(self, workspace: str) -> tuple[str, StoredKey]:
        """Make a key as an operator would."""
        return await in_thread(partial(self._make, workspace))

    def _make(self, slug: str) -> tuple[str, StoredKey]:
        workspace, _ = Workspace.objects.get_or_create(slug=slug, defaults={"name": slug})
        made = create_key(workspace, "a key")
        digest = client_key_digest(made.secret)
        return digest, StoredKey(f"key:{made.api_key.pk}", digest, str(workspace.pk))


Document = VirtualKey | SavedConfig | SavedGuardrail


class DocumentShelf(Protocol):
    """Documents, and a way to put some there."""

    @property
    def store(self) -> Documents:
        """The store that is tested."""
        ...

    async def workspace(self, name: str) -> str:
        """Return the id of a workspace."""
        ...

    async def put(self, workspace: str | None, document: Document) -> None:
        """Keep a document, in place of one of the same slug; without a workspace for all."""
        ...

    async def demand(self, workspace: str, guardrails: WorkspaceGuardrails) -> None:
        """Have a workspace demand these."""
        ...


@dataclass
class MemoryDocumentShelf:
    """Documents in memory."""

    store: MemoryDocuments = field(default_factory=MemoryDocuments)

    async def workspace(self, name: str) -> str:
        """Take its name for its id."""
        return name

    async def put(self, workspace: str | None, document: Document) -> None:
        """Keep it."""
        self.store.put(workspace, document)

    async def demand(self, workspace: str, guardrails: WorkspaceGuardrails) -> None:
        """Keep them."""
        self.store.demand(workspace, guardrails)


@dataclass
class DjangoDocumentShelf:
    """Documents in a database."""

    store: DjangoDocuments = field(default_factory=DjangoDocuments)

    async def workspace(self, name: str) -> str:
        """Make or find it."""
        return await in_thread(partial(self._workspace, name))

    async def put(self, workspace: str | None, document: Document) -> None:
        """Keep it as an operator would."""
        put: Any = {
            VirtualKey: self._put_key,
            SavedConfig: self._put_config,
            SavedGuardrail: self._put_guardrail,
        }[type(document)]
        await in_thread(partial(put, workspace, document))

    async def demand(self, workspace: str, guardrails: WorkspaceGuardrails) -> None:
        """Save them with the workspace."""
        await in_thread(partial(self._demand, workspace, guardrails))

    def _workspace(self, slug: str) -> str:
        return str(Workspace.objects.get_or_create(slug=slug, defaults={"name": slug})[0].pk)

    def _put_key(self, workspace: str, document: Any) -> None:
        place = {"workspace_id": workspace, "slug": document.slug}
        models.VirtualKey.objects.filter(**place).delete()
        integration = models.Integration(
            workspace_id=workspace,
            name=document.slug,
            provider=document.provider,
            base_url=document.base_url or "",
            options=dict(document.options),
        )
        integration.save()
        set_secrets(integration, {"api_key": document.api_key})
        models.VirtualKey.objects.create(
            **place, integration=integration, allowed_models=list(document.models)
        )

    def _put_config(self, workspace: str, document: Any) -> None:
        config, _ = models.SavedConfig.objects.get_or_create(
            workspace_id=workspace, slug=document.slug, defaults={"name": document.slug}
        )
        save_config(config, document.text)

    def _put_guardrail(self, workspace: str | None, document: Any) -> None:
        guardrail, _ = models.Guardrail.objects.get_or_create(
            workspace_id=workspace, slug=document.slug, defaults={"name": document.slug}
        )
        save_guardrail(guardrail, **json.loads(document.text))

    def _demand(self, workspace: str, guardrails: WorkspaceGuardrails) -> None:
        row = Workspace.objects.get(pk=workspace)
        row.input_guardrails = json.loads(guardrails.input or "[]")
        row.output_guardrails = json.loads(guardrails.output or "[]")
        row.save()


class RecordShelf(Protocol):
    """Records that tests can count."""

    @property
    def store(self) -> Records:
        """The store that is tested."""
        ...

    async def holds(self, records: Sequence[Record]) -> bool:
        """Tell whether exactly these are there, each once."""
        ...

    async def bodies(self, record: Record) -> tuple[str, str] | None:
        """Return the bodies that are kept of a request and its answer; None if neither is."""
        ...


@dataclass
class MemoryRecordShelf:
    """Records in memory."""

    store: MemoryRecords = field(default_factory=MemoryRecords)

    async def holds(self, records: Sequence[Record]) -> bool:
        """Compare ids."""
        return sorted(r.id for r in records) == sorted(r.id for r in self.store.all())

    async def bodies(self, record: Record) -> tuple[str, str] | None:
        """Look into the record."""
        (kept,) = (kept for kept in self.store.all() if kept.id == record.id)
        found = (kept.request_body or "", kept.response_body or "")
        return found if any(found) else None


@dataclass
class DjangoRecordShelf:
    """Records in a database."""

    store: DjangoRecords = field(default_factory=DjangoRecords)

    async def holds(self, records: Sequence[Record]) -> bool:
        """Compare the rows' ids."""
        rows = await in_thread(lambda: list(RequestLog.objects.values_list("pk", flat=True)))
        return sorted(map(log_id, records)) == sorted(rows)

    async def bodies(self, record: Record) -> tuple[str, str] | None:
        """Look for the row that has the record's id."""
        rows = RequestBody.objects.filter(pk=log_id(record)).values_list("request", "response")
        return await in_thread(rows.first)
