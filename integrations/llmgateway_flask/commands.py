"""`flask llmgateway check` and `flask llmgateway routes`."""

from __future__ import annotations

from collections.abc import Iterator

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from llmgateway.engine.check import check_settings
from llmgateway.engine.outline import outline
from llmgateway.http.routes import MODEL_ROUTES, PROXY_ROUTE, ROUTES
from llmgateway_flask.state import EXTENSION, state

__all__ = ["commands"]

commands = AppGroup(EXTENSION, short_help="The AI gateway's settings and routes.")

_REST = f"<{EXTENSION}:path>"


@commands.command("check")
def check() -> None:
    """Tell what the gateway's settings come to; wrong ones keep the app from starting."""
    gateway = state().gateway
    _, plan = check_settings(gateway.settings, gateway.registry)
    click.echo("The settings can be used.")
    click.echo(f"served at: {', '.join(_prefixes(current_app)) or 'no address, in-app only'}")
    click.echo(f"access: {gateway.settings.access}")
    for line in outline(gateway.settings, gateway.registry, plan):
        click.echo(line)


@commands.command("routes")
def routes() -> None:
    """List the gateway's routes, wherever it is served."""
    lines = [
        (", ".join(route.methods), prefix + route.path, route.doc)
        for prefix in _prefixes(current_app)
        for route in (*ROUTES, *MODEL_ROUTES.values(), PROXY_ROUTE)
    ]
    methods, paths = (max((len(line[i]) for line in lines), default=0) for i in (0, 1))
    for method, path, doc in lines:
        click.echo(f"{method:{methods}}  {path:{paths}}  {doc}")


def _prefixes(app: Flask) -> Iterator[str]:
    """Yield where the gateway is served."""
    front = state().front_prefix
    if front is not None:
        yield front
    for rule in app.url_map.iter_rules():
        if rule.rule.endswith(_REST):
            yield rule.rule.removesuffix(_REST)
