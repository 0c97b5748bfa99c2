"""The command `llmgateway`: serve, check a file, make a client key."""

from __future__ import annotations

import argparse
import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from llmgateway import __version__
from llmgateway.cli.orders import LOG_LEVELS, Orders

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    commands = {"serve": _serve, "check": _check, "key": _key}
    try:
        return commands[options.command](options)
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llmgateway", description="One OpenAI-compatible API in front of many providers."
    )
    parser.add_argument("--version", action="version", version=f"llmgateway {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the gateway as a server")
    serve.add_argument("--host", help="where to listen (default 127.0.0.1: this machine only)")
    serve.add_argument("--port", type=_port, help="(default 8787; 0: any free one)")
    serve.add_argument("--config", type=Path, metavar="FILE", help="a TOML file of settings")
    serve.add_argument("--demo", action="store_true", help="with a fake provider, to try things")
    serve.add_argument("--log-level", choices=LOG_LEVELS, default="info")
    checked = commands.add_parser("check", help="check a server's TOML file or a routing config")
    checked.add_argument("file", type=Path, metavar="FILE")
    key = commands.add_parser("key", help="make a client key")
    key.add_argument("--name", default="my-app", help="whom it is for (default my-app)")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    orders = Orders(options.host, options.port, options.config, options.demo, options.log_level)
    with _collector_at_rest():
        # Loaded only now: it is most of what a start takes, and hardly any of it becomes garbage.
        from llmgateway.cli.serve import command

        return command(orders, os.environ)


def _check(options: argparse.Namespace) -> int:
    # No other command draws trees.
    from llmgateway.cli.check import command

    return command(options.file, os.environ)


def _key(options: argparse.Namespace) -> int:
    # No other command makes keys.
    from llmgateway.cli.keys import command

    return command(options.name)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Collect no garbage while a server starts; it turns the collector on once it listens."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
