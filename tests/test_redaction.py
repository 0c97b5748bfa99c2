"""What is taken for a secret, what is not, and that looking for them is quick."""

from __future__ import annotations

import io
import json
import logging
import time
from typing import Any

import pytest

from llmgateway.redaction import (
    SHAPES,
    RedactingFilter,
    Shape,
    redacted_text,
    redacted_value,
    redacting_logger,
)
from tests.guards.tree import PRODUCT, name, python_files
from tests.secrets import IN_CONTEXT, TOKENS

ALL_TOKENS = [(name, token) for name, tokens in TOKENS.items() for token in tokens]
SURROUNDINGS = [
    "{}",
    "My key is {}.",
    "x={}&y=1",
    "key%3D{}%26",
    '{{"content":"first line\\n{}\\nlast"}}',
    '{{"a":"{{\\"b\\":\\"\\\\n{}\\"}}"}}',
    '{{"content":"\\u00fc\\u0020{}"}}',
    "<{}>",
    "a:{},b",
]
"""Texts as they come: plain, in a URL, in JSON, in JSON in JSON."""


@pytest.mark.parametrize("around", SURROUNDINGS)
@pytest.mark.parametrize(("name", "token"), ALL_TOKENS)
def test_a_token_is_replaced_wherever_it_stands(name: str, token: str, around: str) -> None:
    found = redacted_text(around.format(token))

    assert token not in found
    assert around.format(f"[redacted:{name}]") == found


@pytest.mark.parametrize(("name", "around", "secret"), IN_CONTEXT)
def test_a_secret_is_known_by_what_stands_around_it(name: str, around: str, secret: str) -> None:
    found = redacted_text(around.format(secret))

    before, after = (part.format() for part in around.split("{}", 1))
    assert f"[redacted:{name}]" in found
    assert secret not in found
    assert found.endswith(after)
    assert before.split("AKIA")[0].rstrip("Basic ") in found


def test_a_private_key_that_is_cut_off_is_one_as_well() -> None:
    (whole, *_) = TOKENS["private-key"]

    assert "a [redacted:private-key]" == redacted_text("a " + whole[:60])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a task-oriented-dialogue-with-many-words, a risk-averse_disk-image_with_a_name",
        '{"max_tokens": 100, "token": "Hello", "tokens": "a", "prompt_tokens": 12}',
        '{"type":"object","properties":{"password":{"type":"string"}},"required":["password"]}',
        '{"key": "value", "monkey": "see", "secretary": "Ada", "tokenizer": "o200k"}',
        "commit 8f14e45fceea167a5a36dedd4bea2543a1b2c3d4 of aws-cli",
        "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAAAAUA" * 9,
        "https://example.com/a?page=2&keyword=monkey&code=200&q=what",
        "http://localhost:8080/a@b and mailto:ada@example.com",
        "Bearer authentication is basic, and bearers of news sign cookies",
        "eyJ is how JSON begins in base64, e.g. eyJhIjoxfQ==",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "[redacted:openai-key] was here; \"api_key\": \"[redacted:member]\"",
        "0123456789abcdef0123456789abcdef01234567 AWS ABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890123",
    ],
)  # fmt: skip
def test_innocent_words_stay(text: str) -> None:
    assert text is redacted_text(text)


@pytest.mark.parametrize(("name", "token"), ALL_TOKENS)
def test_what_is_replaced_stays_so(name: str, token: str) -> None:
    once = redacted_text(json.dumps({"authorization": f"Bearer {token}", "content": token}))

    assert once == redacted_text(once)


def test_json_stays_json() -> None:
    inner = json.dumps({"password": 'a"b\\', "url": "https://u:pw@h/?key=abcdefgh"})
    body = {"api_key": 'a"b\\', "messages": [{"content": inner}], "note": "Bearer " + "x" * 40}

    found = json.loads(redacted_text(json.dumps(body)))

    assert {"password": "[redacted:member]", "url": "https://u:[redacted:url-password]@h/?key="
            "[redacted:url-parameter]"} == json.loads(found["messages"][0]["content"])  # fmt: skip
    assert ("[redacted:member]", "Bearer [redacted:bearer]") == (found["api_key"], found["note"])


# ---- values


def test_values_are_looked_through_by_name_and_by_shape() -> None:
    value = {
        "_user": "ada",
        "plan": 3,
        "apiKey": "x",
        "password": "",
        "deep": [{"note": "use sk-" + "a1" * 12}, None, True],
        "sk-" + "b2" * 12: 1,
    }

    assert {
        "_user": "ada",
        "plan": 3,
        "apiKey": "[redacted:member]",
        "password": "",
        "deep": [{"note": "use [redacted:openai-key]"}, None, True],
        "[redacted:openai-key]": 1,
    } == redacted_value(value)


def test_values_without_a_secret_are_not_copied() -> None:
    value = {"_user": "ada", "deep": [{"a": "b"}], "pair": ("c", 1)}

    assert value is redacted_value(value)


def test_what_is_nested_too_deep_is_left_out() -> None:
    value: Any = "sk-" + "a1" * 12
    for _ in range(5000):
        value = [value]

    assert "a1a1" not in str(redacted_value(value))


# ---- log lines


def logged(log: Any) -> str:
    """Return what a filtered handler writes of what `log` does with a logger."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    log(logger)
    return stream.getvalue()


def test_a_log_line_is_cleaned_whether_in_words_arguments_or_traceback() -> None:
    key = "sk-" + "a1" * 12

    def log(logger: logging.Logger) -> None:
        logger.info("GET %s %d", f"/v1?key={key}", 200)
        logger.info(key)
        try:
            raise ValueError(key)
        except ValueError:
            logger.exception("it failed")

    text = logged(log)
    assert "a1a1" not in text
    assert "GET /v1?key=[redacted:openai-key] 200" in text
    assert "ValueError: [redacted:openai-key]" in text


def test_a_logger_of_ours_has_one_filter() -> None:
    logger = redacting_logger("llmgateway.of_a_test")

    assert logger is redacting_logger("llmgateway.of_a_test")
    assert 1 == len(logger.filters)


def test_no_module_of_ours_logs_without_it() -> None:
    assert [] == [
        name(path)
        for path in python_files(*PRODUCT)
        if path.name != "redaction.py" and "getLogger(__name__)" in path.read_text("utf-8")
    ]


def test_an_innocent_line_keeps_its_arguments() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 1, "%s is %d", ("a", 1), None)

    assert RedactingFilter().filter(record)
    assert (("a", 1), "%s is %d") == (record.args, record.msg)


def test_an_innocent_traceback_is_the_formatter_s_to_write() -> None:
    error = ValueError("a")
    info = (ValueError, error, None)
    record = logging.LogRecord("a", logging.ERROR, "", 1, "failed", (), info)

    assert RedactingFilter().filter(record)
    assert (info, None) == (record.exc_info, record.exc_text)


def test_a_line_that_cannot_be_formatted_is_the_handler_s_to_tell_of() -> None:
    record = logging.LogRecord("a", logging.INFO, "", 1, "%d", ("a",), None)

    assert RedactingFilter().filter(record)


# ---- time

SIZE = 100 * 2**10
LIMIT_S = 0.05
PIECES = [
    *"\"\\-:/?&@=. aA0",
    *("eyJ", "eyJaaaaaaaaaaaa", "eyJaaaaaaaa.", "a.", "://", "://a:", "://a:a", "sk-", "sk-ant-"),
    *('"pwd"', '"pwd":', '"pwd":"', '\\"pwd\\":\\"', '\\"', '\\\\"', '"a', '"aaaaaaaa', '\\"a-'),
    *("?key=", "&key=aaaaa", "key=", "bearer ", "Bearer a", "authorization", "authorization: "),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-----END ", "PRIVATE KEY", "BEGIN A "),
    *("aZ0/", "aws aZ0", "AKIA", "JQQJ99", "a" * 52 + "JQQJ99", "AccountKey=", "lgw_", "xoxb-"),
    *("hooks.slack.com/", "github_pat_", "%20", "\\n", "\\u0020", "bearer%20", "bearer   "),
    *("authorization='", "Authorization:token ", "pa", "passwd_", "x-amz-", "?amp;", "&amp;key"),
]  # fmt: skip
"""What stands in patterns, and what they begin with; each repeated is a text that may cost."""


def texts(shape: Shape) -> list[str]:
    """Return texts of 100 KiB that may cost a pattern much."""
    pieces = [*PIECES, *shape.hints]
    return [(piece * SIZE)[:SIZE] for piece in pieces] + [piece + "a" * SIZE for piece in pieces]


@pytest.mark.parametrize("shape", SHAPES, ids=[f"{i}-{s.name}" for i, s in enumerate(SHAPES)])
def test_a_pattern_takes_linear_time(shape: Shape) -> None:
    # The best of five where one is slow: others use the machine as well.
    slow = [
        text[:40] for text in texts(shape) if all(_seconds(shape, text) > LIMIT_S for _ in range(5))
    ]

    assert [] == slow


def _seconds(shape: Shape, text: str) -> float:
    started = time.thread_time()
    shape.pattern.sub("", text)
    return time.thread_time() - started


def test_every_shape_is_tried_by_some_test() -> None:
    tried = {*TOKENS, *(name for name, _, _ in IN_CONTEXT)}

    assert {shape.name for shape in SHAPES} == tried


def test_every_hint_is_one_that_its_pattern_needs() -> None:
    """A hint that no secret has would be found in nothing; one too few would hide a secret."""
    samples = [token for _, token in ALL_TOKENS] + [a.format(s) for _, a, s in IN_CONTEXT]

    for shape in SHAPES:
        for text in samples:
            if shape.pattern.search(text):
                assert any(hint in text for hint in shape.hints), (shape.name, text)
