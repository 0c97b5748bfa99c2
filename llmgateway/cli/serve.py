"""`llmgateway serve`: puts together what the command line, the file and the rules of access say."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from llmgateway.cli.access import RefusedToStart, admit
from llmgateway.cli.orders import Orders
from llmgateway.cli.server_file import FileFaults, ServerFile, parse_server_file, read_text
from llmgateway.providers import EntryPointError, Registry, builtin
from llmgateway.settings import Settings

__all__ = ["MissingExtra", "ServePlan", "command", "plan_to_serve", "run"]

_NOT_STARTED = 2


class MissingExtra(Exception):
    """What serving needs is not installed."""


@dataclass(frozen=True, slots=True)
class ServePlan:
    """All that is known before the first socket is opened."""

    settings: Settings
    host: str
    port: int
    grace_s: float
    demo: bool
    log_level: str


def command(orders: Orders, environment: Mapping[str, str]) -> int:
    """Serve until a signal ends it, or say why not; returns the exit code."""
    try:
        return run(plan_to_serve(orders, environment, builtin().discover()))
    except FileFaults as faults:
        words = list(faults.lines())
    except (RefusedToStart, MissingExtra, EntryPointError) as error:
        words = [f"llmgateway serve: {error}"]
    print("\n".join(words), file=sys.stderr)
    return _NOT_STARTED


def plan_to_serve(orders: Orders, environment: Mapping[str, str], registry: Registry) -> ServePlan:
    """Return what is to be served; raises `FileFaults` and `RefusedToStart`."""
    file = ServerFile()
    if orders.config is not None:
        text = read_text(orders.config)
        file = parse_server_file(text, orders.config.name, environment, registry)
    host = file.server.host if orders.host is None else orders.host
    return ServePlan(
        settings=admit(file.settings, host),
        host=host.removeprefix("[").removesuffix("]"),
        port=file.server.port if orders.port is None else orders.port,
        grace_s=file.server.grace_s,
        demo=orders.demo,
        log_level=orders.log_level,
    )


def run(plan: ServePlan) -> int:
    """Serve until a signal ends it; returns the exit code. Raises `MissingExtra`."""
    try:
        # uvicorn comes with an extra, and no other command needs it.
        from llmgateway.cli.server import serve
    except ModuleNotFoundError as error:
        if error.name != "uvicorn":
            raise
        raise MissingExtra(
            "Serving needs uvicorn: pip install 'llmgateway[standalone]'. Or mount the gateway in "
            "an app of yours: llmgateway_asgi.GatewayApp."
        ) from None
    return serve(plan)
