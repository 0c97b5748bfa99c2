"""Try an installed wheel as a newcomer would: `python -I probe.py WHEEL CHECKOUT`.

Run it with the Python of a clean environment that holds the wheel and its extras `standalone` and
`django`. It looks into the wheel, then uses what was installed: import, command line, demo server,
a new Django project.
Only the standard library is used here, so that nothing is there that the wheel did not bring.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

CORE = {"asgiref", "httptools", "httpx", "orjson", "pydantic", "sniffio"}
PYTHON = Path(sys.executable)
COMMAND = PYTHON.with_name("llmgateway")
START_WITHIN_S = 30
STOP_WITHIN_S = 35
MESSAGES = [{"role": "user", "content": "Say hello."}]


def main(wheel: Path, checkout: Path) -> None:
    """Run all probes; the first that fails ends the run with its words."""
    with tempfile.TemporaryDirectory() as elsewhere:
        os.chdir(elsewhere)
        look_inside(wheel, checkout)
        import_it(checkout)
        use_the_commands(Path(elsewhere))
        use_the_server()
        use_it_in_django(Path(elsewhere))


def look_inside(wheel: Path, checkout: Path) -> None:
    """The wheel holds the packages' files of the checkout, byte for byte, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    code = {name: data for name, data in inside.items() if ".dist-info/" not in name}
    expected = tracked_files(checkout)

    check("files in the wheel", sorted(expected), sorted(code))
    changed = [name for name, path in expected.items() if path.read_bytes() != code[name]]
    check("files that differ from the checkout", [], changed)
    check("path files", [], [name for name in inside if name.endswith(".pth")])
    check("tests", [], [name for name in code if "tests" in Path(name).parts])
    needed = importlib.metadata.requires("llmgateway") or []
    core = {need.split(">")[0] for need in needed if "extra ==" not in need}
    check("dependencies of the core", sorted(CORE), sorted(core))


def tracked_files(checkout: Path) -> dict[str, Path]:
    """Return what the wheel must hold: each committed file of the packages by its name in it."""
    folders = [checkout / "llmgateway", *sorted((checkout / "integrations").glob("llmgateway_*"))]
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--", *map(str, folders)],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.split("\0") if name]
    return {name.removeprefix("integrations/"): checkout / name for name in names}


def import_it(checkout: Path) -> None:
    """The packages import from where they were installed, not from the checkout."""
    import llmgateway
    import llmgateway_asgi

    for package in (llmgateway, llmgateway_asgi):
        origin = Path(package.__file__ or "")
        check(f"{package.__name__} comes from the checkout", False, checkout in origin.parents)


def use_the_commands(folder: Path) -> None:
    """The command line tells its version and checks a config."""
    version = importlib.metadata.version("llmgateway")
    check("the version is told", True, version in run("--version"))
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "strategy": {"mode": "fallback"},
                "targets": [
                    {"provider": "openai", "api_key": "one"},
                    {"provider": "groq", "api_key": "two"},
                ],
            }
        )
    )
    tree = run("check", str(config))
    check("the targets are printed", True, "openai" in tree and "groq" in tree)


def use_the_server() -> None:
    """The demo server answers, streams and ends well when it is told to."""
    port = free_port()
    server = subprocess.Popen([COMMAND, "serve", "--demo", "--port", str(port)])
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(f"{base}/healthz", server)
        answer = json.loads(post(f"{base}/v1/chat/completions", {"messages": MESSAGES}))
        check("an answer", "assistant", answer["choices"][0]["message"]["role"])
        stream = post(f"{base}/v1/chat/completions", {"messages": MESSAGES, "stream": True})
        events = [line for line in stream.decode().splitlines() if line.startswith("data: ")]
        check("a stream has events", True, len(events) > 2)
        check("a stream ends well", "data: [DONE]", events[-1])
        server.send_signal(signal.SIGTERM)
        check("exit status after SIGTERM", 0, server.wait(STOP_WITHIN_S))
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


SETTINGS = """
INSTALLED_APPS += ["llmgateway"]
LLMGATEWAY = {
    "DEFAULT_PROVIDER": "openai",
    "PROVIDERS": {"openai": {"API_KEY": "any", "BASE_URL": "http://fake/v1"}},
    "ALLOW_LOOPBACK_UPSTREAMS": True,
    "RUNTIME": "inline",
}
"""
URLS = """
from django.urls import include
urlpatterns += [path("llm/", include("llmgateway.urls"))]
"""
ASK = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
import django
django.setup()
from django.test import Client
from llmgateway_django.models import RequestLog
answer = Client(headers={"host": "localhost"}).post(
    "/llm/v1/chat/completions",
    {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}]},
    content_type="application/json",
    headers={"authorization": "Bearer " + sys.argv[1]},
)
row = RequestLog.objects.get()
role = answer.json()["choices"][0]["message"]["role"]
print(answer.status_code, role, row.status, row.principal.partition(":")[0])
"""


def use_it_in_django(folder: Path) -> None:
    """A new project gets its tables and a key, and logs a request that the key has opened."""
    from llmgateway.testing import FakeProvider
    from llmgateway.testing.server import serve_in_thread

    run("startproject", "shop", ".", command=PYTHON.with_name("django-admin"))
    manage = ("-W", "error", str(folder / "manage.py"))
    with serve_in_thread(FakeProvider()) as provider:
        append(folder / "shop" / "settings.py", SETTINGS.replace("http://fake", provider.url))
        append(folder / "shop" / "urls.py", URLS)
        run(*manage, "check", command=PYTHON)
        run(*manage, "migrate", command=PYTHON)
        key = run(*manage, "llmgateway_createkey", "probe", command=PYTHON).strip()
        check("a key is made", True, key.startswith("lgw_"))
        told = run("-W", "error", "-c", ASK, key, command=PYTHON)
    check("a request is answered, and logged", "200 assistant 200 key", told.strip())


def append(file: Path, text: str) -> None:
    """Add to a file that is there."""
    file.write_text(file.read_text() + text)


def run(*args: str, command: Path = COMMAND) -> str:
    """Return what a command prints with these arguments; it must exit with 0."""
    done = subprocess.run([command, *args], capture_output=True, text=True, check=False)
    told = f": {done.stderr}" if done.returncode else ""
    check(f"exit status of `{command.name} {' '.join(args[:3])}`{told}", 0, done.returncode)
    return done.stdout


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_up(url: str, server: subprocess.Popen[bytes]) -> None:
    """Return once `url` answers 200."""
    give_up = time.monotonic() + START_WITHIN_S
    while True:
        check("exit status of the server before it was up", None, server.poll())
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                check(f"status of {url}", 200, answer.status)
                return
        except urllib.error.URLError:
            check(f"up after {START_WITHIN_S} s", True, time.monotonic() < give_up)
            time.sleep(0.1)


def post(url: str, body: dict[str, object]) -> bytes:
    """Send `body` and return the whole answer."""
    request = urllib.request.Request(
        url,
        data=json.dumps({"model": "gpt-4o-mini", **body}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        data: bytes = answer.read()
        return data


def check(what: str, expected: object, actual: object) -> None:
    """End the run unless both are equal."""
    if expected != actual:
        sys.exit(f"wheel probe: {what}: expected {expected!r}, got {actual!r}")
    print(f"wheel probe: {what}: ok", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
