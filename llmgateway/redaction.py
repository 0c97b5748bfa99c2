"""Takes what looks like a secret out of texts that somebody keeps: bodies, metadata, log lines.

The shapes are a table. Each pattern takes time linear in the text, whatever the text is: what
repeats does so possessively or within bounds, and begins where no other match can begin. Most texts
hold few of the hints, so that few patterns run at all. Unlike `engine/redact.py`, which knows the
secrets of a call, this knows none: a secret without a shape of its own, in a member without a
telling name, stays.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "SHAPES",
    "RedactingFilter",
    "Shape",
    "redacted_text",
    "redacted_value",
    "redacting_logger",
]


@dataclass(frozen=True, slots=True)
class Shape:
    """How one kind of secret looks."""

    name: str
    """What stands in its place: `[redacted:name]`."""
    hints: tuple[str, ...]
    """Of which each text with such a secret has one."""
    pattern: re.Pattern[str]
    """The secret, or with a group `secret` what stands around it as well."""

    @property
    def mark(self) -> str:
        """What stands in the place of such a secret."""
        return f"[redacted:{self.name}]"


def _beginning(first: str, within: str = "A-Za-z0-9") -> str:
    """Return a pattern of what a word begins with, of a fixed length, at the beginning of a word.

    The text may be escaped as JSON or a URL is: what stands before is then no part of the word. The
    look back comes last, since the search is quicker the more letters a pattern begins with.
    """
    before = (rf"(?<![{within}]", r"(?<=\\[bfnrt]", r"(?<=\\u[0-9A-Fa-f]{4}", "(?<=%[0-9A-Fa-f]{2}")
    return f"{first}(?:{'|'.join(f'{look}{first})' for look in before)})"


def _token(
    name: str,
    *prefixes: str,
    hints: tuple[str, ...] | None = None,
    word: bool = False,
    rest: str = r"[\w-]{16,}+",
) -> Shape:
    """Return the shape of tokens that begin so; `word`: but not within a word."""
    words = [re.escape(prefix) for prefix in prefixes]
    if word:
        words = [_beginning(prefix) for prefix in words]
    return Shape(name, hints or prefixes, re.compile(f"(?:{'|'.join(words)}){rest}"))


_SECRET_NAMES = (
    *("api_key", "secret_key", "private_key", "access_key", "account_key", "signing_key"),
    *("access_token", "refresh_token", "id_token", "auth_token", "api_token", "bot_token"),
    *("session_token", "bearer_token", "security_token", "authorization_token", "authorization"),
    *("password", "passwd", "pwd", "passphrase", "secret", "credential", "credentials", "cookie"),
    "connection_string",
)
"""How members of JSON end whose values are secrets; a mere `token` may be any word."""


def _member_name() -> str:
    """Return a pattern of such a name, which is looked at once, from its end."""
    endings: dict[str, list[str]] = {}
    for name in _SECRET_NAMES:
        spelt = dict.fromkeys(name.replace("_", dash) for dash in ("_", "-", ""))
        endings.setdefault(name[-1], []).extend(f"(?<={spelling})" for spelling in spelt)
    by_letter = (
        f"(?<=[{letter}{letter.upper()}])(?i:{'|'.join(looks)})"
        for letter, looks in endings.items()
    )
    return rf"[\w-]{{2,80}}+(?:{'|'.join(by_letter)})"


_MEMBER = _member_name()
_PARAMETER = (
    r"(?=[\w-]{2,40}+=)(?i:key|sig|signature|code|token|secret|password|passwd|pwd|api[_-]?key"
    r"|(?:access|refresh|id|auth|api|security)[_-]?token|client[_-]?secret|subscription-key"
    r"|x-amz-(?:signature|security-token|credential)|x-goog-(?:signature|credential))"
)

SHAPES: tuple[Shape, ...] = (
    Shape(
        "private-key",
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?-----(?:[^-]++|-(?!----END ))*+"
            r"(?:-----END [A-Z0-9 ]{0,60}+-----)?+"
        ),
    ),
    _token("anthropic-key", "sk-ant-"),
    _token("openai-key", "sk-", "ek_", "sess-", word=True),
    _token("gateway-key", "lgw_"),
    _token("google-key", "AIza", "AQ.Ab", "GOCSPX-", "ya29."),
    Shape(
        # It begins like nothing else; so it counts only in a text that speaks of AWS.
        "aws-secret-key",
        ("AKIA", "ASIA", "aws", "AWS", "ecretAccessKey"),
        re.compile(
            _beginning("", "A-Za-z0-9+/_-") + r"(?=[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=_-]))"
            r"(?=[a-z0-9+/]{0,39}[A-Z])(?=[A-Z0-9+/]{0,39}[a-z])(?=[A-Za-z+/]{0,39}[0-9]).{40}"
        ),
    ),
    _token("aws-key-id", "AKIA", "ASIA", rest="[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _token("aws-key", "ABSK", "bedrock-api-key-", rest="[A-Za-z0-9+/=_-]{30,}+"),
    Shape(
        "azure-key",
        ("JQQJ99", "AccountKey=", "SharedAccessKey="),
        re.compile(
            _beginning("[A-Za-z0-9]") + "[A-Za-z0-9]{51}JQQJ99[A-Za-z0-9]{26}"
            r"|(?:AccountKey|SharedAccessKey)=(?P<secret>[A-Za-z0-9+/=]{20,}+)"
        ),
    ),
    _token(
        "github-token",
        "ghp_",
        "gho_",
        "ghu_",
        "ghs_",
        "ghr_",
        "github_pat_",
        hints=("gh", "github_pat_"),
    ),
    _token("gitlab-token", "glpat-"),
    _token(
        "slack-token",
        "xoxa-",
        "xoxb-",
        "xoxe-",
        "xoxp-",
        "xoxr-",
        "xoxs-",
        "xapp-",
        hints=("xox", "xapp-"),
    ),
    Shape(
        "slack-hook",
        ("hooks.slack.com/",),
        re.compile(r"hooks\.slack\.com/(?P<secret>[A-Za-z0-9/_-]{20,}+)"),
    ),
    _token(
        "stripe-key",
        *("sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"),
        hints=("_live_", "_test_", "whsec_"),
        rest="[A-Za-z0-9]{10,}+",
    ),
    _token(
        "provider-key",
        *("gsk_", "xai-", "hf_", "r8_", "pplx-", "nvapi-", "tgp_v1_", "csk-"),
        word=True,
        rest=r"[\w-]{30,}+",
    ),
    Shape(
        "jwt",
        ("eyJ",),
        re.compile(
            _beginning("eyJ", "A-Za-z0-9_.-") + r"[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]++){0,3}+"
        ),
    ),
    Shape(
        "bearer",
        ("earer", "EARER"),
        re.compile(r"(?i:bearer)(?:\s|%20|\+){1,4}(?P<secret>[A-Za-z0-9._~+/=:-]{16,}+)"),
    ),
    Shape(
        "authorization",
        ("uthorization", "AUTHORIZATION"),
        re.compile(
            r"(?i:authorization)[\"']?\s{0,4}[:=]\s{0,4}[\"']?"
            r"(?P<secret>(?:(?i:basic|token|digest|apikey) )?(?!\[)[^\s\"',;\\{]{8,}+)"
        ),
    ),
    Shape(
        "url-parameter",
        ("?", "&"),
        re.compile(
            rf"[?&](?:amp;)?{_PARAMETER}=(?!\[)(?P<secret>[^&\s\"'<>\\#]{{6,}}+)",
        ),
    ),
    Shape(
        "url-password",
        ("://",),
        re.compile(r"://[^\s/:@\"'\\]{0,64}:(?P<secret>[^\s/@\"'\\]{1,256}+)@"),
    ),
    Shape(
        "member",
        ('"',),
        re.compile(
            rf"\"{_MEMBER}\"\s*+:\s*+\""
            r"(?!\[redacted:)(?P<secret>(?:[^\"\\]++|\\.)++)"
        ),
    ),
    Shape(
        # JSON that stands as a text in JSON, such as the arguments of a tool: once escaped, a
        # quote has one backslash; twice, three; and so has each of its own escapes as many more.
        "member",
        ('\\"',),
        re.compile(
            rf"(\\(?<!\\\\)\\{{0,30}}+)\"{_MEMBER}\1\"(?:\s|\\{{1,31}}[nrt])*+:(?:\s|\\{{1,31}}[nrt])*+\1\""
            r"(?!\[redacted:)(?P<secret>(?:[^\"\\]++|\1\\\1\\|\1\1\\\"|\1\\[bfnrtu/])++)"
        ),
    ),
)
"""All that is known, the more special before the more general."""


def redacted_text(text: str) -> str:
    """Return a text with a mark in the place of each secret; the same object if there is none."""
    for shape in SHAPES:
        for hint in shape.hints:
            if hint in text:
                text = _without(shape, text)
                break
    return text


def _without(shape: Shape, text: str) -> str:
    mark = shape.mark
    if "secret" not in shape.pattern.groupindex:
        return shape.pattern.sub(mark, text)

    def marked(match: re.Match[str]) -> str:
        if match["secret"] is None:
            return mark
        start, end = match.span("secret")
        whole, offset = match[0], match.start()
        return whole[: start - offset] + mark + whole[end - offset :]

    return shape.pattern.sub(marked, text)


_MEMBER_NAME = re.compile(_MEMBER)
_DEEPEST = 32


def redacted_value(value: Any, depth: int = 0) -> Any:
    """Return JSON with a mark in the place of each secret; the same object if there is none.

    Names of members count as they do in texts. What is nested more than 32 deep is left out.
    """
    if isinstance(value, str):
        return redacted_text(value)
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth == _DEEPEST:
        return "[redacted:depth]"
    if isinstance(value, Mapping):
        found = {
            redacted_text(str(name)): "[redacted:member]"
            if isinstance(item, str) and item and _MEMBER_NAME.fullmatch(str(name))
            else redacted_value(item, depth + 1)
            for name, item in value.items()
        }
        return value if found == value else found
    items = [redacted_value(item, depth + 1) for item in value]
    return value if all(map(_is_same, items, value)) else items


def _is_same(one: Any, other: Any) -> bool:
    return one is other


def redacting_logger(name: str) -> logging.Logger:
    """Return the logger of a module of ours: no line of it has a secret, whatever handles it."""
    logger = logging.getLogger(name)
    if not any(isinstance(known, RedactingFilter) for known in logger.filters):
        logger.addFilter(RedactingFilter())
    return logger


class RedactingFilter(logging.Filter):
    """Takes secrets out of log lines, their tracebacks included.

    At a handler it sees all lines, at a logger those that are logged there.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the line's words in place of its arguments where a secret was among them."""
        try:
            message = record.getMessage()
        except Exception:  # the handler tells of a line that cannot be formatted
            return True
        clean = redacted_text(message)
        if clean is not message:
            record.msg, record.args = clean, None
        if record.exc_info and not record.exc_text:
            traceback = _PLAIN.formatException(record.exc_info)
            if (clean := redacted_text(traceback)) is not traceback:
                record.exc_text = clean  # which formatters take in place of their own
        return True


_PLAIN = logging.Formatter()
