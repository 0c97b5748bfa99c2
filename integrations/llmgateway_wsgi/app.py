"""The WSGI app: shapes are translated; all policy is the gateway's, all waiting the runtime's."""

from __future__ import annotations

from collections.abc import Iterable

from llmgateway.gateway import Gateway
from llmgateway.redaction import redacting_logger
from llmgateway.runtime import LoopStopped, Runtime, SyncResponse, background_loop
from llmgateway.stores import MemoryRecords, Records
from llmgateway.types.call import Principal
from llmgateway_wsgi.answer import respond
from llmgateway_wsgi.environ import Environ, StartResponse, request_of

__all__ = ["GatewayWSGI"]

logger = redacting_logger(__name__)


class GatewayWSGI:
    """A WSGI app. Honours `SCRIPT_NAME`.

    A client that has vanished is noticed at the next write, which is when the server closes the
    answer; that ends the provider's stream as well. Source: https://peps.python.org/pep-3333/
    """

    def __init__(self, gateway: Gateway, runtime: Runtime | None = None) -> None:
        self.gateway = gateway
        self.runtime = background_loop() if runtime is None else runtime
        self._greeted = False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        answer = self.answer(environ)
        return respond(answer, start_response, head_only=environ["REQUEST_METHOD"] == "HEAD")

    def answer(self, environ: Environ, principal: Principal | None = None) -> SyncResponse:
        """Answer one request; `principal` is a caller that the host vouches for."""
        if not self._greeted:
            self._greeted = True
            _greet(environ, self.gateway.records)
        request = request_of(environ, self.gateway.settings.limits.body_s)
        try:
            return self.runtime.handle(self.gateway, request, principal)
        except LoopStopped:
            return _STOPPING


_STOPPING = SyncResponse(
    503,
    (
        (b"content-type", b"application/json"),
        (b"cache-control", b"private, no-store"),
        (b"retry-after", b"1"),
    ),
    b'{"error":{"message":"The server is about to stop; send the request again.",'
    b'"type":"overloaded","param":null,"code":"draining"}}',
)


def _greet(environ: Environ, records: Records) -> None:
    """Log once what the server says of itself."""
    server = environ.get("SERVER_SOFTWARE")
    if server is None:
        return  # a test client, most likely
    threads, processes = environ.get("wsgi.multithread"), environ.get("wsgi.multiprocess")
    logger.info("Served by %s: threads %s, processes %s.", server, bool(threads), bool(processes))
    if not threads:
        logger.warning(
            "%s serves one request at a time, and a stream occupies it to its end: give it "
            "threads (gunicorn: --worker-class gthread --threads 32; uWSGI: --threads 32).",
            server,
        )
    if processes and isinstance(records, MemoryRecords):
        logger.warning(
            "%s runs several processes, and each keeps records of its own, in memory: give the "
            "gateway a store that they share, or run one process with more threads.",
            server,
        )
