"""Keys as a project makes them: what they are kept as, and who hears of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.dispatch import Signal
from django.test import override_settings
from pytest_django import DjangoCaptureOnCommitCallbacks

from llmgateway.engine.client_keys import has_checksum
from llmgateway_django.keys import create_key, digest_with, peppers, revoke_key, rotate_key
from llmgateway_django.models import APIKey, APIKeySecret, AuditEvent, Workspace
from llmgateway_django.signals import key_created, key_revoked, key_rotated


@pytest.fixture
def workspace(db: None) -> Workspace:
    made: Workspace = Workspace.objects.create(name="Research", slug="research")
    return made


# ---- peppers


def test_a_pepper_is_hkdf_of_the_project_s_secret_key() -> None:
    cryptography = pytest.importorskip("cryptography.hazmat.primitives.kdf.hkdf")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")

    def derived(purpose: bytes) -> bytes:
        made: bytes = cryptography.HKDF(hashes.SHA256(), 32, None, purpose).derive(b"the project's")
        return made

    with override_settings(SECRET_KEY="the project's"):
        (pepper,) = peppers()
    assert derived(b"llmgateway API keys: pepper") == pepper.secret
    assert derived(b"llmgateway API keys: pepper id")[:8].hex() == pepper.id


def test_the_current_pepper_comes_first_and_none_twice() -> None:
    with override_settings(SECRET_KEY="b", SECRET_KEY_FALLBACKS=["a", "b", ""]):
        first, second = peppers()
    with override_settings(SECRET_KEY="b"):
        assert [first] == list(peppers())
    with override_settings(SECRET_KEY="a"):
        assert [second] == list(peppers())


def test_a_pepper_shows_only_its_name() -> None:
    (pepper,) = peppers()

    assert f"Pepper(id='{pepper.id}')" == repr(pepper)


def test_a_digest_is_not_another_s_with_another_pepper() -> None:
    with override_settings(SECRET_KEY="b", SECRET_KEY_FALLBACKS=["a"]):
        one, other = (digest_with(pepper, "sha256:00") for pepper in peppers())

    assert one != other
    assert hashlib.sha256(b"sha256:00").hexdigest() not in (one, other)


# ---- keys


def test_a_new_key_shows_its_secret_in_no_repr(workspace: Workspace) -> None:
    made = create_key(workspace, "ci")

    assert has_checksum(made.secret)
    assert made.secret not in f"{made!r} {made.api_key!r} {made.api_key.secrets.get()!r}"
    assert made.secret.endswith(APIKeySecret.objects.get().hint)


def test_a_revoked_key_keeps_the_time_of_its_first_end(workspace: Workspace) -> None:
    key = create_key(workspace, "ci").api_key
    revoke_key(key)
    ended = APIKey.objects.get().revoked_at

    revoke_key(key)
    revoke_key(APIKey.objects.get())

    assert ended == APIKey.objects.get().revoked_at


def test_grace_never_makes_a_secret_last_longer(workspace: Workspace) -> None:
    first = create_key(workspace, "ci")
    rotate_key(first.api_key, grace=timedelta(minutes=1))
    before = APIKeySecret.objects.get(hint=first.secret[-4:]).valid_until

    rotate_key(first.api_key, grace=timedelta(days=1))

    assert before == APIKeySecret.objects.get(hint=first.secret[-4:]).valid_until


# ---- who hears of them


@contextmanager
def heard(signal: Signal) -> Iterator[list[Any]]:
    """Collect the keys that a signal tells of."""
    keys: list[Any] = []

    def receive(api_key: APIKey, **others: Any) -> None:
        keys.append(api_key)
        raise RuntimeError("a receiver of the project fails")

    signal.connect(receive)
    try:
        yield keys
    finally:
        signal.disconnect(receive)


@pytest.mark.parametrize(
    ("signal", "change"),
    [(key_rotated, rotate_key), (key_revoked, revoke_key)],
    ids=["rotated", "revoked"],
)
def test_changes_are_told_once_they_are_committed(
    signal: Signal,
    change: Callable[[APIKey], object],
    workspace: Workspace,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    key = create_key(workspace, "ci").api_key

    with heard(signal) as keys:
        with django_capture_on_commit_callbacks(execute=True):
            change(key)
            assert [] == keys

    assert [key] == keys


def test_a_new_key_is_told_once_it_is_there(
    workspace: Workspace, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with heard(key_created) as keys, django_capture_on_commit_callbacks(execute=True):
        made = create_key(workspace, "ci")

    assert [made.api_key] == keys


def test_what_was_rolled_back_is_told_to_nobody(
    workspace: Workspace, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with heard(key_created) as keys, django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            create_key(workspace, "ci")
            raise ZeroDivisionError

    assert [] == keys


# ---- the audit


def test_the_audit_tells_who_made_rotated_and_revoked_a_key(workspace: Workspace) -> None:
    ann = get_user_model().objects.create_user("ann")
    made = create_key(workspace, "CI", by=ann)
    rotated = rotate_key(made.api_key, by=ann)
    revoke_key(made.api_key, by=ann)
    revoke_key(made.api_key, by=ann)

    events = list(AuditEvent.objects.order_by("pk"))
    assert ["created", "rotated", "revoked"] == [event.action for event in events]
    told = {(event.actor_name, event.object_id, event.workspace) for event in events}
    assert {("ann", str(made.api_key.pk), str(workspace.pk))} == told
    assert [None, "CI"] == events[0].changes["name"]
    kept = str([vars(event) for event in events])
    assert made.secret[4:] not in kept and rotated.secret[4:] not in kept


def test_a_key_that_is_not_made_leaves_no_event(workspace: Workspace) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        create_key(workspace, "CI")
        raise ZeroDivisionError
    assert not AuditEvent.objects.exists()
