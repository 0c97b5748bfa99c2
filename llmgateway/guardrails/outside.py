"""Checks that ask the world outside: webhooks, a log, URLs that answer.

Source: reference/portkey, guardrails, section 3. All of it goes through `Services.fetch`, the
guarded transport, so an address within the operator's network is refused there.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import orjson
from pydantic import Field, PlainValidator, WithJsonSchema

from llmgateway.guardrails.base import (
    CheckFailed,
    Fetched,
    ParameterFault,
    Services,
    Subject,
    Verdict,
)
from llmgateway.guardrails.declare import check
from llmgateway.guardrails.request import request_type
from llmgateway.guardrails.text import Not, demand_text, excerpt, judged
from llmgateway.types import JSON

_MAX_URLS = 20
_MAX_URL = 2048
_MAX_REDIRECTS = 3
_URL_TIMEOUT_S = 3.0
_LOG_TIMEOUT_S = 3.0
# What ends a URL in a text, and what may stand behind it without being part of it.
_ENDS = frozenset("\"'<>()[]{}|\\^`,")
_TRAILING = ".,;:!?*_"


def _headers(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value or "{}")
        except ValueError:
            raise ParameterFault("Headers are an object, or JSON of one") from None
    if not isinstance(value, dict):
        raise ParameterFault("Headers are an object, or JSON of one")
    for name, text in value.items():
        if not isinstance(text, str) or not _is_field(name, text):
            raise ParameterFault("Headers have names and texts of one line", (name,))
    return value


def _is_field(name: str, text: str) -> bool:
    is_name = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return is_name and text.isprintable() and text.isascii()


def _url(value: Any) -> str:
    if isinstance(value, str) and len(value) <= _MAX_URL:
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme in ("http", "https") and parts.hostname:
            return value
    raise ParameterFault("This is no http(s) URL")


HeaderFields = Annotated[
    dict[str, str], PlainValidator(_headers), WithJsonSchema({"type": ["object", "string"]})
]
URL = Annotated[str, PlainValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]


@check("default.webhook", changes=True)
async def webhook(
    subject: Subject,
    webhook_url: Annotated[URL, "It is sent the request (and answer) as JSON, without headers."],
    headers: Annotated[HeaderFields | None, "To send along; an object, or JSON of one."] = None,
    timeout: Annotated[int, Field(gt=0, le=60_000), "In milliseconds."] = 3000,
    *,
    services: Services,
) -> Verdict:
    """Let a service of yours decide: it answers `{"verdict": true, "data": …}`.

    A member `transformedData` with `request.json` or `response.json` replaces the body.
    """
    fetched = await _post(services, webhook_url, headers, subject, timeout / 1000)
    answer = _answer(fetched)
    changed = answer.get("transformedData") or {}
    is_input = subject.stage == "input"
    data = {
        "explanation": f"The webhook {'passed' if answer['verdict'] else 'failed'} it",
        "webhookUrl": _shown(webhook_url),
        "responseData": answer.get("data"),
    }
    return Verdict(
        answer["verdict"],
        data,
        request=_body(changed, "request") if is_input else None,
        answer=None if is_input else _body(changed, "response"),
    )


# It passes whatever it is told, so no stream need wait for it.
@check("default.log", needs_text=False)
async def log(
    subject: Subject,
    log_url: Annotated[URL, "It is sent the request (and answer) as JSON, without headers."],
    headers: Annotated[HeaderFields | None, "To send along; an object, or JSON of one."] = None,
    *,
    services: Services,
) -> Verdict:
    """Send what was asked (and answered) to a log of yours; always passes."""
    fetched = await _post(services, log_url, headers, subject, _LOG_TIMEOUT_S)
    if not 200 <= fetched.status < 300:
        raise CheckFailed(f"The log answered with status {fetched.status}")
    return Verdict(True, {"explanation": "Sent", "logUrl": _shown(log_url)})


async def _post(
    services: Services, url: str, headers: dict[str, str] | None, subject: Subject, timeout_s: float
) -> Fetched:
    fields = {"content-type": "application/json", **(headers or {})}
    return await services.fetch(
        "POST", url, headers=fields, body=_context(subject), timeout_s=timeout_s
    )


def _context(subject: Subject) -> bytes:
    is_input = subject.stage == "input"
    context: JSON = {
        "request": {
            "json": subject.request,
            "text": subject.text if is_input else "",
            "isStreamingRequest": subject.is_stream,
            "isTransformed": False,
        },
        "response": {
            "json": subject.answer or {},
            "text": "" if is_input else subject.text,
            "statusCode": None if is_input else subject.status,
            "isTransformed": False,
        },
        "provider": subject.provider,
        "requestType": request_type(subject),
        "metadata": dict(subject.metadata),
        "eventType": "beforeRequestHook" if is_input else "afterRequestHook",
    }
    try:
        return orjson.dumps(context)
    except TypeError:
        raise CheckFailed("The request cannot be written as JSON") from None


def _answer(fetched: Fetched) -> JSON:
    if not 200 <= fetched.status < 300:
        raise CheckFailed(f"The webhook answered with status {fetched.status}")
    try:
        answer = orjson.loads(fetched.body)
    except ValueError:
        raise CheckFailed("The webhook's answer is not JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("verdict"), bool):
        raise CheckFailed("The webhook's answer has no verdict")
    return answer


def _body(changed: Any, part: str) -> JSON | None:
    found = changed.get(part) if isinstance(changed, dict) else None
    body = found.get("json") if isinstance(found, dict) else None
    return body if isinstance(body, dict) and body else None


def _shown(url: str) -> str:
    """Return a URL without what may be secret: credentials, query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


@check("default.validUrls", stages=("output",))
async def valid_urls(
    subject: Subject,
    only_dns: Annotated[bool, "Only look up their hosts, ask them nothing."] = False,
    not_: Not = False,
    *,
    services: Services,
) -> Verdict:
    """Pass when the text has URLs and each of them answers a HEAD request with success."""
    text = demand_text(subject)
    urls = urls_in(text)
    if len(urls) > _MAX_URLS:
        raise CheckFailed(f"The text has more than {_MAX_URLS} URLs")
    asked = [_resolves(services, url) if only_dns else _answers(services, url) for url in urls]
    good = await asyncio.gather(*asked)
    valid = [url for url, is_good in zip(urls, good, strict=True) if is_good]
    invalid = [url for url in urls if url not in valid]
    said = f"{len(valid)} of {len(urls)} URLs are valid" if urls else "The text has no URLs"
    data = {
        "explanation": said,
        "urls": urls,
        "validUrls": valid,
        "invalidUrls": invalid,
        "validationMethod": "DNS" if only_dns else "HTTP",
        "not": not_,
        "textExcerpt": excerpt(text),
    }
    return Verdict(judged(bool(urls) and not invalid, not_), data)


def urls_in(text: str) -> list[str]:
    """Return the http(s) URLs of a text, each once, one more than `validUrls` takes at most."""
    lowered = text.lower() if len(text.lower()) == len(text) else text
    found: dict[str, None] = {}
    position = lowered.find("http")
    while position >= 0 and len(found) <= _MAX_URLS:
        end = position + 4
        if lowered.startswith(("http://", "https://"), position):
            end = _end(text, position)
            found[text[position:end].rstrip(_TRAILING)] = None
        position = lowered.find("http", end)
    return list(found)


def _end(text: str, position: int) -> int:
    while position < len(text) and text[position] not in _ENDS and not text[position].isspace():
        position += 1
    return position


async def _resolves(services: Services, url: str) -> bool:
    host = _host(url)
    try:
        return bool(host) and await services.resolves(host)
    except CheckFailed:
        return False


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


async def _answers(services: Services, url: str) -> bool:
    for _ in range(1 + _MAX_REDIRECTS):
        if len(url) > _MAX_URL or not _host(url):
            return False
        try:
            fetched = await services.fetch("HEAD", url, timeout_s=_URL_TIMEOUT_S)
            target = fetched.headers.get("location")
            if not 300 <= fetched.status < 400 or not target:
                return 200 <= fetched.status < 300
            url = urljoin(url, target)
        except (CheckFailed, ValueError):
            return False
    return False


CHECKS = (webhook, log, valid_urls)
