"""`llmgateway_reseal`: rows go over to the current key, and those that cannot are named."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from llmgateway.stores.sealing import UnknownSealingKey
from llmgateway_django import vault
from llmgateway_django.models import Integration
from llmgateway_django.seals import is_current, sealed_for, secrets_of
from llmgateway_django.vault import set_secrets

pytestmark = pytest.mark.django_db

OLD, NEW = "A" * 43, "B" * 43


@pytest.fixture(autouse=True)
def _old_ring(settings: Any) -> None:
    settings.LLMGATEWAY = {"KEY_RING": [OLD]}


def made(name: str) -> Integration:
    """Return an integration with a secret of its own."""
    integration: Integration = Integration.objects.create(name=name, provider="openai")
    set_secrets(integration, {"api_key": f"sk-{name}"})
    return integration


def resealed(*args: str, fails: bool = False) -> tuple[str, str]:
    """Run the command; returns what it writes, and what it complains of."""
    out, err = io.StringIO(), io.StringIO()
    if fails:
        with pytest.raises(CommandError) as caught:
            call_command("llmgateway_reseal", *args, stdout=out, stderr=err)
        return out.getvalue(), f"{err.getvalue()}{caught.value}"
    call_command("llmgateway_reseal", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_after_it_the_old_key_can_go(settings: Any) -> None:
    integrations = [made(f"{number}") for number in range(vault._BATCH + 3)]
    Integration.objects.create(name="none", provider="openai")
    settings.LLMGATEWAY = {"KEY_RING": [NEW, OLD]}

    many = len(integrations)
    assert f"{many} would be sealed anew, 0 had" in resealed("--dry-run")[0]
    assert f"{many} were sealed anew, 0 had" in resealed()[0]
    assert f"0 were sealed anew, {many} had" in resealed()[0]
    settings.LLMGATEWAY = {"KEY_RING": [NEW]}
    for integration in Integration.objects.exclude(name="none"):
        assert {"api_key": f"sk-{integration.name}"} == secrets_of(integration)


def test_from_the_secret_key_to_a_ring(settings: Any) -> None:
    settings.LLMGATEWAY = {}
    integration = made("one")
    settings.LLMGATEWAY = {"KEY_RING": [NEW]}
    resealed()

    with override_settings(SECRET_KEY="another one"):
        assert {"api_key": "sk-one"} == secrets_of(Integration.objects.get(pk=integration.pk))


def test_what_cannot_be_read_is_named_and_left_alone(settings: Any) -> None:
    lost, forged = made("lost"), made("forged")
    settings.LLMGATEWAY = {"KEY_RING": [NEW]}
    kept = made("kept")
    Integration.objects.filter(pk=forged.pk).update(sealed=kept.sealed)

    out, err = resealed(fails=True)
    assert "0 were sealed anew, 1 had" in out
    assert f"lost (openai) [{lost.pk}] cannot be read: sealed with the key" in err
    assert f"forged (openai) [{forged.pk}] cannot be read: the seal is broken" in err
    assert "2 cannot be read" in err and "sk-" not in err
    assert lost.sealed == Integration.objects.get(pk=lost.pk).sealed
    with pytest.raises(UnknownSealingKey):
        secrets_of(lost)


@pytest.mark.parametrize("new_ring", [[NEW, OLD], [OLD]], ids=["new-process", "old-process"])
def test_what_is_entered_meanwhile_is_not_lost(
    settings: Any, monkeypatch: pytest.MonkeyPatch, new_ring: list[str]
) -> None:
    """Also by a process that has the old ring yet: its row is read and sealed again."""
    integration = made("one")
    settings.LLMGATEWAY = {"KEY_RING": [NEW, OLD]}
    meanwhile = [integration]

    def seal_after_another(row: Integration, secrets: dict[str, str]) -> str:
        sealed = sealed_for(row, secrets)
        if meanwhile:
            other = meanwhile.pop()
            with override_settings(LLMGATEWAY={"KEY_RING": new_ring}):
                Integration.objects.filter(pk=other.pk).update(
                    sealed=sealed_for(other, {"api_key": "new"})
                )
        return sealed

    monkeypatch.setattr("llmgateway_django.vault.sealed_for", seal_after_another)
    resealed()
    after = Integration.objects.get(pk=integration.pk)
    assert not meanwhile and is_current(after)
    assert {"api_key": "new"} == secrets_of(after)


@pytest.mark.parametrize("gone", ["secrets", "row"])
def test_what_is_dropped_meanwhile_stays_so(
    settings: Any, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    integration = made("one")
    settings.LLMGATEWAY = {"KEY_RING": [NEW, OLD]}

    def seal_after_it_is_gone(row: Integration, secrets: dict[str, str]) -> str:
        rows = Integration.objects.filter(pk=integration.pk)
        if gone == "row":
            rows.delete()
        else:
            rows.update(sealed="")
        return sealed_for(row, secrets)

    monkeypatch.setattr("llmgateway_django.vault.sealed_for", seal_after_it_is_gone)
    assert "0 were sealed anew, 0 had" in resealed()[0]
    assert not Integration.objects.exclude(sealed="").exists()
