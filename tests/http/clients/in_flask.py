"""The gateway as a blueprint of a Flask app, under gunicorn's threaded worker."""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from llmgateway import Gateway
from llmgateway_flask import LLMGateway
from llmgateway_wsgi import WSGIApp
from tests.http.clients.under_gunicorn import UnderGunicorn


def _own_error(error: Exception) -> tuple[str, int]:
    return "the host's own error", error.code or 500 if isinstance(error, HTTPException) else 500


class InFlask(UnderGunicorn):
    """The extension, in an app that has error pages of its own."""

    name = "flask"

    def app(self, gateway: Gateway) -> WSGIApp:
        """Return a Flask app with a route of its own."""
        app = Flask(__name__)
        LLMGateway(url_prefix=self.prefix, runtime=self.loop).init_app(app, gateway=gateway)
        app.add_url_rule("/own", "own", lambda: "the host's own")
        app.register_error_handler(Exception, _own_error)
        made: Any = app.wsgi_app
        served: WSGIApp = made
        return served
