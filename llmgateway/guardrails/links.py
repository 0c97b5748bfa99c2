"""Which hosts the texts may link to.

Answers that link elsewhere are how data is carried off (an image's address is fetched by the
reader's own browser) and how readers are led astray.
Source: https://genai.owasp.org/llmrisk/llm052025-improper-output-handling/.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from annotated_types import MinLen
from pydantic import AfterValidator

from llmgateway.guardrails.base import CheckFailed, Subject, Verdict
from llmgateway.guardrails.declare import Arguments, check
from llmgateway.guardrails.hosts import MAX_AUTHORITY, HostList, read_authority
from llmgateway.guardrails.regexp import Regexp, compile_own

MAX_LINKS = 2000
_MAX_TOLD = 20
_WEB = ("http", "https", "ws", "wss", "ftp")
"""Browsers read `\\` as `/` in these, and any number of either before the host."""

# Only where an address begins: what follows is read apart, so that one within another's path or
# right behind it is found too. The third and the fourth are links' targets.
_HEADS = "(?i)" + "|".join(
    (
        r"\b([a-z][a-z0-9+.\-]{1,31}):[/\\]{2,64}",
        r"\b(https?|wss?|ftp):[/\\]",
        r"\]\(\s{0,8}<?\s{0,8}(?:([a-z][a-z0-9+.\-]{1,31}):[/\\]{0,64}|[/\\]{2,64})",
        r"(?:\]:\s{1,8}<?|\b(?:href|src|action)\s{0,8}=\s{0,8}[\"']?\s{0,8})"
        r"(?:([a-z][a-z0-9+.\-]{1,31}):[/\\]{0,64}|[/\\]{2,64})",
        r"\b(javascript|vbscript):\S",
        r"\b(data):[a-z]{1,20}/[a-z0-9.+\-]{1,60}[;,]",
        r"\bwww\.",
    )
)
# One class each, so they are linear in `re` as well.
_END = re.compile(r"[/<>\"`\s]")
_AUTHORITY_END = re.compile(r"[?#]")
_PUNCTUATION = re.compile(r"\\([!-/:-@\[-`{-~])")
_UNICODE = re.compile(r"\\u00([0-7][0-9a-fA-F])")
_DROPPED = dict.fromkeys(map(ord, "\t\r\n"))


def _limit(arguments: Arguments) -> None:
    # Finds that RE2 is missing when the config is read. There is no limit: where a stream's window
    # ends within an address (`https://exam`), its host would be judged by its beginning.
    _heads()


def _hosts(names: list[str]) -> list[str]:
    HostList(names)
    return names


Hosts = Annotated[list[str], AfterValidator(_hosts)]


@dataclass(frozen=True, slots=True)
class _Link:
    scheme: str
    """In lower case; empty where the text leaves it out."""
    authority: str | None
    """What may hold the host; None where the scheme has no hosts."""
    host: str | None
    """None: none, or one that cannot be read in one way only."""


@check("default.urlAllowList", window_limit=_limit, blocking=True)
def url_allow_list(
    subject: Subject,
    hosts: Hosts = [],  # noqa: B006 never changed
    block: Hosts = [],  # noqa: B006 never changed
    schemes: Annotated[list[str], MinLen(1)] = ["http", "https"],  # noqa: B006 never changed
    not_: bool = False,
) -> Verdict:
    """Pass when every address in the texts has a host and a scheme that are allowed.

    Addresses are found anywhere: in prose, in Markdown and HTML, in code, within other addresses,
    without a scheme (`www.`, `//`). Hosts are compared as browsers read them: in lower case, as
    punycode, with `%2e`, full-width dots and back-slashes resolved; ports are not compared. What
    two readers may read differently is not allowed: user names before an `@`, numbers in odd forms
    for an IP address, names over 253 characters. Text without a space behind an address counts as
    part of it where it could be one. More than 2,000 addresses are an error. No address passes.

    Args:
        hosts: The allowed ones: `example.com` itself, `*.example.com` all below it, `192.0.2.1`.
            None given, all that are not blocked.
        block: Hosts that are never allowed, written likewise.
        schemes: The allowed ones; `javascript`, `data`, `mailto` and others count where a link
            has them.
        not_: Pass when an address is not allowed.
    """
    allowed, blocked = HostList(hosts), HostList(block)
    permitted = {scheme.lower() for scheme in schemes}
    links = {link for text in subject.texts for link in _links(text)}
    if len(links) > MAX_LINKS:
        raise CheckFailed(f"The text has more than {MAX_LINKS} addresses")
    bad = [link for link in links if not _is_allowed(link, allowed, blocked, permitted)]
    hosts_told = sorted({link.host for link in bad if link.host})
    return Verdict(
        bool(bad) if not_ else not bad,
        {
            "explanation": f"{len(bad)} of {len(links)} addresses are not allowed",
            "links": len(links),
            "blockedHosts": hosts_told[:_MAX_TOLD],
            "blockedSchemes": sorted({x.scheme for x in bad if x.scheme not in permitted} - {""})[
                :_MAX_TOLD
            ],
            "unreadable": sum(link.authority is not None and link.host is None for link in bad),
            "not": not_,
        },
    )


def _is_allowed(link: _Link, allowed: HostList, blocked: HostList, schemes: set[str]) -> bool:
    if link.scheme and link.scheme not in schemes:
        return False
    if link.authority is None:
        return True
    if link.host is None or link.host in blocked:
        return False
    return not allowed or link.host in allowed


@cache
def _heads() -> Regexp:
    return compile_own(_HEADS)


@cache
def _attributes() -> Regexp:
    return compile_own(
        r"""(?i)\b(?:href|src|action)\s{0,8}=\s{0,8}(?:"[^"]{1,1000}|'[^']{1,1000})"""
    )


def _links(text: str) -> Iterator[_Link]:
    count = 0
    for reading in _readings(text):
        for head in _heads().finditer(reading):
            count += 1
            if count > MAX_LINKS:
                raise CheckFailed(f"The text has more than {MAX_LINKS} addresses")
            link = _link(reading, head.start, head.end, _scheme(reading, head.groups))
            if link.authority != "":
                yield link


def _readings(text: str) -> Iterator[str]:
    """Yield the text, and what those make of it who resolve escapes in it."""
    yield text
    if "\\" in text:
        yield _PUNCTUATION.sub(r"\1", _UNICODE.sub(lambda found: chr(int(found[1], 16)), text))
    if "&" in text and (resolved := html.unescape(text)) != text:
        yield resolved
        text = resolved
    if any(one in text for one in "\t\r\n"):
        # Browsers drop these within an attribute.
        found = [text[one.start : one.end] for one in _attributes().finditer(text)]
        yield "\n".join(one.translate(_DROPPED) for one in found)


def _scheme(text: str, groups: Sequence[tuple[int, int] | None]) -> str:
    found = next((group for group in groups if group is not None), None)
    if found is None:
        return ""
    scheme = text[found[0] : found[1]].lower()
    # A line break in JSON: `\nhttps://`.
    is_escaped = (
        found[0] > 0 and text[found[0] - 1] == "\\" and scheme[0] in "nrt" and scheme[1:] in _WEB
    )
    return scheme[1:] if is_escaped else scheme


def _link(text: str, start: int, end: int, scheme: str) -> _Link:
    is_bare = text[start:end].lower() == "www."
    has_slash = text[end - 1] in "/\\"
    if not is_bare and not has_slash and scheme not in _WEB:
        return _Link(scheme, None, None)
    rest = text[start if is_bare else end :][: MAX_AUTHORITY + 1]
    # Browsers skip any number of slashes; a missing one after `//` is a file's.
    rest = rest.lstrip("/\\")
    run, *hidden = _END.split(rest, maxsplit=1)[0].split("\\", 1)
    authority = _AUTHORITY_END.split(run, maxsplit=1)[0]
    is_unclear = "@" in "".join(hidden)
    return _Link(scheme, authority, None if is_unclear else read_authority(authority))


CHECKS = (url_allow_list,)
