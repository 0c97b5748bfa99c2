"""The check of a caller's JSON Web Token against a set of public keys.

Sources: RFC 7515, 7517, 7519; reference/portkey, guardrails, section 3.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import PlainValidator, WithJsonSchema

from llmgateway.guardrails.base import CheckFailed, ParameterFault, Services, Subject, Verdict
from llmgateway.guardrails.declare import check
from llmgateway.guardrails.outside import URL
from llmgateway.late import import_late
from llmgateway.types import JSON

_MAX_TOKEN = 16 * 1024
_MAX_KEYS = 100
_MIN_REFRESH_S = 60.0
_CURVES = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31557600}
_DURATION = re.compile(
    r"(\d{1,9})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?|y|yrs?|years?)"
)


def _seconds(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    match = _DURATION.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None:
        raise ParameterFault("A duration is a number of seconds, or a text like 30m, 12h or 1d")
    return float(int(match[1]) * _UNITS[match[2][0]])


Duration = Annotated[
    float, PlainValidator(_seconds), WithJsonSchema({"type": ["string", "number"]})
]


@check("default.jwt", stages=("input",), needs_text=False, window_limit=0)
async def jwt(
    subject: Subject,
    jwks_uri: Annotated[URL, "Where the public keys stand, as a JWK set."],
    header_key: Annotated[str, "The header that holds the token."] = "Authorization",
    cache_max_age: Annotated[float, "How many seconds keys are kept."] = 86400,
    clock_tolerance: Annotated[float, "By how many seconds clocks may differ."] = 5,
    max_token_age: Annotated[Duration, "From its `iat` on: seconds, or 30m, 12h, 1d."] = 86400.0,
    *,
    services: Services,
) -> Verdict:
    """Pass when a header holds a valid token, signed with one of the keys.

    The key says which algorithms it is for; `none` and shared secrets are never accepted.
    """
    library = _library()
    token = _token(subject.headers.get(header_key.lower(), ""))
    if not token:
        return _failed("The token is missing")
    try:
        header = library.get_unverified_header(token)
    except library.PyJWTError:
        return _failed("The token cannot be read")
    keys = await _keys(services, jwks_uri, cache_max_age, header.get("kid"))
    key = _choose(keys, header)
    if key is None:
        return _failed("No key of the set fits the token")
    try:
        claims = library.decode(
            token,
            library.PyJWK(key, algorithm=header["alg"]),
            algorithms=_algorithms(key),
            leeway=clock_tolerance,
            options={"verify_aud": False, "require": ["iat"]},
        )
    except library.PyJWTError as exc:
        return _failed(f"The token is not valid: {type(exc).__name__}")
    if time.time() - claims["iat"] > max_token_age + clock_tolerance:
        return _failed("The token is too old")
    return Verdict(True, {"explanation": "The token is valid"})


def _failed(explanation: str) -> Verdict:
    return Verdict(False, {"explanation": explanation})


def _library() -> Any:
    try:
        # An optional dependency, wanted by this check alone.
        return import_late("jwt")
    except ImportError:
        raise CheckFailed(
            "default.jwt needs PyJWT, which this gateway lacks; install llmgateway[jwt]"
        ) from None


def _token(value: str) -> str:
    scheme, _, rest = value.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else value.strip()
    return token if len(token) <= _MAX_TOKEN else ""


async def _keys(services: Services, uri: str, max_age_s: float, kid: Any) -> list[JSON]:
    """Return the set's keys; fetched anew for a key id that is not among those kept."""
    name = f"jwks:{uri}"
    kept: tuple[float, list[JSON]] | None = services.cached(name)
    now = time.monotonic()
    if kept is not None:
        is_known = kid is None or any(key.get("kid") == kid for key in kept[1])
        # Tokens with made-up ids must not make us ask again and again.
        if is_known or now - kept[0] < _MIN_REFRESH_S:
            return kept[1]
    fetched = await services.fetch("GET", uri)
    if not 200 <= fetched.status < 300:
        raise CheckFailed(f"The key set answered with status {fetched.status}")
    keys = _read_keys(fetched.body)
    services.keep(name, (now, keys), max_age_s)
    return keys


def _read_keys(body: bytes) -> list[JSON]:
    try:
        found = orjson.loads(body)["keys"]
        return [key for key in found if isinstance(key, dict)][:_MAX_KEYS]
    except (ValueError, KeyError, TypeError):
        raise CheckFailed("The key set cannot be read") from None


def _choose(keys: list[JSON], header: Mapping[str, Any]) -> JSON | None:
    kid, algorithm = header.get("kid"), header.get("alg")
    fitting = [
        key
        for key in keys
        if algorithm in _algorithms(key)
        and key.get("use", "sig") == "sig"
        and (kid is None or key.get("kid") == kid)
    ]
    # Without an id, only a set with one such key says which.
    return fitting[0] if len(fitting) == 1 or (fitting and kid is not None) else None


def _algorithms(key: JSON) -> tuple[str, ...]:
    """Return what a public key can verify; nothing for a shared secret."""
    kinds = {
        "RSA": _RSA,
        "EC": _CURVES.get(str(key.get("crv")), ()),
        "OKP": ("EdDSA",) if key.get("crv") == "Ed25519" else (),
    }
    can = kinds.get(str(key.get("kty")), ())
    stated = key.get("alg")
    return can if stated is None else tuple(one for one in can if one == stated)


CHECKS = (jwt,)
