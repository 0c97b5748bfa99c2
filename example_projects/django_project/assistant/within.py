"""An answer without HTTP and without a key: the gateway takes the project's word for who asks."""

import json

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from llmgateway.types.http import Headers, HTTPRequest
from llmgateway_django import gateway

from .views import TEXT, question


@login_required
@require_POST
def ask(request: HttpRequest) -> HttpResponse:
    answer = gateway.handle(
        HTTPRequest(
            method="POST",
            path="/v1/chat/completions",
            query="",
            headers=Headers.of(content_type="application/json"),
            body=json.dumps(question(request)).encode(),
        ),
        gateway.principal_of(request.user),
    )
    assert isinstance(answer.body, bytes)  # since no stream was asked for
    told = json.loads(answer.body)
    failed = answer.status >= 400
    text = told["error"]["message"] if failed else told["choices"][0]["message"]["content"]
    return HttpResponse(text, status=answer.status, content_type=TEXT)
