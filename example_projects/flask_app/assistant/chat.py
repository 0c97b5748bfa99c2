"""One page that talks to a model: logged-in users call the gateway within the app."""

import json

from flask import Blueprint, Response, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from llmgateway import Principal
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway_flask import current_gateway

pages = Blueprint("chat", __name__)


@pages.get("/")
def page() -> str | AnyResponse:
    if g.user is None:
        return redirect(url_for("users.login"))
    return render_template("chat.html", user=g.user)


@pages.post("/ask")
def ask() -> Response:
    if g.user is None or request.mimetype != "application/json":
        abort(403)  # other sites' forms cannot send JSON, so this needs no CSRF token
    asked = request.get_json()
    if not isinstance(asked, dict):
        abort(400)
    body = {
        "model": "gpt-4o-mini",
        "stream": True,
        "messages": [{"role": "user", "content": str(asked.get("question"))}],
    }
    answer = current_gateway.handle(
        HTTPRequest(
            method="POST",
            path="/v1/chat/completions",
            query="",
            headers=Headers.of(content_type="application/json"),
            body=json.dumps(body).encode(),
        ),
        Principal(f"user:{g.user.name}"),
    )
    if isinstance(answer.body, bytes):  # an error, in OpenAI's shape
        return Response(answer.body, answer.status, mimetype="application/json")
    # Events as the model's words come. Flask closes the stream when the reader leaves.
    return Response(answer.body, mimetype="text/event-stream")
