"""The key ring: how it is said, and that no key of a client goes with a change of it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from llmgateway.providers import builtin
from llmgateway.settings import client_key_digest
from llmgateway.stores.sealing import UnknownSealingKey
from llmgateway_django.conf import Conf, read_conf
from llmgateway_django.database import InlineDatabase
from llmgateway_django.keys import create_key
from llmgateway_django.models import APIKeySecret, Workspace
from llmgateway_django.ring import has_ring, peppers, secret_box
from llmgateway_django.stores import DjangoKeyStore

ONE, TWO = b"1" * 32, bytes(range(224, 256))


def text(key: bytes) -> str:
    """Return a key as one writes it."""
    return base64.urlsafe_b64encode(key).decode()


def read(ring: Any, **environment: str) -> Conf:
    """Read a setting that says this ring."""
    return read_conf({"KEY_RING": ring}, environment, builtin())


@pytest.mark.parametrize(
    ("said", "ring"),
    [
        ((), ()),
        (text(ONE), (ONE,)),
        ([text(TWO), text(ONE)], (TWO, ONE)),
        ((text(TWO).rstrip("="),), (TWO,)),
        ([base64.b64encode(TWO).decode()], (TWO,)),
        ("env:RING", (TWO, ONE)),
        (["env:ONE", text(TWO)], (ONE, TWO)),
        ([text(ONE), text(ONE)], (ONE,)),
    ],
    ids=["none", "one", "list", "unpadded", "plain-base64", "several", "variable", "twice"],
)
def test_a_ring_is_said_in_many_ways(said: Any, ring: tuple[bytes, ...]) -> None:
    conf = read(said, RING=f"{text(TWO)}, {text(ONE)}\n", ONE=text(ONE))

    assert ring == conf.key_ring
    assert "1111" not in repr(conf)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("too-short-to-be-a-key", "KEY_RING: must be 32 bytes"),
        ([text(ONE), text(ONE)[:-8] + "!!!!!!!="], "KEY_RING[1]: must be 32 bytes"),
        ([text(ONE + TWO)], "KEY_RING[0]: must be 32 bytes"),
        ([7], "KEY_RING[0]: must be 32 bytes"),
        (None, "KEY_RING: must be 32 bytes"),
        ("", "KEY_RING: must be 32 bytes"),
        (["env:NOT_SET"], "KEY_RING[0]: the environment variable NOT_SET"),
        ("env:SHORT", "KEY_RING: must be 32 bytes"),
    ],
)
def test_a_fault_is_told_with_its_place_and_without_the_value(said: Any, place: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read(said, SHORT="too-short")
    assert str(caught.value).startswith(f"LLMGATEWAY.{place}")
    assert "short" not in str(caught.value) and "!!!" not in str(caught.value)


def test_a_ring_comes_before_the_secret_key_which_still_opens() -> None:
    sealed = secret_box().seal("abc", "place")
    with override_settings(LLMGATEWAY={"KEY_RING": [text(ONE)]}):
        assert has_ring()
        assert not secret_box().is_current(sealed)
        assert "abc" == secret_box().open(sealed, "place")
        anew = secret_box().seal("abc", "place")
    assert not has_ring()
    with pytest.raises(UnknownSealingKey):
        secret_box().open(anew, "place")


def test_what_a_former_secret_key_sealed_opens_as_long_as_it_is_a_fallback() -> None:
    with override_settings(SECRET_KEY="before"):
        sealed = secret_box().seal("abc", "place")
    with override_settings(SECRET_KEY="after", SECRET_KEY_FALLBACKS=["before"]):
        assert "abc" == secret_box().open(sealed, "place")
    with override_settings(SECRET_KEY="after"), pytest.raises(UnknownSealingKey):
        secret_box().open(sealed, "place")


def test_keys_that_are_derived_for_one_purpose_serve_no_other() -> None:
    with override_settings(LLMGATEWAY={"KEY_RING": [text(ONE)]}, SECRET_KEY="s"):
        (pepper, _), box = peppers(), secret_box()
    assert ONE not in (pepper.secret, pepper.id.encode())
    assert pepper.id not in repr(box)


@pytest.mark.django_db(transaction=True)
async def test_setting_a_ring_and_turning_it_loses_no_api_key() -> None:
    """Each use keys the digest anew, so that the pepper before it can go."""
    workspace = await Workspace.objects.acreate(name="Research", slug="research")
    made = await _create(workspace)
    digest = client_key_digest(made)
    rings: list[list[str]] = [[], [text(ONE)], [text(TWO), text(ONE)], [text(TWO)]]
    names = set()
    for ring in rings:
        with override_settings(LLMGATEWAY={"KEY_RING": ring}):
            (found,) = await DjangoKeyStore(InlineDatabase()).find([digest])
            names.add((await APIKeySecret.objects.aget()).pepper_id)
    assert digest == found.digest
    assert 3 == len(names)


async def _create(workspace: Workspace) -> str:
    made = await sync_to_async(create_key)(workspace, "a key")
    return made.secret
