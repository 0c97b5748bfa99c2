"""Nothing from an option, a model or a body can leave its place in a URL."""

from __future__ import annotations

import pytest

from llmgateway.errors import InvalidRequest
from llmgateway.providers import Place, builtin, quote_host_label, quote_segment

NO_LABELS = [
    "", "a#b", "a/../b", "evil.com/", "evil.com", "a b", "a@b", "a:1", "a%2eb", "a\\b", "-a", "a-",
    "a_b", "é", "a\n", "a\x00", "a?b", "a" * 64, "\ud800", "x.openai.azure.com@evil.com",
]  # fmt: skip


@pytest.mark.parametrize("value", NO_LABELS)
def test_a_host_label_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest):
        quote_host_label(value, "resource_name")


@pytest.mark.parametrize("value", NO_LABELS)
def test_a_resource_name_cannot_name_another_host(value: str) -> None:
    with pytest.raises(InvalidRequest, match="resource_name"):
        builtin()["azure-openai"].base_url_for({"resource_name": value})


@pytest.mark.parametrize(
    ("value", "label"), [("My-Res-1", "my-res-1"), ("a", "a"), ("a" * 63, "a" * 63)]
)
def test_a_host_label_is_taken(value: str, label: str) -> None:
    assert label == quote_host_label(value, "resource_name")


@pytest.mark.parametrize("value", ["", ".", "..", "a\nb", "a\x00", "\x7f", "a\udc80"])
def test_a_segment_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest, match="deployment"):
        quote_segment(value, "deployment")


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("gpt-4.1_mini~", "gpt-4.1_mini~"),
        ("a/../b", "a%2F..%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("%2e%2e", "%252e%252e"),
        ("a;b\\c", "a%3Bb%5Cc"),
        ("é", "%C3%A9"),
        ("...", "..."),
    ],
)
def test_a_segment_is_quoted(value: str, segment: str) -> None:
    assert segment == quote_segment(value, "deployment")


@pytest.mark.parametrize("deployment", ["../admin", "a?x=", "a#", "a/b"])
def test_a_deployment_stays_one_segment(deployment: str) -> None:
    options = {"resource_name": "res", "deployment_id": deployment}
    endpoint = builtin()["azure-openai"].endpoints["chat"]

    path = endpoint.path_for(Place(options, None, False, ""))

    assert 4 == path.count("/") and not set("?#") & set(path)


@pytest.mark.parametrize(
    ("user", "model"), [("../x", "base"), ("a/b", "base"), ("t", "a/b"), ("t", "../..:a")]
)
def test_a_tenant_and_a_model_stay_one_segment_each(user: str, model: str) -> None:
    endpoint = builtin()["predibase"].endpoints["chat"]

    path = endpoint.path_for(Place({}, model, False, "", {"user": user}))

    assert 8 == path.count("/")


@pytest.mark.parametrize(
    "url",
    [
        "", "evil.com", "ftp://evil.com", "https://user@evil.com", "https://evil.com?x=1",
        "https://evil.com/#x", "https://evil.com\\x", "https://e vil.com", "https://evil.com:99999",
        "file:///etc/passwd",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("provider", "option"),
    [("azure-ai", "azure_foundry_url"), ("huggingface", "huggingface_base_url")],
)
def test_a_url_option_has_the_form_of_a_custom_host(provider: str, option: str, url: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid custom host") as refusal:
        builtin()[provider].base_url_for({option: url})

    assert option == refusal.value.param
