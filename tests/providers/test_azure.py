"""Azure's deployments, versions and credentials; literal URLs as Azure's reference has them."""

from __future__ import annotations

import pytest

from llmgateway.errors import EndpointNotSupported, InvalidRequest
from llmgateway.providers import Place, Provider, builtin

OPENAI = builtin()["azure-openai"]
FOUNDRY = builtin()["azure-ai"]
RESOURCE = {"resource_name": "res", "deployment_id": "dep", "api_version": "2024-10-21"}
V1 = {"resource_name": "res", "api_version": "v1"}
ANTHROPIC = {"azure_foundry_url": "https://res.services.ai.azure.com/anthropic"}


def place(options: dict[str, str], model: str | None = None, suffix: str = "") -> Place:
    return Place(options, model, False, suffix)


def test_a_deployment_is_named_by_the_model_if_by_nothing_else() -> None:
    path = OPENAI.endpoints["chat"].path_for(place({"resource_name": "res"}, "gpt-4o"))

    assert "/deployments/gpt-4o/chat/completions" == path


def test_the_option_names_the_deployment_before_the_model() -> None:
    path = OPENAI.endpoints["chat"].path_for(place(RESOURCE, "gpt-4o"))

    assert "/deployments/dep/chat/completions" == path


def test_an_upload_without_a_deployment_says_what_to_do() -> None:
    with pytest.raises(InvalidRequest, match="deployment_id") as refusal:
        OPENAI.endpoints["transcription"].path_for(place({"resource_name": "res"}))

    assert "deployment_id" == refusal.value.param


@pytest.mark.parametrize(
    ("endpoint", "suffix", "path"),
    [
        ("chat", "", "/v1/chat/completions"),
        ("embeddings", "", "/v1/embeddings"),
        ("transcription", "", "/v1/audio/transcriptions"),
        ("responses", "/r-1", "/v1/responses/r-1"),
        ("files", "/file-1/content", "/v1/files/file-1/content"),
        ("batches", "", "/v1/batches"),
        ("models", "", "/v1/models"),
    ],
)
def test_the_v1_api_has_no_deployments(endpoint: str, suffix: str, path: str) -> None:
    assert path == OPENAI.endpoints[endpoint].path_for(place(V1, "gpt-4o", suffix))


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (RESOURCE, {"api-version": "2024-10-21"}),
        (V1, {}),
        ({"resource_name": "res"}, {}),
    ],
)
def test_the_version_of_azure_openai(options: dict[str, str], query: dict[str, str]) -> None:
    assert OPENAI.query is not None
    assert query == OPENAI.query(options)


@pytest.mark.parametrize(
    ("options", "suffix", "path"),
    [
        (RESOURCE, "/threads/t-1", "/threads/t-1"),
        (RESOURCE, "/chat/completions", "/deployments/dep/chat/completions"),
        (V1, "/vector_stores", "/v1/vector_stores"),
    ],
)
def test_where_azure_openai_proxies(options: dict[str, str], suffix: str, path: str) -> None:
    assert OPENAI.proxy_path is not None
    assert path == OPENAI.proxy_path(place(options, "gpt-4o", suffix))


@pytest.mark.parametrize("row", [OPENAI, FOUNDRY], ids=lambda row: row.name)
def test_a_token_of_entra_goes_as_bearer_and_beats_the_key(row: Provider) -> None:
    expected = ((b"authorization", b"Bearer T"),)

    assert expected == row.auth.headers("KEY", {"azure_ad_token": "T"})
    assert expected == row.auth.headers(None, {"azure_ad_token": "Bearer T"})


def test_a_row_of_azure_sends_nothing_without_a_credential() -> None:
    assert () == OPENAI.auth.headers(None, {})


def test_a_foundry_url_splits_into_origin_and_path() -> None:
    options = {"azure_foundry_url": "https://res.services.ai.azure.com/models/"}

    assert "https://res.services.ai.azure.com" == FOUNDRY.base_url_for(options)
    assert "/models/chat/completions" == FOUNDRY.endpoints["chat"].path_for(place(options))


def test_a_foundry_url_keeps_its_port() -> None:
    options = {"azure_foundry_url": "http://10.0.0.5:8080/x"}

    assert "http://10.0.0.5:8080" == FOUNDRY.base_url_for(options)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://res.services.ai.azure.com/models", "/openai/files/file-1"),
        ("https://res.services.ai.azure.com/openai/v1", "/openai/v1/files/file-1"),
    ],
)
def test_files_live_beside_the_models(url: str, path: str) -> None:
    options = {"azure_foundry_url": url}

    assert path == FOUNDRY.endpoints["files"].path_for(place(options, suffix="/file-1"))


def test_a_custom_host_takes_the_place_of_the_whole_foundry_url() -> None:
    options = {"azure_foundry_url": "https://res.services.ai.azure.com/models"}
    elsewhere = Place(options, None, False, "", custom_host=True)

    assert "/chat/completions" == FOUNDRY.endpoints["chat"].path_for(elsewhere)
    assert "/chat/completions" == FOUNDRY.endpoints["chat"].path_for(place({}))


def test_where_foundry_proxies() -> None:
    options = {"azure_foundry_url": "https://res.services.ai.azure.com/models"}

    assert FOUNDRY.proxy_path is not None
    assert "/models/info" == FOUNDRY.proxy_path(place(options, suffix="/info"))


def test_the_version_of_foundry() -> None:
    assert FOUNDRY.query is not None
    assert {} == FOUNDRY.query({})


def test_an_anthropic_url_takes_the_key_in_anthropics_header() -> None:
    assert ((b"x-api-key", b"KEY"),) == FOUNDRY.auth.headers("KEY", ANTHROPIC)


def test_an_anthropic_url_serves_no_chat_yet() -> None:
    with pytest.raises(EndpointNotSupported, match="Anthropic"):
        FOUNDRY.endpoints["chat"].path_for(place(ANTHROPIC))


def test_an_anthropic_url_is_proxied() -> None:
    assert FOUNDRY.proxy_path is not None
    assert "/anthropic/v1/models" == FOUNDRY.proxy_path(place(ANTHROPIC, suffix="/v1/models"))
