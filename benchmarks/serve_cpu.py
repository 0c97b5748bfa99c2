"""CPU per request of `llmgateway serve` as shipped: chat completions of 1 KB through a real socket.

    python benchmarks/serve_cpu.py [--requests 2000] [--in-flight 16]

Starts a minimal upstream (this process) and the server (a process of its own), sends keep-alive
requests, and reads the server's own CPU time before and after. Absolute figures depend on the
machine; compare runs on one machine only. Linux only (reads /proc).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "word " * 160},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 200, "completion_tokens": 160, "total_tokens": 360},
    }
).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(ANSWER),
    ANSWER,
)
QUESTION = json.dumps(
    {"model": "m", "messages": [{"role": "user", "content": "word " * 180}]}
).encode()


class Upstream(asyncio.Protocol):
    """Answers every request with the same bytes; requests come one at a time, body included."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(rest) >= length:
            self.buffer = b""
            self.transport.write(RESPONSE)


async def client(port: int, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        "authorization: Bearer sk-benchmark\r\nx-portkey-provider: openai\r\n"
        f"content-type: application/json\r\ncontent-length: {len(QUESTION)}\r\n\r\n"
    ).encode() + QUESTION
    for _ in range(count):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_until_up(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise SystemExit("the server did not start")


async def drive(
    command: list[str], port: int, upstream_port: int, requests: int, in_flight: int
) -> None:
    loop = asyncio.get_running_loop()
    upstream = await loop.create_server(Upstream, "127.0.0.1", upstream_port)
    server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    try:
        await wait_until_up(port)
        await client(port, 100)  # warm up
        each = requests // in_flight
        before, started = cpu_s(server.pid), time.perf_counter()
        await asyncio.gather(*(client(port, each) for _ in range(in_flight)))
        elapsed, used = time.perf_counter() - started, cpu_s(server.pid) - before
    finally:
        server.terminate()
        await server.wait()
        upstream.close()
    done = each * in_flight
    print(
        f"{in_flight} in flight: {used / done * 1e6:,.0f} µs CPU a request,"
        f" {done / elapsed:,.0f} requests/s"
    )


def measure(requests: int, in_flight: int) -> None:
    port, upstream_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "server.toml")
        base_url = f"http://127.0.0.1:{upstream_port}/v1"
        config.write_text(f'[providers.openai]\nbase_url = "{base_url}"\n', encoding="utf-8")
        command = [sys.executable, "-m", "llmgateway", "serve", "--port", str(port)]
        command += ["--config", str(config)]
        asyncio.run(drive(command, port, upstream_port, requests, in_flight))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, nargs="*", default=[1, 16])
    arguments = parser.parse_args()
    for in_flight in arguments.in_flight:
        measure(arguments.requests, in_flight)


if __name__ == "__main__":
    main()
