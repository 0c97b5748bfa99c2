"""Options: their keys and headers as the contract spells them, and what they may hold."""

from __future__ import annotations

import pytest

from llmgateway.errors import InvalidRequest
from llmgateway.providers import Option, Provider, builtin

HEADERS = {
    "openai-organization": [(("openai",), "openai_organization")],
    "openai-project": [(("openai",), "openai_project")],
    "openai-beta": [(("openai",), "openai_beta")],
    "azure-resource-name": [(("azure-openai",), "resource_name")],
    "azure-deployment-id": [(("azure-openai",), "deployment_id")],
    "azure-api-version": [
        (("azure-ai",), "azure_api_version"),
        (("azure-openai",), "api_version"),
    ],
    "azure-ad-token": [(("azure-ai", "azure-openai"), "azure_ad_token")],
    "azure-auth-mode": [(("azure-ai", "azure-openai"), "azure_auth_mode")],
    "azure-foundry-url": [(("azure-ai",), "azure_foundry_url")],
    "azure-deployment-name": [(("azure-ai",), "azure_deployment_name")],
    "azure-extra-params": [(("azure-ai",), "azure_extra_parameters")],
    "huggingface-base-url": [(("huggingface",), "huggingface_base_url")],
    "mistral-fim-completion": [(("mistral-ai",), "mistral_fim_completion")],
    "anthropic-beta": [(("anthropic",), "anthropic_beta")],
    "anthropic-version": [(("anthropic",), "anthropic_version")],
}


def option(provider: str, name: str) -> Option:
    (found,) = (option for option in builtin()[provider].options if option.name == name)
    return found


def test_the_headers_are_the_contracts() -> None:
    found = {
        header: [(providers, option.name) for providers, option in meanings]
        for header, meanings in builtin().option_headers().items()
    }

    assert HEADERS == found


def test_what_sdks_send_without_a_prefix() -> None:
    found = {
        header: [(meaning.providers, meaning.option.name) for meaning in meanings]
        for header, meanings in builtin().bare_headers().items()
    }

    assert {
        "openai-organization": [(("openai",), "openai_organization")],
        "openai-project": [(("openai",), "openai_project")],
        "openai-beta": [(("openai",), "openai_beta")],
        "anthropic-beta": [(("anthropic",), "anthropic_beta")],
        "anthropic-version": [(("anthropic",), "anthropic_version")],
    } == found


@pytest.mark.parametrize(
    ("provider", "name", "header"),
    [
        ("openai", "openai_organization", "OpenAI-Organization"),
        ("openai", "openai_project", "OpenAI-Project"),
        ("openai", "openai_beta", "OpenAI-Beta"),
        ("azure-ai", "azure_extra_parameters", "extra-parameters"),
        ("azure-ai", "azure_deployment_name", "azureml-model-deployment"),
    ],
)
def test_what_goes_on_as_a_header(provider: str, name: str, header: str) -> None:
    assert header == option(provider, name).send_as


def test_azure_ai_drops_what_it_does_not_know_unless_told_otherwise() -> None:
    assert "drop" == option("azure-ai", "azure_extra_parameters").default


@pytest.mark.parametrize(
    ("provider", "name"),
    [("azure-openai", "resource_name"), ("azure-ai", "azure_foundry_url")],
)
def test_what_a_target_must_have(provider: str, name: str) -> None:
    assert [name] == [option.name for option in builtin()[provider].options if option.required]


@pytest.mark.parametrize(
    ("provider", "name"),
    [("azure-ai", "azure_foundry_url"), ("huggingface", "huggingface_base_url")],
)
def test_what_names_a_host(provider: str, name: str) -> None:
    assert option(provider, name).is_url


def test_only_these_options_name_a_host_or_are_secret() -> None:
    marked = {option.name for row in builtin().values() for option in row.options if option.is_url}
    secret = {option.name for row in builtin().values() for option in row.options if option.secret}

    assert {"azure_foundry_url", "huggingface_base_url"} == marked
    assert {"azure_ad_token"} == secret


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        ("openai", {"openai_project": "anything"}),
        ("openai", {"not_an_option": "x"}),
        ("mistral-ai", {"mistral_fim_completion": "true"}),
        ("azure-ai", {"azure_extra_parameters": "pass-through"}),
    ],
)
def test_options_that_may_be(provider: str, options: dict[str, str]) -> None:
    builtin()[provider].check_options(options)


@pytest.mark.parametrize(
    ("provider", "options", "words"),
    [
        ("mistral-ai", {"mistral_fim_completion": "yes"}, "must be one of: true, false"),
        ("azure-ai", {"azure_extra_parameters": "keep"}, "must be one of: drop"),
        ("azure-openai", {"azure_auth_mode": "entra"}, "not available yet"),
        ("azure-ai", {"azure_auth_mode": "managed"}, "not available yet"),
    ],
)
def test_options_that_may_not_be(provider: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as refusal:
        builtin()[provider].check_options(options)

    assert [refusal.value.param] == list(options)


def test_an_options_header_is_its_name_with_dashes_unless_it_says_otherwise() -> None:
    assert "one-two" == Option("one_two").header_suffix
    assert "other" == Option("one_two", header="other").header_suffix


def test_a_base_url_has_no_slash_at_its_end() -> None:
    row = Provider("x", "https://api.example/v1/", {}, "https://docs.example")

    assert "https://api.example/v1" == row.base_url_for({})
