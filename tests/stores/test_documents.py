"""What every store of documents must do, whatever keeps it."""

from __future__ import annotations

import pytest

from llmgateway.types.documents import SavedConfig, VirtualKey
from llmgateway_django import models
from tests.stores.shelves import DjangoDocumentShelf, DocumentShelf, in_thread

KEY = VirtualKey(
    "team-openai",
    "openai",
    api_key="sk-of-the-team",
    base_url="https://eu.openai.example/v1",
    options={"openai_project": "p-1"},
    models=("gpt-4o*",),
)
CONFIG = SavedConfig("pc-main", '{"retry":{"attempts":2}}')


async def test_a_virtual_key_is_found_whole(document_shelf: DocumentShelf) -> None:
    here = await document_shelf.workspace("a")
    await document_shelf.put(here, KEY)

    assert KEY == await document_shelf.store.virtual_key(here, "team-openai")


async def test_a_config_is_found_in_its_newest_version(document_shelf: DocumentShelf) -> None:
    here = await document_shelf.workspace("a")
    await document_shelf.put(here, CONFIG)
    await document_shelf.put(here, SavedConfig("pc-main", '{"retry":{"attempts":3}}', 2))

    found = await document_shelf.store.config(here, "pc-main")

    assert SavedConfig("pc-main", '{"retry":{"attempts":3}}', 2) == found


async def test_nothing_is_found_from_another_workspace_or_from_none(
    document_shelf: DocumentShelf,
) -> None:
    here, there = [await document_shelf.workspace(name) for name in ("a", "b")]
    for document in (KEY, CONFIG):
        await document_shelf.put(here, document)

    for workspace in (there, None, "0", "no number", "1 or 1"):
        assert await document_shelf.store.virtual_key(workspace, KEY.slug) is None
        assert await document_shelf.store.config(workspace, CONFIG.slug) is None
        assert [] == list(await document_shelf.store.virtual_keys(workspace))


@pytest.mark.parametrize("slug", ["TEAM-OPENAI", "team-openai ", "%", "", "x" * 500, "\ud800"])
async def test_a_slug_is_what_it_is(document_shelf: DocumentShelf, slug: str) -> None:
    here = await document_shelf.workspace("a")
    await document_shelf.put(here, KEY)

    assert await document_shelf.store.virtual_key(here, slug) is None


async def test_all_of_a_workspace_are_listed_by_slug(document_shelf: DocumentShelf) -> None:
    here, there = [await document_shelf.workspace(name) for name in ("a", "b")]
    for slug in ("b", "a"):
        await document_shelf.put(here, VirtualKey(slug, "openai", "sk"))
    await document_shelf.put(there, KEY)

    listed = await document_shelf.store.virtual_keys(here)

    assert ["a", "b"] == [key.slug for key in listed]


async def test_a_change_is_felt(document_shelf: DocumentShelf) -> None:
    here = await document_shelf.workspace("a")
    await document_shelf.put(here, KEY)
    await document_shelf.store.virtual_key(here, KEY.slug)

    await document_shelf.put(here, VirtualKey(KEY.slug, "groq", "gsk"))

    assert VirtualKey(KEY.slug, "groq", "gsk") == await document_shelf.store.virtual_key(
        here, KEY.slug
    )


async def test_what_is_not_active_is_not_there(database: str) -> None:
    shelf = DjangoDocumentShelf()
    here = await shelf.workspace("a")
    for document in (KEY, CONFIG):
        await shelf.put(here, document)

    def retire() -> None:
        for row in (*models.Integration.objects.all(), *models.SavedConfig.objects.all()):
            row.is_active = False
            row.save()

    await in_thread(retire)

    assert await shelf.store.virtual_key(here, KEY.slug) is None
    assert await shelf.store.config(here, CONFIG.slug) is None


async def test_a_seal_that_does_not_open_is_told(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = DjangoDocumentShelf()
    here = await shelf.workspace("a")
    await shelf.put(here, KEY)
    await in_thread(lambda: models.Integration.objects.update(sealed="v1.0000.AAAA"))

    found = await shelf.store.virtual_key(here, KEY.slug)

    assert found is not None
    assert not found.is_readable
    assert found.api_key is None
    assert "team-openai" in caplog.text
