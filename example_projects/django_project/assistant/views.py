"""The page, and an answer by the OpenAI SDK: what any program with a key does."""

import json
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST
from openai import APIError, OpenAI

TEXT = "text/plain; charset=utf-8"


@login_required
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "assistant/chat.html")


def question(request: HttpRequest) -> dict[str, Any]:
    asked = {"role": "user", "content": request.POST.get("question", "")}
    return {"model": "gpt-4o-mini", "messages": [asked]}


@cache
def client() -> OpenAI:
    """Return the SDK as it is; the address is this project's own, and so is the key."""
    return OpenAI(base_url=os.environ["LLM_BASE_URL"], api_key=os.environ["LLM_KEY"])


@login_required
@require_POST
def ask(request: HttpRequest) -> StreamingHttpResponse:
    # The key is the project's, so the log knows the user by this alone.
    who = {"user": request.user.username, "team": request.user.team}
    headers = {"x-llmgateway-metadata": json.dumps(who)}
    return StreamingHttpResponse(words(question(request), headers), content_type=TEXT)


def words(body: dict[str, Any], headers: dict[str, str]) -> Iterator[str]:
    try:
        with client().chat.completions.create(**body, stream=True, extra_headers=headers) as chunks:
            for chunk in chunks:
                yield (chunk.choices[0].delta.content or "") if chunk.choices else ""
    except APIError as error:
        yield error.message
