"""gunicorn without its field `Server`: the suite looks at the gateway's own fields.

In a module of its own, since a gunicorn that is a process imports it before Django is set up.
"""

from __future__ import annotations

from typing import Any

from gunicorn.http.wsgi import Response  # type: ignore[import-untyped]


def name_no_server() -> None:
    """Leave it out, in this process from now on."""
    given = Response.default_headers

    def default_headers(response: Any) -> list[str]:
        return [line for line in given(response) if not line.startswith("Server:")]

    if given.__module__ != __name__:
        Response.default_headers = default_headers
