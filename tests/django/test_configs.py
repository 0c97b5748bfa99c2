"""Saved configs: what is refused, with its place; and that versions are only added."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from llmgateway_django.configs import MAX_CONFIG_BYTES, check_config, save_config
from llmgateway_django.models import (
    AuditEvent,
    Integration,
    SavedConfig,
    SavedConfigVersion,
    VirtualKey,
    Workspace,
)

pytestmark = pytest.mark.django_db

BODY: dict[str, Any] = {
    "strategy": {"mode": "fallback"},
    "targets": [{"provider": "openai"}, {"provider": "@groq", "override_params": {"model": "m"}}],
}


@pytest.fixture
def config() -> SavedConfig:
    workspace = Workspace.objects.create(name="Research", slug="research")
    made: SavedConfig = SavedConfig.objects.create(workspace=workspace, name="Main")
    return made


def test_each_change_is_a_version(config: SavedConfig) -> None:
    ann = get_user_model().objects.create_user("ann")
    first = save_config(config, BODY, by=ann)
    second = save_config(config, '{"provider": "openai"}')

    assert [(2, {"provider": "openai"}, ""), (1, BODY, str(ann.pk))] == [
        (version.number, version.body, version.created_by) for version in config.versions.all()
    ]
    assert (1, 2) == (first.number, second.number)
    assert ["config_saved", "config_saved"] == [row.action for row in AuditEvent.objects.all()]
    assert [{"version": [None, 1]}, {"version": [1, 2]}] == [
        event.changes for event in AuditEvent.objects.order_by("pk")
    ]


def test_what_says_the_same_is_no_version(config: SavedConfig) -> None:
    first = save_config(config, BODY)
    same = save_config(config, dict(reversed(BODY.items())))

    assert first == same
    assert 1 == SavedConfigVersion.objects.count() == AuditEvent.objects.count()
    # What was said before may be said again.
    save_config(config, {"provider": "openai"})
    assert 3 == save_config(config, BODY).number


def test_virtual_keys_of_the_workspace_may_be_named(config: SavedConfig) -> None:
    azure = Integration.objects.create(
        name="Azure", provider="azure-openai", options={"resource_name": "shop"}
    )
    VirtualKey.objects.create(workspace=config.workspace, slug="ours", integration=azure)
    other = Workspace.objects.create(name="Other", slug="other")
    VirtualKey.objects.create(workspace=other, slug="theirs", integration=azure)

    for body in ({"virtual_key": "ours"}, {"provider": "@ours"}):
        assert body == save_config(config, body).body
    for body in ({"virtual_key": "theirs"}, {"provider": "@theirs"}):
        with pytest.raises(ValidationError, match="theirs"):
            save_config(config, body)


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        ("{", ["This is no JSON."]),
        ("[]", ["A config is a JSON object."]),
        ('{"provider": "\ud800"}', ["This is no JSON."]),
        ({"provider": {1, 2}}, ["This is no JSON."]),
        ("{" + " " * MAX_CONFIG_BYTES + "}", ["at most"]),
        ({"provider": "openai", "override_params": {"user": "a\x00"}}, ["no NUL"]),
        ({"provider": "opnai"}, ["provider: Invalid provider passed: 'opnai'. Did you mean"]),
        ({**BODY, "targets": [{"provider": "a"}, {"provider": "b", "retry": {"attempts": -1}}]},
         ["targets[1].retry.attempts: "]),
        ({**BODY, "targets": [{"provider": "a-provider"}, {"provider": "azure-openai"}]},
         ["targets[0].provider: Invalid", "targets[1].resource_name: Provider azure-openai needs"]),
        ({**BODY, "retry": 3, "targets": []}, ["retry: ", "targets: "]),
    ],
)  # fmt: skip
def test_faults_are_told_with_their_place(
    config: SavedConfig, body: Any, messages: list[str]
) -> None:
    with pytest.raises(ValidationError) as caught:
        save_config(config, body)
    told = sorted(caught.value.messages)
    assert len(messages) == len(told)
    assert all(words in text for words, text in zip(sorted(messages), told, strict=True)), told
    assert not SavedConfigVersion.objects.exists()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"provider": "openai", "api_key": "sk-1"}, "api_key"),
        ({**BODY, "apiKey": "sk-1"}, "apiKey"),
        ({**BODY, "targets": [{"provider": "openai"}, {"provider": "openai", "api_key": "sk-1"}]},
         "targets[1].api_key"),
        ({"provider": "azure-openai", "azureAdToken": "sk-1"}, "azureAdToken"),
    ],
)  # fmt: skip
def test_secrets_are_refused(config: SavedConfig, body: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationError) as caught:
        check_config(config.workspace, body)
    (message,) = caught.value.messages
    assert message.startswith(f"{path}: is a secret") and "sk-1" not in message


def test_a_policy_alone_is_completed_by_requests(config: SavedConfig) -> None:
    assert 1 == save_config(config, {"retry": {"attempts": 2}}).number
