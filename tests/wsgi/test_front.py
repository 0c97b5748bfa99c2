"""Mounting in front of another app, by prefix."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from llmgateway import Gateway
from llmgateway.runtime import BackgroundLoop
from llmgateway_wsgi import Environ, StartResponse, mount
from tests.wsgi.conftest import call, environ_of


def own(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer what is not the gateway's."""
    start_response("200 OK", [])
    return [environ["SCRIPT_NAME"].encode(), b"|", environ["PATH_INFO"].encode()]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/llm", b"AI Gateway says hey!"),
        ("/llm/", b"AI Gateway says hey!"),
        ("/llm/healthz", b'{"status":"ok"}'),
        ("/llmx", b"|/llmx"),
        ("/own", b"|/own"),
        ("/", b"|/"),
    ],
)
def test_the_prefix_is_the_gateways(
    gateway: Gateway, loop: BackgroundLoop, path: str, body: bytes
) -> None:
    app = mount(own, gateway, runtime=loop)

    served = call(app, environ_of(b"", path, REQUEST_METHOD="GET"))

    assert body == served.rest()


@pytest.mark.parametrize("prefix", ["llm", "/llm/", "", "/"])
def test_a_prefix_that_is_none_is_refused(gateway: Gateway, prefix: str) -> None:
    with pytest.raises(ValueError, match="slash"):
        mount(own, gateway, prefix=prefix)
