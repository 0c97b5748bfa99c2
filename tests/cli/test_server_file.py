"""The server's config file: what it may say, and how its faults are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmgateway.cli.server_file import FileFaults, ServerFile, parse_server_file, read_text
from llmgateway.config import Fallback
from llmgateway.config.models import Branch
from llmgateway.providers import builtin
from llmgateway.settings import client_key_digest

SECRET = "sk-very-secret-value"
ENVIRONMENT = {"OPENAI_API_KEY": SECRET, "EMPTY": "", "PORT": "9000"}

WHOLE = """
default_provider = "openai"
allowed_upstreams = ["http://10.0.0.5:11434"]

[server]
host = "localhost"
port = "env:PORT"
grace_s = 5

[client_keys]
me = "a-key-that-is-long-enough"

[providers.openai]
api_key = "env:OPENAI_API_KEY"
openai_organization = "org-1"

[providers.groq]
base_url = "http://10.0.0.5:11434/v1"

[limits]
idle_s = 10

[config]
strategy = { mode = "fallback" }
[[config.targets]]
provider = "openai"
[[config.targets]]
provider = "groq"
api_key = "env:OPENAI_API_KEY"
"""


def parse(text: str) -> ServerFile:
    """Parse a file in the environment of these tests."""
    return parse_server_file(text, "llm.toml", ENVIRONMENT, builtin())


def faults(text: str) -> list[str]:
    """Return the lines that tell of a file's faults."""
    with pytest.raises(FileFaults) as error:
        parse(text)
    lines = list(error.value.lines())
    assert SECRET not in "".join(lines)
    return lines


def test_a_whole_file_is_read() -> None:
    file = parse(WHOLE)
    openai = file.settings.providers["openai"]

    assert ("localhost", 9000, 5) == (file.server.host, file.server.port, file.server.grace_s)
    assert openai.api_key is not None and SECRET == openai.api_key.get_secret_value()
    assert {"openai_organization": "org-1"} == openai.options
    assert 10 == file.settings.limits.idle_s
    kept = file.settings.client_keys["me"].get_secret_value()
    assert client_key_digest("a-key-that-is-long-enough") == kept
    assert file.plan is not None
    root = file.plan.config.root
    assert isinstance(root, Branch) and isinstance(root.strategy, Fallback)


def test_an_empty_file_is_the_defaults() -> None:
    assert ServerFile() == parse("")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = \n", "llm.toml:2: not valid TOML: Invalid value"),
        ("\na = 'b", 'llm.toml:2: not valid TOML: Expected "\'"'),
        ("a = " + "[" * 3000, "llm.toml: not valid TOML: it is nested too deep"),
        ("\nnonsense = 1", "llm.toml:2: nonsense: unknown key"),
        (
            "default_povider = 'openai'",
            "llm.toml:1: default_povider: unknown key; did you mean default_provider?",
        ),
        (
            "[limits]\n\nidle = 1",
            "llm.toml:3: limits.idle: unknown key; did you mean idle_s?",
        ),
        ("[server]\nprot = 1", "llm.toml:2: server.prot: unknown key; did you mean port?"),
        (
            "server = 1",
            "llm.toml:1: server: Input should be a valid dictionary or instance of ServerSection",
        ),
        (
            "[server]\nport = 70000",
            "llm.toml:2: server.port: Input should be less than or equal to 65535",
        ),
        (
            "limits = { idle_s = 'sk-very-secret-value' }",
            "llm.toml:1: limits.idle_s: Input should be a valid number, "
            "unable to parse string as a number",
        ),
        (
            "allowed_upstreams = ['http://one:1',\n 'two']",
            "llm.toml:2: allowed_upstreams[1]: an entry must be an origin such as "
            "http://10.0.0.5:11434, no more",
        ),
        (
            "trusted_proxies = ['10.0.0.0/8',\n '10.0.0.1/8']",
            "llm.toml:2: trusted_proxies[1]: an entry must be an address or a network such as "
            "10.0.0.0/8 or 2001:db8::/32, with no bit set beyond the prefix",
        ),
        (
            "access = 'everyone'",
            "llm.toml:1: access: Input should be 'keys', 'open' or 'local'",
        ),
        (
            "[client_keys]\nok = 'a-key-that-is-long-enough'\nme = 'short'",
            "llm.toml:3: client_keys.me: a client key needs 16 characters or more; make one with "
            "`llmgateway key`",
        ),
        (
            "[providers.openai]\napi_key = 'env:NOT_THERE'",
            "llm.toml:2: providers.openai.api_key: the environment variable NOT_THERE is not set",
        ),
        (
            "[providers.openai]\napi_key = 'env:EMPTY'",
            "llm.toml:2: providers.openai.api_key: the environment variable EMPTY is empty",
        ),
        (
            "[providers.opnai]",
            "llm.toml:1: providers.opnai: Invalid provider passed: 'opnai'. Did you mean openai?",
        ),
        (
            "[providers.bedrock]",
            "llm.toml:1: providers.bedrock: Provider bedrock is not available yet in this "
            "version; use another one.",
        ),
        (
            "[providers.'@openai']",
            "llm.toml:1: providers.@openai: write the provider's name as it is: openai",
        ),
        (
            "default_provider = 'opnai'",
            "llm.toml:1: default_provider: Invalid provider passed: 'opnai'. Did you mean openai?",
        ),
        (
            "[providers.openai]\nopenai_organisation = 'x'",
            "llm.toml:2: providers.openai.openai_organisation: openai has no such option; "
            "did you mean openai_organization?",
        ),
        (
            "[providers.openai]\nbase_url = 'llm.example.com'",
            "llm.toml:2: providers.openai.base_url: must be an address such as "
            "https://llm.example.com/v1",
        ),
        (
            "[providers.openai]\nopenai_organization = true",
            "llm.toml:2: providers.openai.openai_organization: must be a text",
        ),
        (
            "[config]\nretry = { attempts = 99 }\nprovider = 'openai'",
            "llm.toml:2: config.retry.attempts: Input should be less than or equal to 10",
        ),
        (
            "[config]\nstrategy.mode = 'fallback'\ntargets = [\n{ provider = 'openai' },\n"
            "{ provider = 'zzzz' },\n]",
            "llm.toml:5: config.targets[1].provider: Invalid provider passed: 'zzzz'.",
        ),
        (
            "[config]\nretry = { attempts = 2 }",
            "llm.toml:1: config: names no provider, and there is no default_provider either",
        ),
    ],
)
def test_a_fault_is_told_with_its_line_and_key(text: str, expected: str) -> None:
    assert [expected] == faults(text)


def test_an_unknown_option_without_a_near_one_names_all_there_are() -> None:
    (line,) = faults("[providers.openai]\nxyz = 1")

    assert "there are: api_key, base_url, models" in line


def test_all_faults_are_told_at_once() -> None:
    text = """
default_provider = "opnai"
nonsense = 1
[providers.openai]
api_key = "env:NOT_THERE"
openai_organisation = "x"
[providers.grok]
api_key = "sk-very-secret-value"
[limits]
idle_s = "sk-very-secret-value"
[server]
prot = 1
[config]
strategy = { mode = "fallback" }
targets = [{ provider = "openai", retry = { attempts = 99 } }]
"""
    places = [line.split(": ")[:2] for line in faults(text)]

    assert [
        ["llm.toml:2", "default_provider"],
        ["llm.toml:3", "nonsense"],
        ["llm.toml:5", "providers.openai.api_key"],
        ["llm.toml:6", "providers.openai.openai_organisation"],
        ["llm.toml:7", "providers.grok"],
        ["llm.toml:10", "limits.idle_s"],
        ["llm.toml:12", "server.prot"],
        ["llm.toml:15", "config.targets[0].retry.attempts"],
    ] == places


def test_keys_that_contradict_each_other_are_told() -> None:
    (line,) = faults("access = 'local'\n[client_keys]\nme = 'a-key-that-is-long-enough'")

    assert "llm.toml: access 'local' asks nobody for a key" in line


@pytest.mark.parametrize(
    ("data", "reason"), [(None, "No such file"), (b"\xff\xfe\x00", "is not UTF-8")]
)
def test_a_file_that_cannot_be_read_says_why(
    tmp_path: Path, data: bytes | None, reason: str
) -> None:
    path = tmp_path / "llm.toml"
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(FileFaults) as error:
        read_text(path)

    assert reason in next(error.value.lines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[upstream_transport]\nproxy = "env:OUR_PROXY"',
            "llm.toml:2: upstream_transport.proxy: the environment variable OUR_PROXY is not set",
        ),
        (
            "[upstream_transport]\nhttp = true",
            "llm.toml:2: upstream_transport.http: unknown key; did you mean http2?",
        ),
        (
            '[upstream_transports."https://a.example"]\nproxi = "x"',
            "llm.toml:2: upstream_transports.https://a.example.proxi: unknown key; did you mean"
            " proxy?",
        ),
        (
            '[upstream_transports."http://a.example"]\nhttp2 = true',
            "llm.toml:2: upstream_transports.http://a.example.http2: is for TLS, so the origin must"
            " begin with https://",
        ),
        (
            '[upstream_transports]\n"https://a.example" = "httpx"\n"https://b.example/v1" = "h1"',
            "llm.toml:3: upstream_transports.https://b.example/v1: an entry must be an origin such"
            " as http://10.0.0.5:11434, no more",
        ),
    ],
    ids=["unset", "key", "key of an origin", "without tls", "no origin"],
)
def test_a_fault_of_a_transport_is_told_once_and_where_it_stands(text: str, expected: str) -> None:
    assert [expected] == faults(text)
