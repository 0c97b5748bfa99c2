"""What each key of a config may hold, in either spelling."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.config import Branch, Fallback, Policy, Retry, parse_config
from llmgateway.config.schema import Target, camel_case, snake_case
from tests.config.faults import branch, faults, leaf

PLAIN = {"provider": "acme", "api_key": "k"}
INTEGER = "Input should be a valid integer"
STRING = "Input should be a valid string"
BOOLEAN = "Input should be a valid boolean"
NUMBER = "Input should be a valid number"
OBJECT = "Input should be an object"
TOO_SMALL = "Input should be greater than or equal to 100"
LIST = "Input should be a valid list"
UNKNOWN = "Unknown key, or one that is given twice"
HEADER_TEXT = "Must hold Latin-1 text without control characters, and no space at either end"
HOST = "Invalid custom host"
MODES = "Input should be 'single', 'loadbalance', 'fallback' or 'conditional'"


@pytest.mark.parametrize(
    ("keys", "path", "text"),
    [
        ({"provider": 5}, "provider", STRING),
        ({"provider": "a\nb"}, "provider", HEADER_TEXT),
        ({"api_key": 5}, "api_key", STRING),
        ({"api_key": ["k"]}, "api_key", STRING),
        ({"api_key": "k\r\nx-evil: 1"}, "api_key", HEADER_TEXT),
        ({"api_key": "k\0"}, "api_key", HEADER_TEXT),
        ({"api_key": "k\u20ac"}, "api_key", HEADER_TEXT),
        ({"api_key": "k\x7f"}, "api_key", HEADER_TEXT),
        ({"api_key": "k\x85"}, "api_key", HEADER_TEXT),
        ({"api_key": " k"}, "api_key", HEADER_TEXT),
        ({"api_key": "k "}, "api_key", HEADER_TEXT),
        ({"name": 5}, "name", STRING),
        ({"weight": "1"}, "weight", NUMBER),
        ({"weight": True}, "weight", NUMBER),
        ({"weight": -0.1}, "weight", "Input should be greater than or equal to 0"),
        ({"retry": 3}, "retry", OBJECT),
        ({"retry": []}, "retry", OBJECT),
        ({"retry": {"attempts": "3"}}, "retry.attempts", INTEGER),
        ({"retry": {"attempts": True}}, "retry.attempts", INTEGER),
        ({"retry": {"attempts": 3.0}}, "retry.attempts", INTEGER),
        (
            {"retry": {"attempts": -1}},
            "retry.attempts",
            "Input should be greater than or equal to 0",
        ),
        ({"retry": {"attempts": 11}}, "retry.attempts", "Input should be less than or equal to 10"),
        ({"retry": {"on_status_codes": 429}}, "retry.on_status_codes", LIST),
        ({"retry": {"on_status_codes": ["429"]}}, "retry.on_status_codes.0", INTEGER),
        (
            {"retry": {"onStatusCodes": [429, 99]}},
            "retry.onStatusCodes.1",
            TOO_SMALL,
        ),
        (
            {"retry": {"on_status_codes": [600]}},
            "retry.on_status_codes.0",
            "Input should be less than or equal to 599",
        ),
        ({"retry": {"use_retry_after_header": 1}}, "retry.use_retry_after_header", BOOLEAN),
        ({"retry": {"useRetryAfterHeaders": "true"}}, "retry.useRetryAfterHeaders", BOOLEAN),
        ({"retry": {"jitter": "full"}}, "retry.jitter", BOOLEAN),
        ({"retry": {"backoff": 2}}, "retry.backoff", UNKNOWN),
        (
            {"retry": {"on_status_codes": [429], "onStatusCodes": [500]}},
            "retry.onStatusCodes",
            UNKNOWN,
        ),
        ({"request_timeout": "1000"}, "request_timeout", INTEGER),
        ({"request_timeout": 1.5}, "request_timeout", INTEGER),
        ({"request_timeout": True}, "request_timeout", INTEGER),
        ({"requestTimeout": 0}, "requestTimeout", "Input should be greater than 0"),
        ({"request_timeout": -5}, "request_timeout", "Input should be greater than 0"),
        ({"custom_host": 5}, "custom_host", STRING),
        ({"custom_host": ""}, "custom_host", HOST),
        ({"customHost": "ftp://example.com"}, "customHost", HOST),
        ({"custom_host": "http://user@example.com"}, "custom_host", HOST),
        ({"forward_headers": "x-a"}, "forward_headers", LIST),
        ({"forward_headers": [5]}, "forward_headers.0", STRING),
        ({"forward_headers": ["x-a", "x b"]}, "forward_headers.1", "Must be the name of a header"),
        ({"forward_headers": [""]}, "forward_headers.0", "Must be the name of a header"),
        (
            {"forward_headers": ["X-Portkey-Forward-Headers"]},
            "forward_headers.0",
            "forward_headers must not contain the 'x-portkey-forward-headers' header",
        ),
        (
            {"forwardHeaders": ["x-llmgateway-forward-headers"]},
            "forwardHeaders.0",
            "forward_headers must not contain the 'x-llmgateway-forward-headers' header",
        ),
        ({"override_params": []}, "override_params", OBJECT),
        ({"override_params": "x"}, "override_params", OBJECT),
        ({"strict_open_ai_compliance": "false"}, "strict_open_ai_compliance", BOOLEAN),
        ({"strictOpenAiCompliance": 0}, "strictOpenAiCompliance", BOOLEAN),
        ({"on_status_codes": [1]}, "on_status_codes.0", TOO_SMALL),
        ({"resource_name": "a\nb"}, "resource_name", HEADER_TEXT),
        ({"resource_name": " a"}, "resource_name", HEADER_TEXT),
        ({"resource_name": "\u0100"}, "resource_name", HEADER_TEXT),
    ],
)  # fmt: skip
def test_a_key_of_the_wrong_shape_is_a_fault_at_its_path(
    keys: dict[str, Any], path: str, text: str
) -> None:
    assert {path: text} == faults(PLAIN | keys)
    nested = branch("single", PLAIN, branch("fallback", PLAIN | keys))
    assert {f"targets.1.targets.0.{path}": text} == faults(nested)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("single", {"strategy": OBJECT}),
        ({}, {"strategy.mode": "Field required"}),
        ({"mode": "round-robin"}, {"strategy.mode": MODES}),
        ({"mode": "Single"}, {"strategy.mode": MODES}),
        ({"mode": 1}, {"strategy.mode": MODES}),
        ({"mode": ["single"]}, {"strategy.mode": MODES}),
        ({"mode": "single", "modes": 1}, {"strategy.modes": UNKNOWN}),
        ({"mode": "fallback", "on_status_codes": 429}, {"strategy.on_status_codes": LIST}),
        ({"mode": "fallback", "onStatusCodes": [True]}, {"strategy.onStatusCodes.0": INTEGER}),
        ({"mode": "conditional", "conditions": {"a": 1}}, {"strategy.conditions": LIST}),
        ({"mode": "conditional", "conditions": [1]}, {"strategy.conditions.0": OBJECT}),
        (
            {"mode": "conditional", "conditions": [{}]},
            {
                "strategy.conditions.0.query": "Field required",
                "strategy.conditions.0.then": "Field required",
            },
        ),
        (
            {"mode": "conditional", "conditions": [{"query": {}, "then": 1, "else": "a"}]},
            {"strategy.conditions.0.then": STRING, "strategy.conditions.0.else": UNKNOWN},
        ),
        (
            {"mode": "conditional", "conditions": [{"query": {}, "then": "a"}], "default": 1},
            {"strategy.default": STRING},
        ),
    ],
)
def test_a_strategy_of_the_wrong_shape_is_a_fault(strategy: Any, expected: dict[str, str]) -> None:
    assert expected == faults({"strategy": strategy, "targets": [{"name": "a", **PLAIN}]})


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ({}, {"targets": LIST}),
        ("a", {"targets": LIST}),
        ([5], {"targets.0": OBJECT}),
        ([PLAIN, "@acme", [PLAIN]], {"targets.1": OBJECT, "targets.2": OBJECT}),
    ],
)
@pytest.mark.parametrize("mode", ["single", "loadbalance", "fallback"])
def test_targets_of_the_wrong_shape_are_a_fault(
    mode: str, targets: Any, expected: dict[str, str]
) -> None:
    assert expected == faults({"strategy": {"mode": mode}, "targets": targets})


LATER: list[tuple[str, Any, Any]] = [
    ("cache", {"mode": "simple", "max_age": 60}, []),
    ("cache", "semantic", 5),
    ("cb_config", {"failure_threshold": 5}, 5),
    ("prompt_id", "pp-x", 5),
    ("default_params", {"temperature": 0}, []),
    ("drop_params", ["tools[*].strict"], [5]),
    ("passthrough", True, "true"),
    ("deployments", [{"name": "x"}], None),
    ("fetch_integrated_models", True, 1),
]


@pytest.mark.parametrize(
    ("key", "value"), [pytest.param(key, value, id=key) for key, value, _ in LATER]
)
@pytest.mark.parametrize("spell", [str, camel_case], ids=["snake", "camel"])
def test_a_key_of_a_later_version_is_refused_never_ignored(
    key: str, value: Any, spell: Any
) -> None:
    text = f"`{key}` is not available yet; remove it"

    assert {spell(key): text} == faults({spell(key): value})
    assert {f"targets.0.{spell(key)}": text} == faults(
        branch("single", PLAIN | {spell(key): value})
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [pytest.param(key, bad, id=key) for key, _, bad in LATER if bad is not None],
)
def test_a_key_of_a_later_version_is_checked_for_shape(key: str, value: Any) -> None:
    (text,) = faults(PLAIN | {key: value}).values()

    assert text.startswith("Input should be")


@pytest.mark.parametrize(
    ("cache", "path"),
    [
        ({"mode": "exact"}, "cache.mode"),
        ("exact", "cache.mode"),
        ({"mode": "simple", "maxAge": "1 day"}, "cache.maxAge"),
        ({"max_age": 60}, "cache.mode"),
    ],
)
def test_a_cache_is_checked_to_its_leaves(cache: Any, path: str) -> None:
    assert {path} == faults(PLAIN | {"cache": cache}).keys()


@pytest.mark.parametrize(
    ("key", "value"),
    [("sticky", {"enabled": True, "hash_fields": ["metadata.user"]}), ("cb_config", {})],
)
def test_a_key_of_a_strategy_of_a_later_version_is_refused(key: str, value: Any) -> None:
    raw = branch("loadbalance", PLAIN, PLAIN, **{key: value})

    assert {f"strategy.{key}": f"`{key}` is not available yet; remove it"} == faults(raw)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("eu-west-1", "eu-west-1"),
        ("", None),
        ("caf\xe9 au lait", "caf\xe9 au lait"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (5.0, "5"),
        (2024.5, "2024.5"),
        (0, "0"),
        ({"type": "service_account", "private_key": "a\nb\u20ac", "n": {"a_b": None}},
         '{"type":"service_account","private_key":"a\\nb\\u20ac","n":{"a_b":null}}'),
        (["a", 1, True], '["a",1,true]'),
        ([], "[]"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_an_option_of_the_provider(value: Any, text: str | None) -> None:
    expected = {} if text is None else {"some_option": text}

    assert expected == leaf(PLAIN | {"some_option": value}).options
    assert expected == leaf(PLAIN | {"someOption": value}).options


@pytest.mark.parametrize(
    ("camel", "snake"),
    [
        ("onStatusCodes", "on_status_codes"),
        ("strictOpenAiCompliance", "strict_open_ai_compliance"),
        ("apiKey", "api_key"),
        ("azureAdToken", "azure_ad_token"),
        ("awsS3Bucket", "aws_s3_bucket"),
        ("vertexServiceAccountJson", "vertex_service_account_json"),
        ("workersAiAccountId", "workers_ai_account_id"),
        ("provider", "provider"),
    ],
)
def test_names_convert_both_ways(camel: str, snake: str) -> None:
    assert snake == snake_case(camel)
    assert snake == snake_case(snake)
    assert camel == camel_case(snake)
    assert camel == camel_case(camel)


def test_a_run_of_capitals_is_one_word() -> None:
    camel = "awsServerSideEncryptionKMSKeyId"

    assert "aws_server_side_encryption_kms_key_id" == snake_case(camel)


@pytest.mark.parametrize("name", Target.model_fields)
def test_every_key_converts_both_ways(name: str) -> None:
    assert name == snake_case(camel_case(name))


def test_camel_case_means_the_same_as_snake_case() -> None:
    snake = {
        "strategy": {"mode": "fallback", "on_status_codes": [429]},
        "request_timeout": 5000,
        "retry": {"attempts": 2, "on_status_codes": [500], "use_retry_after_headers": True},
        "override_params": {"max_tokens": 5},
        "targets": [{"provider": "acme", "api_key": "k", "custom_host": "https://example.com"}],
    }
    camel = {
        "strategy": {"mode": "fallback", "onStatusCodes": [429]},
        "requestTimeout": 5000,
        "retry": {"attempts": 2, "onStatusCodes": [500], "useRetryAfterHeaders": True},
        "overrideParams": {"max_tokens": 5},
        "targets": [{"provider": "acme", "apiKey": "k", "customHost": "https://example.com"}],
    }

    assert parse_config(snake) == parse_config(camel)


def test_what_others_read_keeps_its_spelling() -> None:
    """Case conversion stops at `override_params`; `options` made of objects keep theirs too."""
    params = {"max_tokens": 5, "topK": 1, "nested": {"some_key": {"otherKey": None}}}

    assert params == leaf(PLAIN | {"overrideParams": params}).policy.override_params


@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        ({}, Retry()),
        ({"attempts": 0}, Retry()),
        ({"attempts": 10}, Retry(attempts=10)),
        ({"attempts": 1, "on_status_codes": []}, Retry(1, frozenset(), retries_denials=False)),
        (
            {"attempts": 1, "on_status_codes": [100, 599, 429]},
            Retry(1, frozenset({100, 429, 599}), retries_denials=False),
        ),
        (
            {"attempts": 1, "onStatusCodes": [446]},
            Retry(1, frozenset({446}), retries_denials=False),
        ),
        ({"use_retry_after_header": True}, Retry(use_retry_after=True)),
        ({"use_retry_after_headers": True}, Retry(use_retry_after=True)),
        ({"useRetryAfterHeader": True}, Retry(use_retry_after=True)),
        ({"useRetryAfterHeaders": True}, Retry(use_retry_after=True)),
        (
            {"use_retry_after_header": False, "use_retry_after_headers": True},
            Retry(use_retry_after=True),
        ),
        ({"use_retry_after_header": False}, Retry()),
        ({"attempts": 3, "jitter": True}, Retry(3, jitter=True)),
    ],
)
def test_retry_is_read(retry: dict[str, Any], expected: Retry) -> None:
    assert expected == leaf(PLAIN | {"retry": retry}).policy.retry


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, Policy()),
        ({"request_timeout": 1}, Policy(request_timeout_ms=1)),
        ({"custom_host": "http://[::1]:8080/@v1"}, Policy(custom_host="http://[::1]:8080/@v1")),
        ({"forward_headers": [" X-Id", "x-a"]}, Policy(forward_headers=("x-id", "x-a"))),
        ({"forward_headers": []}, Policy()),
        ({"override_params": {"a": None}}, Policy(override_params={"a": None})),
        ({"strict_open_ai_compliance": False}, Policy(strict=False)),
        ({"strict_open_ai_compliance": True}, Policy(strict=True)),
    ],
)  # fmt: skip
def test_policies_are_read(keys: dict[str, Any], expected: Policy) -> None:
    assert expected == leaf(PLAIN | keys).policy


@pytest.mark.parametrize(
    ("codes", "expected"),
    [(None, None), ([], frozenset()), ([446, 429], frozenset({429, 446}))],
)
def test_codes_of_a_fallback_are_read(
    codes: list[int] | None, expected: frozenset[int] | None
) -> None:
    strategy = {} if codes is None else {"on_status_codes": codes}

    root = parse_config(branch("fallback", PLAIN, **strategy)).root

    assert isinstance(root, Branch)
    assert Fallback(expected) == root.strategy


@pytest.mark.parametrize("provider", ["acme", "@acme-prod", "a/b"])
def test_a_provider_is_taken_as_it_is_written(provider: str) -> None:
    assert provider == leaf({"provider": provider}).provider


def test_an_empty_key_counts_as_absent() -> None:
    target = leaf({"provider": "acme", "api_key": ""})

    assert target.api_key is None


def test_codes_of_a_target_have_no_effect() -> None:
    assert leaf(PLAIN) == leaf(PLAIN | {"on_status_codes": [429, 500]})


def test_a_shape_shows_names_only() -> None:
    """It holds secrets, and reprs end up in tracebacks."""
    shape = Target.model_validate({"provider": "acme", "api_key": "k", "my_secret": "s"})

    assert "Target(api_key, my_secret, provider)" == repr(shape) == str(shape)
