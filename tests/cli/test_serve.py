"""`llmgateway serve` as a process: refusals, greetings, access, draining and the end."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread
from tests.cli.server_process import ServerProcess, run, serving
from tests.http.loops import SOON_S

KEY = "a-key-that-is-long-enough"
KEYS = f'[client_keys]\nme = "{KEY}"\n'
STORED = '[providers.openai]\napi_key = "env:OPENAI_API_KEY"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The place of a config file."""
    return tmp_path / "llm.toml"


def ask(model: str = "fake", **more: object) -> dict[str, object]:
    """Return the body of a short question."""
    return {"model": model, "messages": [{"role": "user", "content": "Hello"}], **more}


def post(server: ServerProcess, body: dict[str, object], **headers: str) -> httpx.Response:
    """Ask the gateway."""
    return httpx.post(
        f"{server.url}/v1/chat/completions",
        json=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        timeout=30,
        trust_env=False,
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.1.2.3", "gateway.example.com"])
def test_it_refuses_to_be_open_to_all(host: str) -> None:
    refused = run("serve", "--host", host, "--demo")

    assert 2 == refused.returncode
    assert "Without client keys" in refused.stderr
    assert "llmgateway key" in refused.stderr
    assert "" == refused.stdout


def test_a_bad_file_keeps_it_from_starting(file: Path) -> None:
    file.write_text('default_provider = "opnai"\n[server]\nport = "x"\n', encoding="utf-8")
    refused = run("serve", "--config", str(file))

    assert 2 == refused.returncode
    assert "llm.toml:1: default_provider: " in refused.stderr
    assert "llm.toml:3: server.port: " in refused.stderr


def test_a_missing_file_is_told() -> None:
    refused = run("serve", "--config", "not-there.toml")

    assert (2, "not-there.toml: No such file or directory\n") == (
        refused.returncode,
        refused.stderr,
    )


def test_a_port_in_use_is_told() -> None:
    with serve_in_thread(FakeProvider()) as other:
        failed = run("serve", "--port", str(other.port))

    assert 1 == failed.returncode
    assert "address already in use" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_local_mode_says_so_and_keeps_web_pages_out(file: Path) -> None:
    file.write_text(STORED, encoding="utf-8")
    with serving("--config", str(file), OPENAI_API_KEY="sk-secret") as server:
        foreign_host = httpx.get(f"{server.url}/v1/models", headers={"host": "evil.example"})
        foreign_origin = post(server, ask(), origin="https://evil.example")
        health = httpx.get(f"{server.url}/healthz")

        assert 0 == server.stop()

    assert "access: local mode" in server.greeting
    assert "stored provider keys: openai\n" in server.greeting
    assert "providers on this machine may be called" in server.greeting
    assert "sk-secret" not in server.greeting + "".join(server.log)
    assert [403, 403, 200] == [r.status_code for r in (foreign_host, foreign_origin, health)]


def test_client_keys_are_asked_for_on_loopback_too(file: Path) -> None:
    file.write_text(KEYS, encoding="utf-8")
    with serving("--config", str(file), "--demo") as server:
        without = post(server, ask())
        wrong = post(server, ask(), authorization="Bearer sk-other")
        right = post(server, ask(), authorization=f"Bearer {KEY}")

    assert "access: client keys" in server.greeting
    assert [401, 401, 200] == [r.status_code for r in (without, wrong, right)]


def test_with_client_keys_it_may_listen_everywhere(file: Path) -> None:
    file.write_text(KEYS, encoding="utf-8")
    with serving("--config", str(file), "--demo", "--host", "0.0.0.0") as server:
        answer = post(server, ask(), authorization=f"Bearer {KEY}", host="gateway.example.com")

    assert "every other address of this machine" in server.greeting
    assert "providers on this machine" not in server.greeting
    assert 200 == answer.status_code


@pytest.mark.parametrize(
    ("setting", "status"), [("", 200), ("allow_loopback_upstreams = false\n", 400)]
)
def test_providers_on_this_machine_can_be_turned_off(file: Path, setting: str, status: int) -> None:
    with serve_in_thread(FakeProvider()) as fake:
        file.write_text(
            f'{setting}[providers.openai]\nbase_url = "{fake.url}/v1"\napi_key = "sk-x"\n',
            encoding="utf-8",
        )
        with serving("--config", str(file)) as server:
            answer = post(server, ask(), x_llmgateway_provider="openai")

    assert status == answer.status_code


def test_the_config_of_the_file_routes_what_names_nothing(file: Path) -> None:
    fake = FakeProvider()
    with serve_in_thread(fake) as upstream:
        file.write_text(
            f"""
[providers.openai]
base_url = "{upstream.url}/v1"
api_key = "env:OPENAI_API_KEY"
[config]
strategy = {{ mode = "fallback" }}
targets = [
  {{ provider = "openai", override_params = {{ model = "fake-503" }} }},
  {{ provider = "openai" }},
]
""",
            encoding="utf-8",
        )
        with serving("--config", str(file), OPENAI_API_KEY="sk-stored") as server:
            answer = post(server, ask())

    assert 200 == answer.status_code
    assert "config.targets[1]" == answer.headers["x-llmgateway-last-used-option-index"]
    assert {"Bearer sk-stored"} == {r.headers.get("authorization") for r in fake.requests}


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_well(signal_: signal.Signals) -> None:
    with serving("--demo") as server:
        began = time.monotonic()

        assert 0 == server.stop(signal_)

    assert time.monotonic() - began < SOON_S
    assert "" == "".join(server.log)


def test_open_streams_end_while_newcomers_are_sent_away() -> None:
    with serving("--demo") as server:
        body = ask("fake-tokens-40-pace-50ms", stream=True)
        url = f"{server.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, timeout=30, trust_env=False) as stream:
            pieces = stream.iter_text()
            first = next(pieces)
            server.process.send_signal(signal.SIGTERM)
            refused = _wait_for_draining(server)
            whole = first + "".join(pieces)

        assert 0 == server.process.wait(30)

    assert (503, "draining") == (refused.status_code, refused.json()["error"]["code"])
    assert 40 == whole.count('"content":"') - whole.count('"content":""')
    assert whole.endswith("data: [DONE]\n\n")
    assert [True] == ["draining: " in line for line in server.log]


def _wait_for_draining(server: ServerProcess) -> httpx.Response:
    """Ask until the server has heeded the signal; uvicorn looks ten times a second."""
    end = time.monotonic() + SOON_S
    while time.monotonic() < end:
        answer = post(server, ask())
        if answer.status_code != 200:
            break
    return answer


def test_when_the_grace_is_over_what_is_open_is_cut(file: Path) -> None:
    fake = FakeProvider()
    with serve_in_thread(fake) as upstream:
        file.write_text(
            f'[server]\ngrace_s = 0.5\n[providers.openai]\nbase_url = "{upstream.url}/v1"\n'
            'api_key = "sk-x"\n[config]\nprovider = "openai"\n',
            encoding="utf-8",
        )
        with serving("--config", str(file)) as server:
            errors: list[Exception] = []

            def hang() -> None:
                try:
                    post(server, ask("fake-hang"))
                except httpx.TransportError as error:
                    errors.append(error)

            caller = threading.Thread(target=hang)
            caller.start()
            assert fake.wait_for_request(1)
            began = time.monotonic()

            assert 0 == server.stop()
            assert time.monotonic() - began < SOON_S
            caller.join()
        assert fake.requests[-1].disconnected.wait(SOON_S)

    assert "1 answers were cut" in "".join(server.log)
    assert "Traceback" not in "".join(server.log)


def test_a_cut_stream_is_no_error_in_the_log() -> None:
    with serving("--demo") as server:
        url = f"{server.url}/v1/chat/completions"
        body = ask("fake-stream-error", stream=True)
        with (
            pytest.raises(httpx.RemoteProtocolError),
            httpx.stream("POST", url, json=body, trust_env=False) as stream,
        ):
            stream.read()

        assert 0 == server.stop()

    assert "" == "".join(server.log)


def test_access_is_logged_for_debugging_only() -> None:
    with serving("--demo", "--log-level", "debug") as server:
        post(server, ask(), authorization="Bearer sk-secret")
        server.stop()
    log = "".join(server.log)

    assert "POST /v1/chat/completions" in log
    assert "sk-secret" not in log


def test_the_server_does_not_say_what_it_is_made_of() -> None:
    with serving("--demo") as server:
        answer = httpx.get(f"{server.url}/", trust_env=False)

    assert "server" not in answer.headers
    assert "AI Gateway says hey!" == answer.text


def test_the_models_of_the_demo_show_what_can_be_tried() -> None:
    with serving("--demo") as server:
        answer = httpx.get(f"{server.url}/v1/models", trust_env=False)

    names = {model["id"] for model in json.loads(answer.text)["data"]}
    assert any(name.endswith("fake-503-twice") for name in names)
