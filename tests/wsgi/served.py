"""What the server processes of the tests serve: the gateway before an app, records in a file."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from llmgateway import Gateway
from llmgateway.runtime import background_loop
from llmgateway.types.record import Record
from llmgateway_wsgi import Environ, StartResponse, mount

GRACE_S = 0.5
"""How long after a SIGTERM streams may go on."""


class FileRecords:
    """One line for each record: who stored it, its id and its status."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, batch: Sequence[Record]) -> None:
        """Write them in one go."""
        lines = [f"{os.getpid()} {record.id} {record.status}\n" for record in batch]
        with self._path.open("a") as file:  # short, and seen at once by others
            file.write("".join(lines))


def own(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Tell the process."""
    start_response("200 OK", [("content-type", "text/plain")])
    return [str(os.getpid()).encode()]


_provider = {"base_url": os.environ["TEST_UPSTREAM"], "api_key": "sk-test"}
gateway = Gateway(
    {"access": "local", "allow_loopback_upstreams": True, "providers": {"openai": _provider}},
    records=FileRecords(Path(os.environ["TEST_RECORDS"])),
)
app = mount(own, gateway)

if os.environ.get("TEST_USE_FIRST"):  # in gunicorn's master, with --preload
    background_loop().run(gateway.recorder.flush())


def post_worker_init(worker: object) -> None:
    """Be gunicorn's hook of this name."""
    background_loop().end_on_sigterm(GRACE_S)


if __name__ == "__main__":
    import waitress  # type: ignore[import-untyped]

    background_loop().end_on_sigterm(GRACE_S)
    assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    waitress.serve(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        threads=80,
        connection_limit=500,
        outbuf_high_watermark=2**20,
    )
