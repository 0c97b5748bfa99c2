"""The blueprint: one view for every method and path below its prefix."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, current_app, request, stream_with_context
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.datastructures import Headers
from werkzeug.routing import BaseConverter

from llmgateway_flask.state import EXTENSION, state
from llmgateway_wsgi import Environ, respond

__all__ = ["Below", "blueprint"]


class Below(BaseConverter):
    """All that follows a prefix: nothing, or a slash and anything at all."""

    regex = "(?s:/.*)?"
    part_isolating = False
    weight = 300  # the app's own routes below the prefix come first


def blueprint(name: str = EXTENSION, *, keep_context: bool = False) -> Blueprint:
    """Return a blueprint that serves the app's gateway; register it with a `url_prefix`.

    `keep_context` has Flask's contexts last as long as a stream, for hooks that look at them.
    """
    made = Blueprint(name, __name__)

    def view(path: str, **variables: Any) -> Response:
        return _serve(path, keep_context)

    made.record(lambda setup: _add_rule(setup, view))
    return made


def _add_rule(setup: BlueprintSetupState, view: Callable[..., Response]) -> None:
    prefix = (setup.url_prefix or "").rstrip("/")
    if not prefix.startswith("/"):
        raise ValueError("Register the gateway's blueprint with a url_prefix, such as '/llm'.")
    app = setup.app
    endpoint = f"{setup.name_prefix}.{setup.name}.gateway".lstrip(".")
    app.url_map.converters.setdefault(EXTENSION, Below)
    # Not by `add_url_rule`, which wants the methods listed: those are the gateway's to say.
    rule = app.url_rule_class(
        f"{prefix}<{EXTENSION}:path>",
        endpoint=endpoint,
        subdomain=setup.subdomain,
        defaults=setup.url_defaults or None,
        strict_slashes=False,
        merge_slashes=False,
    )
    app.url_map.add(rule)
    app.view_functions[endpoint] = view


def _serve(path: str, keep_context: bool) -> Response:
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> Callable[[bytes], object]:
        head.extend((status, headers))
        return head.append

    answer = state().wsgi.answer(_below(path))
    body: Any = respond(answer, start_response, head_only=request.method == "HEAD")
    if keep_context and isinstance(body, Iterator):
        body = stream_with_context(body)
    response = current_app.response_class(body, status=head[0])
    # All of them are the gateway's: no content type is made up, nor the length of an empty answer.
    response.headers = Headers(head[1])
    response.automatically_set_content_length = False
    return response


def _below(path: str) -> Environ:
    """Return the environment as the gateway has it, with its prefix in `SCRIPT_NAME`."""
    environ = request.environ
    whole: str = environ.get("PATH_INFO", "")
    # `path` is decoded and so of another length; the slashes are the same in both.
    root = whole.rsplit("/", path.count("/"))[0]
    below = {
        **environ,
        "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + root,
        "PATH_INFO": whole[len(root) :],
    }
    had = vars(request)  # by a hook of the app's, before us
    if had.get("_cached_data") is not None:
        below["wsgi.input"] = io.BytesIO(request.get_data())
    elif "stream" in had:  # looked at, as by `request.form`: what is left of it is ours to bound
        below["wsgi.input"] = request.stream
    return below
