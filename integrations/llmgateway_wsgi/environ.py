"""What a WSGI server says of a request, as an `HTTPRequest`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from llmgateway.types.http import Headers, HTTPRequest
from llmgateway_wsgi.body import body_of

__all__ = ["Environ", "StartResponse", "WSGIApp", "request_of"]

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]

_PATH_CHARS = "/:@!$&'()*+,=~"
"""What RFC 3986, section 3.3, lets stand in a path as it is, but for the semicolon."""

_RAW = ("RAW_URI", "REQUEST_URI")
"""Where servers put the target as it came: gunicorn and Werkzeug; waitress, uWSGI and mod_wsgi."""


def request_of(environ: Environ, body_s: float) -> HTTPRequest:
    """Return the request that an environment describes.

    A short body is read here; a client that sends nothing of it for `body_s` is too slow.

    Source: https://peps.python.org/pep-3333/#environ-variables
    """
    method: str = environ["REQUEST_METHOD"]
    return HTTPRequest(
        method=method,
        path=_path_of(environ),
        query=environ.get("QUERY_STRING", ""),
        headers=Headers.lowered(_fields(environ)),
        body=b"" if method in ("GET", "HEAD") else body_of(environ, body_s),
        client=environ.get("REMOTE_ADDR") or None,
    )


def _fields(environ: Environ) -> tuple[tuple[bytes, bytes], ...]:
    fields = [
        (_name_of(key), value.encode("latin-1"))
        for key, value in environ.items()
        if key[:5] == "HTTP_" and key not in _NEVER
    ]
    if kind := environ.get("CONTENT_TYPE"):
        fields.append((b"content-type", kind.encode("latin-1")))
    if length := environ.get("CONTENT_LENGTH"):
        fields.append((b"content-length", length.encode("latin-1")))
    return tuple(fields)


_NEVER = frozenset({"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"})
"""Which would be a second value of what has its own place."""

_names: dict[str, bytes] = {}


def _name_of(key: str) -> bytes:
    name = _names.get(key)
    if name is None:
        name = key[5:].replace("_", "-").lower().encode("latin-1")
        if len(_names) < 1024:  # clients choose them
            _names[key] = name
    return name


def _path_of(environ: Environ) -> str:
    """Return the percent-encoded path below the mount prefix.

    As it came where the server tells, since `PATH_INFO` has lost what `%2F` was. Only if it is
    still about the same path: what has been rewritten since counts as it is now.
    """
    root: str = environ.get("SCRIPT_NAME", "").rstrip("/")
    path: str = environ.get("PATH_INFO", "")
    for name in _RAW:
        if raw := _raw_path(environ.get(name)):
            # Some drop all but one of the slashes at the front.
            whole = (root + path).encode("latin-1")
            now = whole.lstrip(b"/")
            # Apache, told to let `%2F` pass, leaves it in `PATH_INFO`.
            if unquote_to_bytes(raw).lstrip(b"/") in (now, unquote_to_bytes(now)):
                return _below(raw, root) or "/"
            break
    return quote(path, safe=_PATH_CHARS, encoding="latin-1") or "/"


def _below(raw: str, root: str) -> str:
    """Cut the prefix off a path as it came, which may spell it with escapes."""
    if raw.startswith(root) and raw[len(root) : len(root) + 1] in ("", "/"):
        return raw[len(root) :]
    prefix = root.encode("latin-1")
    slashes = [place for place, letter in enumerate(raw) if letter == "/"]
    for end in (*slashes, len(raw)):
        if unquote_to_bytes(raw[:end]) == prefix:
            return raw[end:]
    return raw


def _raw_path(target: str | None) -> str:
    if not target:
        return ""
    if not target.startswith("/"):  # in absolute form, which names a host as well
        _, found, rest = target.partition("://")
        target = rest[rest.index("/") :] if found and "/" in rest else ""
    return target.partition("?")[0].partition("#")[0]
