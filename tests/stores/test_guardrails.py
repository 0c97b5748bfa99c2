"""Saved guardrails, and what workspaces demand: what every store of documents must do with them."""

from __future__ import annotations

import json

import pytest

from llmgateway.types.documents import SavedGuardrail, WorkspaceGuardrails
from llmgateway_django import models
from tests.stores.shelves import DjangoDocumentShelf, DocumentShelf, in_thread


def guardrail(word: str, version: int = 1, slug: str = "pg-words") -> SavedGuardrail:
    """Return one that denies a word."""
    check = {"id": "default.contains", "parameters": {"operator": "none", "words": [word]}}
    body = {"checks": [check], "actions": {"deny": True}}
    return SavedGuardrail(slug, json.dumps(body), version)


def word_of(found: SavedGuardrail | None) -> str | None:
    """Return the word that a guardrail denies."""
    if found is None:
        return None
    word: str = json.loads(found.text)["checks"][0]["parameters"]["words"][0]
    return word


async def test_a_guardrail_is_found_whole(document_shelf: DocumentShelf) -> None:
    here = await document_shelf.workspace("a")
    await document_shelf.put(here, guardrail("Apple"))

    found = await document_shelf.store.guardrail(here, "pg-words")

    assert found is not None
    assert ("pg-words", 1) == (found.slug, found.version)
    assert json.loads(guardrail("Apple").text) == json.loads(found.text)


async def test_the_newest_version_unless_another_is_named(document_shelf: DocumentShelf) -> None:
    here = await document_shelf.workspace("a")
    for number, word in enumerate(("Apple", "Bat", "Cat"), start=1):
        await document_shelf.put(here, guardrail(word, number))
    find = document_shelf.store.guardrail

    assert "Cat" == word_of(await find(here, "pg-words"))
    assert ["Apple", "Bat", "Cat"] == [
        word_of(await find(here, "pg-words", number)) for number in (1, 2, 3)
    ]
    for number in (4, 0, -1, 2**31, 2**70):
        assert await find(here, "pg-words", number) is None


async def test_its_own_first_and_those_of_all_last(document_shelf: DocumentShelf) -> None:
    here, there = [await document_shelf.workspace(name) for name in ("a", "b")]
    await document_shelf.put(None, guardrail("shared"))
    await document_shelf.put(None, guardrail("shared, too", 2))
    await document_shelf.put(here, guardrail("own"))
    find = document_shelf.store.guardrail

    assert "own" == word_of(await find(here, "pg-words"))
    assert await find(here, "pg-words", 2) is None, "of another guardrail"
    for workspace in (there, None, "0", "a caller of the host"):
        assert "shared, too" == word_of(await find(workspace, "pg-words"))
        assert "shared" == word_of(await find(workspace, "pg-words", 1))


async def test_nothing_is_found_from_another_workspace(document_shelf: DocumentShelf) -> None:
    here, there = [await document_shelf.workspace(name) for name in ("a", "b")]
    await document_shelf.put(here, guardrail("Apple"))

    for workspace in (there, None, "0", "no number", "1 or 1"):
        assert await document_shelf.store.guardrail(workspace, "pg-words") is None


@pytest.mark.parametrize("slug", ["PG-WORDS", "pg-words ", "pg-%", "", "x" * 500, "\ud800"])
async def test_a_slug_is_what_it_is(document_shelf: DocumentShelf, slug: str) -> None:
    here = await document_shelf.workspace("a")
    await document_shelf.put(here, guardrail("Apple"))

    assert await document_shelf.store.guardrail(here, slug) is None


async def test_a_change_is_felt(document_shelf: DocumentShelf) -> None:
    here = await document_shelf.workspace("a")
    find = document_shelf.store.guardrail
    assert await find(here, "pg-words") is None
    await document_shelf.put(None, guardrail("shared"))
    assert "shared" == word_of(await find(here, "pg-words"))
    await document_shelf.put(here, guardrail("own"))
    assert "own" == word_of(await find(here, "pg-words"))
    await document_shelf.put(here, guardrail("newer", 2))
    assert "newer" == word_of(await find(here, "pg-words"))


async def test_what_a_workspace_demands(document_shelf: DocumentShelf) -> None:
    here, there = [await document_shelf.workspace(name) for name in ("a", "b")]
    store = document_shelf.store
    assert WorkspaceGuardrails() == await store.workspace_guardrails(here)

    await document_shelf.demand(here, WorkspaceGuardrails('["pg-words"]'))
    assert WorkspaceGuardrails('["pg-words"]', None) == await store.workspace_guardrails(here)
    await document_shelf.demand(here, WorkspaceGuardrails(None, '["pg-a","pg-b@2"]'))
    assert WorkspaceGuardrails(None, '["pg-a","pg-b@2"]') == await store.workspace_guardrails(here)

    for workspace in (there, None, "0", "no number"):
        assert WorkspaceGuardrails() == await store.workspace_guardrails(workspace)


async def test_an_archived_one_is_not_there(database: str) -> None:
    shelf = DjangoDocumentShelf()
    here = await shelf.workspace("a")
    await shelf.put(here, guardrail("own"))

    def archive() -> None:
        row = models.Guardrail.objects.get()
        row.status = models.Guardrail.Status.ARCHIVED
        row.save()

    await shelf.store.guardrail(here, "pg-words")
    await in_thread(archive)

    assert await shelf.store.guardrail(here, "pg-words") is None


async def test_one_that_is_deleted_is_forgotten(database: str) -> None:
    shelf = DjangoDocumentShelf()
    here = await shelf.workspace("a")
    await shelf.put(here, guardrail("own"))
    assert await shelf.store.guardrail(here, "pg-words") is not None

    await in_thread(models.Guardrail.objects.all().delete)

    assert await shelf.store.guardrail(here, "pg-words") is None
