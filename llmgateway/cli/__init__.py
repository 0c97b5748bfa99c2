"""The command `llmgateway`: serve, check a file, make a client key."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from llmgateway.cli.access import RefusedToStart
from llmgateway.cli.check import check
from llmgateway.cli.keys import new_client_key
from llmgateway.cli.serve import LOG_LEVELS, MissingExtra, Orders, plan_to_serve, run
from llmgateway.cli.server_file import FileFaults
from llmgateway.providers import EntryPointError, builtin
from llmgateway.settings import client_key_digest

__all__ = ["main"]

_BAD_FILE = 1
_NOT_STARTED = 2


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
    parser.add_argument(
        "--version", action="version", version=f"llmgateway {version('llmgateway')}"
    )
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
    try:
        return run(plan_to_serve(orders, os.environ, builtin().discover()))
    except FileFaults as faults:
        _complain(*faults.lines())
    except (RefusedToStart, MissingExtra, EntryPointError) as error:
        _complain(f"llmgateway serve: {error}")
    return _NOT_STARTED


def _check(options: argparse.Namespace) -> int:
    try:
        print("\n".join(check(options.file, os.environ, builtin().discover())))
    except FileFaults as faults:
        _complain(*faults.lines())
        return _BAD_FILE
    except EntryPointError as error:
        _complain(f"llmgateway check: {error}")
        return _BAD_FILE
    return 0


def _key(options: argparse.Namespace) -> int:
    key = new_client_key()
    quoted = '"' + options.name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    name = options.name if options.name.replace("-", "").isalnum() else quoted
    print(f"For the caller (it is not kept anywhere and not shown again):\n  {key}\n")
    print("For the server's config file (the key cannot be found out from it):")
    print(f'  [client_keys]\n  {name} = "{client_key_digest(key)}"')
    return 0


def _complain(*lines: str) -> None:
    print("\n".join(lines), file=sys.stderr)
