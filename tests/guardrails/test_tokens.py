"""Tokens: which are taken, which key verifies them, how often keys are fetched."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from llmgateway.guardrails import CheckFailed, Fetched, ParameterFault, Subject, Verdict
from llmgateway.types import JSON
from tests.guardrails.stubs import StubServices, bound, run, subject

jwt = pytest.importorskip("jwt")
ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa")

URI = "https://issuer.example/keys"
RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS = {"RS256": RSA, "PS256": RSA, "ES256": EC, "EdDSA": ED}


def jwk(key: Any, algorithm: str, **more: Any) -> JSON:
    made: JSON = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return {**made, **more}


PUBLIC = [jwk(RSA, "RS256", kid="r"), jwk(EC, "ES256", kid="e"), jwk(ED, "EdDSA", kid="d")]


def token(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "r", **claims: Any) -> str:
    given = {"iat": int(time.time()), **claims}
    headers = {} if kid is None else {"kid": kid}
    return str(jwt.encode(given, key, algorithm, headers=headers))


def with_keys(*keys: JSON) -> StubServices:
    body = json.dumps({"keys": list(keys or PUBLIC)}).encode()
    return StubServices({URI: Fetched(200, {}, body)})


def asking(value: str, name: str = "authorization") -> Subject:
    return subject("hi", stage="input", headers={name: value})


async def verdict(value: str, services: StubServices | None = None, **more: Any) -> Verdict:
    one = bound("jwt", {"jwksUri": URI, **more})
    return await run(one, asking(value), services or with_keys())


@pytest.mark.parametrize(
    ("algorithm", "kid"), [("RS256", "r"), ("PS256", "r"), ("ES256", "e"), ("EdDSA", "d")]
)
async def test_good_tokens(algorithm: str, kid: str) -> None:
    made = token(KEYS[algorithm], algorithm, kid, exp=int(time.time()) + 60, aud="anyone")
    assert (await verdict(f"Bearer {made}")).passed
    assert (await verdict(f"bearer  {made}")).passed
    assert (await verdict(made)).passed


async def test_another_header() -> None:
    one = bound("jwt", {"jwksUri": URI, "headerKey": "X-Token"})
    assert (await run(one, asking(token(), "x-token"), with_keys())).passed
    assert not (await run(one, asking(token()), with_keys())).passed


async def test_bad_tokens() -> None:
    now = int(time.time())
    good = token()
    head, claims, signature = good.split(".")
    bad = {
        "nothing": "",
        "no token": "Bearer",
        "words": "Bearer abc.def",
        "another key": token(OTHER),
        "an unknown id": token(kid="x"),
        "another's id": token(kid="e"),
        "expired": token(exp=now - 60),
        "not yet": token(nbf=now + 60),
        "from the future": token(iat=now + 3600),
        "too old": token(iat=now - 90_000),
        "no signature": f"{head}.{claims}.",
        "changed": f"{head}.{claims[:-2]}AA.{signature}",
        "too long": "x" * 20_000,
    }
    for name, value in bad.items():
        found = await verdict(value)
        assert not found.passed, name
        assert isinstance(found.data["explanation"], str)


async def test_no_algorithm_and_shared_secrets_are_refused() -> None:
    unsigned = jwt.encode({"iat": int(time.time())}, None, "none", headers={"kid": "r"})
    assert not (await verdict(unsigned)).passed
    secret = "s" * 64
    shared = {"kty": "oct", "k": "c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M", "kid": "r"}
    signed = token(secret, "HS256")
    assert not (await verdict(signed, with_keys(shared))).passed
    assert not (await verdict(signed)).passed


async def test_a_key_says_what_it_is_for() -> None:
    assert not (await verdict(token(), with_keys(jwk(RSA, "RS256", kid="r", alg="RS512")))).passed
    assert not (await verdict(token(), with_keys(jwk(RSA, "RS256", kid="r", use="enc")))).passed
    assert (await verdict(token(), with_keys(jwk(RSA, "RS256", kid="r", use="sig")))).passed


async def test_without_an_id_only_one_key_will_do() -> None:
    assert (await verdict(token(kid=None), with_keys(jwk(RSA, "RS256")))).passed
    two = with_keys(jwk(RSA, "RS256"), jwk(OTHER, "RS256"))
    assert not (await verdict(token(kid=None), two)).passed


async def test_ages_and_tolerance() -> None:
    old = token(iat=int(time.time()) - 100)
    assert (await verdict(old, maxTokenAge="2m")).passed
    assert not (await verdict(old, maxTokenAge="1m")).passed
    assert (await verdict(old, maxTokenAge=60, clockTolerance=60)).passed
    assert (await verdict(token(exp=int(time.time()) - 10), clockTolerance=60)).passed


async def test_keys_are_kept() -> None:
    services = with_keys()
    for _ in range(3):
        assert (await verdict(token(), services, cacheMaxAge=100)).passed
    # An unknown id does not make us ask at once again.
    assert not (await verdict(token(kid="x"), services)).passed
    assert len(services.asked) == 1
    assert set(services.ages.values()) == {100}
    name = next(iter(services.kept))
    fetched, keys = services.kept[name]
    services.kept[name] = (fetched - 61, keys)
    assert not (await verdict(token(kid="x"), services)).passed
    assert len(services.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        CheckFailed("The connection failed"),
        Fetched(500, {}, b"{}"),
        Fetched(200, {}, b"<html>"),
        Fetched(200, {}, b"[]"),
        Fetched(200, {}, b"{}"),
    ],
)
async def test_keys_that_are_away_are_an_error(answer: Any) -> None:
    with pytest.raises(CheckFailed):
        await verdict(token(), StubServices({URI: answer}))


@pytest.mark.parametrize("age", ["", "soon", "1 fortnight", -1, 0, True, None, "9" * 30 + "d"])
def test_durations_that_are_none(age: Any) -> None:
    with pytest.raises(ParameterFault) as found:
        bound("jwt", {"jwksUri": URI, "maxTokenAge": age})
    assert found.value.path == ("maxTokenAge",)


async def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jwt", None)
    with pytest.raises(CheckFailed, match=r"llmgateway\[jwt\]"):
        await verdict("Bearer x")
