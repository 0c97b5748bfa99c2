"""`LLMGATEWAY`: how it is read, what is said of faults, and that a test may change it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from llmgateway.providers import builtin
from llmgateway.types.call import Principal
from llmgateway.types.http import HTTPRequest
from llmgateway_django.conf import AS_USUAL, Conf, Keeping, read_conf
from llmgateway_django.gateway import gateway


def somebody(request: HTTPRequest) -> Principal:
    """Vouch for anyone."""
    return Principal("user:1")


SOMEBODY = f"{__name__}.somebody"


def read(table: Any, **environment: str) -> Conf:
    """Read the dict as a project has it."""
    return read_conf(table, environment, builtin())


def test_keys_are_in_capitals_wherever_they_are_ours() -> None:
    conf = read(
        {
            "DEFAULT_PROVIDER": "openai",
            "PROVIDERS": {"openai": {"API_KEY": "env:K"}},
            "LIMITS": {"MAX_DEPTH": 7},
            "CLIENT_KEYS": {"Me": "lgw_key-of-a-client"},
            "CONFIG": {"override_params": {"Model": "m"}},
        },
        K="sk-1",
    )

    settings = conf.settings
    api_key = settings.providers["openai"].api_key
    assert api_key is not None
    assert "sk-1" == api_key.get_secret_value()
    assert 7 == settings.limits.max_depth
    assert {"Me"} == settings.client_keys.keys()
    assert {"override_params": {"Model": "m"}} == settings.config


def test_lower_case_does_as_well() -> None:
    assert "openai" == read({"default_provider": "openai"}).settings.default_provider


def test_nothing_at_all_is_a_gateway_that_lets_nobody_in() -> None:
    conf = read({})

    assert ("keys", "background", ()) == (conf.settings.access, conf.runtime, conf.authenticate)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (["x"], "LLMGATEWAY: must be a dict"),
        ({"PROVIDRS": {}}, "LLMGATEWAY.PROVIDRS: unknown key; did you mean providers?"),
        ({"LIMITS": {"MAX_DEPTH": 0}}, "LLMGATEWAY.LIMITS.MAX_DEPTH: "),
        ({"LIMITS": {"Depth": 1}}, "LLMGATEWAY.LIMITS.Depth: unknown key"),
        ({"DEFAULT_PROVIDER": "opnai"}, "LLMGATEWAY.DEFAULT_PROVIDER: "),
        ({"PROVIDERS": {"openai": {"API_KEY": "env:NONE"}}}, "PROVIDERS.openai.API_KEY: "),
        ({"RUNTIME": "gevent"}, "LLMGATEWAY.RUNTIME: must be one of background, inline"),
        ({"ACCESS": "open", "access": "keys"}, "LLMGATEWAY.access: stands here twice"),
        ({"AUTHENTICATE": "no.such.module"}, "LLMGATEWAY.AUTHENTICATE: cannot be imported"),
        ({"AUTHENTICATE": [SOMEBODY, 3]}, "LLMGATEWAY.AUTHENTICATE[1]: must be a callable"),
        ({"CONFIG": {"retry": {"attempts": "x"}}}, "LLMGATEWAY.CONFIG.retry.attempts: "),
    ],
)
def test_a_fault_is_told_with_its_path(table: Any, told: str) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read(table)

    assert told in str(caught.value)


def test_all_faults_are_told_at_once_and_no_secret_is() -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        read({"PROVIDERS": {"openai": {"API_KEY": ["sk-very-secret"]}}, "X": 1, "RUNTIME": "y"})

    assert 3 == len(str(caught.value).splitlines())
    assert "sk-very-secret" not in str(caught.value)


@pytest.mark.parametrize("given", [SOMEBODY, somebody, [SOMEBODY], (somebody,)])
def test_callables_are_there_or_named(given: Any) -> None:
    assert (somebody,) == read({"AUTHENTICATE": given}).authenticate


def test_overridden_settings_are_in_force_while_they_are() -> None:
    before = gateway.serving

    with override_settings(LLMGATEWAY={"LIMITS": {"MAX_DEPTH": 5}}):
        assert 5 == gateway.serving.gateway.settings.limits.max_depth
        assert gateway.serving is gateway.serving

    assert before.gateway.settings.limits == gateway.serving.gateway.settings.limits


def test_wrong_settings_cannot_be_overridden_with() -> None:
    with (
        pytest.raises(ImproperlyConfigured, match="LLMGATEWAY.NOTHING: unknown key"),
        override_settings(LLMGATEWAY={"NOTHING": 1}),
    ):
        raise AssertionError("not reached")


@pytest.mark.parametrize("days", [-1, "30", 1.5, True, 10**9])
def test_days_are_whole_and_not_too_many(days: Any) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        read({"LOG_DAYS": days, "LOG_BODIES_DAYS": days})

    assert [
        f"LLMGATEWAY.{name}: must be a whole number of days, 36500 at most"
        for name in ("LOG_DAYS", "LOG_BODIES_DAYS")
    ] == str(raised.value).splitlines()


def test_days_of_the_log() -> None:
    assert (None, None) == (read({}).log_days, read({}).log_bodies_days)
    conf = read({"LOG_DAYS": 30, "LOG_BODIES_DAYS": 0})
    assert (30, 0) == (conf.log_days, conf.log_bodies_days)


def test_how_long_the_database_s_answers_are_kept() -> None:
    assert AS_USUAL == read({}).keeping
    assert Keeping(0.0, 60.0) == read({"KEY_CACHE_S": 0, "KEY_GRACE_S": 60}).keeping


@pytest.mark.parametrize(("name", "most"), [("KEY_CACHE_S", 60), ("KEY_GRACE_S", 86400)])
@pytest.mark.parametrize("value", [-1, 1e9, "5", True, float("nan")])
def test_a_time_is_a_number_within_bounds(name: str, most: int, value: object) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read({name: value})
    assert f"LLMGATEWAY.{name}: must be a number of seconds, {most} at most" == str(refused.value)
