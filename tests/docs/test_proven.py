"""Every setting, header, route, error, option and config key is documented, and truly so."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from llmgateway.cli import main
from llmgateway.cli.server_file import ServerSection
from llmgateway.config import groups, parse, patterns, schema
from llmgateway.config.conditions import _GROUPS, _OPERATORS
from llmgateway.config.models import DEFAULT_RETRY_CODES
from llmgateway.engine.authorize import KEY_HEADERS
from llmgateway.errors import GatewayError
from llmgateway.http import headers, routes
from llmgateway.providers import PLANNED, builtin
from llmgateway.settings import Limits, ProviderSettings, Settings
from llmgateway.testing import PARTS
from tests.docs.pages import DOCS
from tests.guards.tree import ROOT


def text(page: str) -> str:
    """Return a page's source."""
    return (DOCS / page).read_text(encoding="utf-8")


def missing(names: Iterator[str], page: str) -> list[str]:
    """Return those names that a page does not have as code."""
    source = text(page)
    return [name for name in names if f"`{name}`" not in source]


@pytest.mark.parametrize("model", [Settings, ProviderSettings, Limits, ServerSection])
def test_every_setting_has_its_line(model: type[BaseModel]) -> None:
    source = text("configuration.md")

    assert [] == [name for name in model.model_fields if f"| `{name}` |" not in source]


@pytest.mark.parametrize("table", [headers.REQUEST_HEADERS, headers.LATER_HEADERS])
def test_every_request_header_is_documented(table: dict[str, str]) -> None:
    assert [] == missing((headers.LLMGATEWAY + name for name in table), "http-api.md")


def test_every_response_header_is_documented() -> None:
    names = (headers.LLMGATEWAY + name for name in headers.RESPONSE_HEADERS)

    assert [] == missing(names, "http-api.md")


def test_every_header_of_a_client_key_is_documented() -> None:
    assert [] == missing(iter(KEY_HEADERS), "configuration.md")


def test_every_provider_option_is_documented() -> None:
    options = [option for row in builtin().values() for option in row.options]
    names = (name for option in options for name in (option.name, option.header_suffix))

    assert [] == missing(names, "providers.md")


def test_every_route_is_documented() -> None:
    known = (*routes.ROUTES, *routes.MODEL_ROUTES.values(), routes.PROXY_ROUTE)
    paths = (route.path for route in known)

    assert [] == missing(paths, "http-api.md")


def test_every_planned_path_is_documented() -> None:
    source = text("http-api.md")

    assert [] == [what for _, what in routes.PLANNED if what not in source]


def kinds(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """Yield every class of error."""
    yield kind
    for child in kind.__subclasses__():
        yield from kinds(child)


def test_every_error_is_documented() -> None:
    source = text("http-api.md")
    in_the_log_only = {"client_closed"}
    rows = {
        f"| {kind.status} | `{kind.type}` | `{kind.code}` |"
        for kind in kinds()
        if kind.__module__.startswith("llmgateway.") and kind.code not in {*in_the_log_only, None}
    }
    # Bases that are never raised themselves.
    bases = {"| 502 | `upstream_error` | `None` |"}

    assert set() == {row for row in rows - bases if row not in source}
    assert "| 408 | `timeout_error` | null |" in source


@pytest.mark.parametrize(
    "shape", [schema.Target, schema.Retry, schema.Strategy, schema.Condition, schema.Hook]
)
def test_every_config_key_is_documented(shape: type[BaseModel]) -> None:
    source = text("routing.md")
    known = {
        "mode",
        "query",
        "then",
        "is_async",
        "type",
        "checks",
    }  # told by the tables of modes and the example of conditions

    assert [] == [
        key for key in shape.model_fields if f"`{key}`" not in source and key not in known
    ]


def test_keys_that_are_not_available_yet_are_told_so() -> None:
    (refused,) = re.findall(r"a config that uses one is a 400:\n(.*)\n", text("routing.md"))
    later = {
        key
        for shape in (schema.Target, schema.Strategy)
        for key, field in shape.model_fields.items()
        if schema._NotYet in field.metadata or "_refuse" in str(field.annotation)
    }

    assert later == set(re.findall(r"`(\w+)`", refused))


def test_every_operator_of_conditions_is_documented() -> None:
    assert [] == missing(iter([*_GROUPS, *_OPERATORS, "$regex"]), "routing.md")


def test_the_defaults_of_retries_are_the_true_ones() -> None:
    codes = ", ".join(str(code) for code in sorted(DEFAULT_RETRY_CODES))

    assert f"| `on_status_codes` | {codes} |" in text("routing.md")
    assert f"{schema.MAX_RETRY_ATTEMPTS} at most" in text("routing.md")
    assert headers.MAX_RETRY_COUNT == schema.MAX_RETRY_ATTEMPTS


def test_the_bounds_of_configs_are_the_true_ones() -> None:
    bounds = (
        f"A config may hold {parse.MAX_TARGETS} targets in {parse.MAX_LEVELS} levels, "
        f"objects nested {parse.MAX_DEPTH} deep, and {patterns.MAX_PATTERNS} patterns."
    )

    assert bounds in text("routing.md")
    hooks = f"may state {groups.MAX_HOOKS} guardrails and mutators, with {groups.MAX_CHECKS} checks"
    assert hooks in text("routing.md")


def test_the_limits_of_streams_are_the_true_ones() -> None:
    rows = re.findall(r"\| `(\w+)` \| (\S+) (s|min|MiB) \|", text("streaming.md"))
    units = {"s": 1, "min": 60, "MiB": 2**20}
    limits = Limits().model_dump()

    assert len(rows) >= 6
    assert [] == [row for row in rows if limits[row[0]] != float(row[1]) * units[row[2]]]
    assert "`hold_bytes` (64 KiB) and `hold_s` (30 s" in text("streaming.md")
    assert (64 * 2**10, 30) == (limits["hold_bytes"], limits["hold_s"])


def test_the_limits_of_guardrails_are_the_true_ones() -> None:
    limits = Limits()
    told = (
        f"`guard_check_s` ({limits.guard_check_s:g} s)",
        f"`guard_threads` ({limits.guard_threads})",
        f"`guard_threads_queue` ({limits.guard_threads_queue})",
        f"`guard_hold_bytes` ({limits.guard_hold_bytes // 2**20} MiB)",
        f"`guard_hold_s` ({limits.guard_hold_s:g} s)",
    )

    assert [] == [words for words in told if words not in text("guardrails.md")]


@pytest.mark.parametrize("command", [[], ["serve"], ["check"], ["key"]], ids=" ".join)
def test_every_option_of_the_command_line_is_documented(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*command, "--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    source = text("configuration.md")

    assert set() == {
        name for name in options if f"`{name}`" not in source and f" {name}`" not in source
    }


def test_every_fault_of_the_fake_provider_is_documented() -> None:
    assert [] == missing((part.example for part in PARTS), "testing.md")


def test_the_readme_counts_the_providers() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert f"[{len(builtin())} providers](docs/providers.md)" in readme


def test_every_provider_that_is_still_to_come_is_named() -> None:
    assert [] == missing(iter(PLANNED), "portkey-compatibility.md")
