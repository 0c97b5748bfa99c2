"""What holds for every row, and the fields that only few rows have."""

from __future__ import annotations

import pytest

from llmgateway.codecs.audio import SPEECH, TRANSCRIPTION
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.generate_content import COUNT_TOKENS as GENERATE_CONTENT_COUNT_TOKENS
from llmgateway.codecs.generate_content import EMBED_CONTENT, GENERATE_CONTENT
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.messages import COUNT_TOKENS, MESSAGES
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.codecs.responses import RESPONSES
from llmgateway.providers import PLANNED, Provider, builtin

ROWS = list(builtin().values())
FORMATS = {
    "chat": CHAT,
    "completions": COMPLETIONS,
    "embeddings": EMBEDDINGS,
    "models": OPAQUE,
    "images": IMAGES,
    "image_edits": IMAGES,
    "image_variations": IMAGES,
    "speech": SPEECH,
    "transcription": TRANSCRIPTION,
    "translation": TRANSCRIPTION,
    "moderations": OPAQUE,
    "responses": RESPONSES,
    "files": OPAQUE,
    "batches": OPAQUE,
    "fine_tuning": OPAQUE,
    "messages": MESSAGES,
    "count_tokens": COUNT_TOKENS,
    "generate_content": GENERATE_CONTENT,
    "embed_content": EMBED_CONTENT,
    "generate_content_count_tokens": GENERATE_CONTENT_COUNT_TOKENS,
}


def test_there_are_58() -> None:
    assert 58 == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_links_its_providers_own_reference(row: Provider) -> None:
    assert row.docs.startswith("https://")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_endpoint_has_its_format(row: Provider) -> None:
    for name, endpoint in row.endpoints.items():
        if endpoint.codec is None:
            assert FORMATS[name] is endpoint.format


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_tweaks_belong_to_endpoints_of_the_row(row: Provider) -> None:
    assert set() == row.tweaks.keys() - row.endpoints.keys()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_secret_option_has_no_header_but_that_of_the_credential(row: Provider) -> None:
    """So none can go anywhere but where `auth` puts it."""
    assert [] == [option.name for option in row.options if option.secret and option.send_as]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_secret_is_part_of_a_url(row: Provider) -> None:
    secrets = {option.name: "hunter2" for option in row.options if option.secret}
    given = {"resource_name": "res", "azure_foundry_url": "https://foundry.example", **secrets}

    assert "hunter2" not in str(row.base_url_for(given))
    assert "hunter2" not in str(row.query(given) if row.query else {})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_option_is_explained(row: Provider) -> None:
    assert [] == [option.name for option in row.options if not option.doc.endswith(".")]


def test_who_needs_a_host_to_be_named() -> None:
    assert {"milvus", "ollama", "qdrant"} == {row.name for row in ROWS if row.base_url is None}


def test_who_needs_no_key() -> None:
    assert {"modal", "ollama"} == {row.name for row in ROWS if not row.auth.needs_key}


def test_who_is_served_by_the_proxy_alone() -> None:
    assert {"meshy", "milvus", "qdrant", "tripo3d"} == {r.name for r in ROWS if not r.endpoints}


def test_what_is_always_sent() -> None:
    assert {
        "anthropic": {"anthropic-version": "2023-06-01"},
        "cerebras": {"User-Agent": "llmgateway"},
        "github": {"extra-parameters": "drop"},
        "openrouter": {
            "HTTP-Referer": "https://pypi.org/project/llmgateway/",
            "X-Title": "llmgateway",
        },
    } == {row.name: row.headers for row in ROWS if row.headers}


def test_openai_alone_takes_an_id_of_ours() -> None:
    assert {"openai": "X-Client-Request-Id"} == {
        row.name: row.request_id_header for row in ROWS if row.request_id_header
    }


def test_planned_providers_have_no_row() -> None:
    assert set() == PLANNED & set(builtin())


def test_the_planned_ones_are_the_translated_ones_of_the_contract() -> None:
    assert {
        "vertex-ai", "bedrock", "sagemaker", "cohere", "workers-ai", "palm",
        "ai21", "reka-ai", "stability-ai", "segmind", "nomic", "triton", "oracle", "bytez",
        "cortex",
    } == PLANNED  # fmt: skip
