"""The view in a test of the project's own: in line, in the test's transaction, in its thread."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import orjson
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, RequestFactory, TestCase
from django.urls import resolve, reverse

from llmgateway.testing import FakeProvider
from llmgateway.types.call import Principal
from llmgateway.types.http import Headers, HTTPRequest
from llmgateway_django import gateway
from llmgateway_django.keys import create_key, revoke_key
from llmgateway_django.models import RequestLog, Workspace
from llmgateway_django.views import serve, serve_blocking
from tests.django.conftest import BEARER, BODY, CHAT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("inline")]

JSON = "application/json"


def post(client: Client, body: Any = BODY, **more: Any) -> Any:
    """Send a chat with the client key."""
    return client.post(CHAT, body, content_type=JSON, headers={**BEARER, **more})


def test_a_chat_is_answered_and_logged(client: Client) -> None:
    answer = post(client)

    assert (200, JSON) == (answer.status_code, answer["content-type"])
    assert "chat.completion" == answer.json()["object"]
    assert "content-encoding" not in answer
    (row,) = RequestLog.objects.all()
    assert 200 == row.status


def test_a_stream_is_whole_and_is_not_compressed(client: Client) -> None:
    answer = post(client, {**BODY, "stream": True}, **{"accept-encoding": "gzip"})

    assert ("identity", "text/event-stream") == (
        answer["content-encoding"],
        answer["content-type"].partition(";")[0],
    )
    assert answer.getvalue().endswith(b"data: [DONE]\n\n")


def test_other_answers_may_be_compressed(client: Client) -> None:
    content = "long " * 200
    body = {**BODY, "messages": [{"role": "user", "content": content}]}

    answer = post(client, body, **{"accept-encoding": "gzip"})

    assert "gzip" == answer["content-encoding"]
    assert "chat.completion" == orjson.loads(gzip.decompress(answer.content))["object"]


def test_a_key_made_in_the_test_is_accepted_until_it_is_revoked(client: Client) -> None:
    made = create_key(Workspace.objects.create(name="Shop", slug="shop"), "site")
    headers = {"authorization": f"Bearer {made.secret}"}

    answer = client.post(CHAT, BODY, content_type=JSON, headers=headers)
    (row,) = RequestLog.objects.all()
    revoke_key(made.api_key)
    refused = client.post(CHAT, BODY, content_type=JSON, headers=headers)

    assert (200, 401) == (answer.status_code, refused.status_code)
    assert made.api_key.principal_id == row.principal


def test_an_error_has_the_shape_of_openai(client: Client) -> None:
    answer = client.post(CHAT, b"{", content_type=JSON, headers=BEARER)

    assert 400 == answer.status_code
    assert {"message", "type", "param", "code"} <= answer.json()["error"].keys()


def test_django_logs_no_error_of_a_provider(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """It would mail the admins about each 5xx."""
    answer = post(client, {**BODY, "model": "fake-503"})

    assert 503 == answer.status_code
    assert [] == [record for record in caplog.records if record.name == "django.request"]


def test_a_session_lets_nobody_in(client: Client) -> None:
    client.force_login(get_user_model().objects.create_superuser("root"))

    answer = client.post(CHAT, BODY, content_type=JSON)

    assert (401, "private, no-store") == (answer.status_code, answer["cache-control"])


def test_no_csrf_token_is_asked_for() -> None:
    assert 200 == post(Client(enforce_csrf_checks=True)).status_code


@pytest.mark.parametrize("path", ["/llm/v1/models", "/llm/v1/models/", "/llm/"])
def test_no_slash_is_appended(client: Client, path: str) -> None:
    assert client.get(path, headers=BEARER).status_code in (200, 404)


def with_image() -> bytes:
    """Return a chat with an image of 5 MB."""
    url = "data:image/png;base64," + base64.b64encode(bytes(5 * 2**20)).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}]
    return orjson.dumps({**BODY, "messages": [{"role": "user", "content": content}]})


def test_a_body_over_django_s_own_limit_arrives(client: Client, fake: FakeProvider) -> None:
    body = with_image()

    assert 200 == post(client, body).status_code
    assert str(len(body)) == fake.requests[-1].headers.get("content-length")


def test_an_awaited_body_over_it_arrives(fake: FakeProvider) -> None:
    body = with_image()

    answer = async_to_sync(AsyncClient().post)(CHAT, body, content_type=JSON, headers=BEARER)

    assert 200 == answer.status_code
    assert str(len(body)) == fake.requests[-1].headers.get("content-length")


def curious(get_response: Any) -> Any:
    """Make a middleware that looks at bodies."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        assert request.body
        answer: HttpResponseBase = get_response(request)
        assert request.body
        return answer

    return middleware


def test_a_body_that_a_middleware_has_read_arrives(client: Client, inline: Any) -> None:
    inline.MIDDLEWARE = [f"{__name__}.curious", *inline.MIDDLEWARE]

    assert 200 == post(client).status_code


def known_users(request: HTTPRequest) -> Principal | None:
    """Look into the database, as a project with tokens of its own would."""
    assert "cookie" not in request.headers
    name = (request.headers.get("authorization") or "").removeprefix("Bearer ")
    user = get_user_model().objects.filter(username=name, is_active=True).first()
    return None if user is None else gateway.principal_of(user)


async def nobody(request: HTTPRequest) -> Principal | None:
    """Know no one."""
    return None


def test_the_project_says_who_calls(
    client: Client, inline: Any, llmgateway: dict[str, Any]
) -> None:
    user = get_user_model().objects.create_user("ada")
    get_user_model().objects.create_user("eve", is_active=False)
    inline.LLMGATEWAY = {**llmgateway, "AUTHENTICATE": [nobody, f"{__name__}.known_users"]}
    client.force_login(user)

    def status(name: str) -> int:
        headers = {"authorization": f"Bearer {name}"}
        code: int = client.post(CHAT, BODY, content_type=JSON, headers=headers).status_code
        return code

    assert [200, 401, 401] == [status("ada"), status("eve"), status("mallory")]
    assert f"user:{user.pk}" == RequestLog.objects.get(status=200).principal


def request_of(body: Any) -> HTTPRequest:
    """Return a chat without HTTP."""
    headers = Headers.of(content_type=JSON)
    return HTTPRequest("POST", "/v1/chat/completions", "", headers, orjson.dumps(body))


def test_code_of_the_project_calls_it_without_http() -> None:
    user = get_user_model().objects.create_user("ada")

    answer = gateway.handle(request_of(BODY), gateway.principal_of(user))

    assert 200 == answer.status
    assert f"user:{user.pk}" == RequestLog.objects.get().principal


class ProjectsOwnTests(TestCase):
    """Tests as Django has them; theirs that await share the transaction, too."""

    @pytest.fixture(autouse=True)
    def _inline(self, inline: Any) -> None:
        """Have the gateway in line."""

    def test_a_chat_is_logged_in_the_transaction(self) -> None:
        with transaction.atomic():
            assert 200 == post(self.client).status_code
            assert RequestLog.objects.exists()

    async def test_an_awaited_stream_is_whole_and_is_not_compressed(self) -> None:
        answer: Any = await self.async_client.post(
            CHAT,
            {**BODY, "stream": True},
            content_type=JSON,
            headers={**BEARER, "accept-encoding": "gzip"},
        )

        pieces = [piece async for piece in answer.streaming_content]
        assert "identity" == answer["content-encoding"]
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
        assert await RequestLog.objects.aexists()

    async def test_code_that_awaits_calls_it_without_http(self) -> None:
        answer = await gateway.ahandle(request_of({**BODY, "stream": True}), Principal("user:1"))

        assert not isinstance(answer.body, bytes)
        assert b"".join([piece async for piece in answer.body]).endswith(b"data: [DONE]\n\n")
        assert "user:1" == (await RequestLog.objects.aget()).principal


def test_django_makes_no_loop_for_a_request_that_blocks() -> None:
    match = resolve(CHAT)
    awaited = async_to_sync(resolved_on_a_loop)()

    assert (serve_blocking, serve) == (match.func, awaited.func)


async def resolved_on_a_loop() -> Any:
    """Return what a path leads to where Django awaits."""
    return resolve(CHAT)


def test_the_view_takes_a_request_of_either_kind(rf: RequestFactory) -> None:
    """A project may have decorated it, and call it by a route of its own."""
    request = rf.post(CHAT, orjson.dumps(BODY), content_type=JSON, headers=BEARER)

    answer = async_to_sync(serve)(request, "v1/chat/completions")

    assert 200 == answer.status_code
    assert RequestLog.objects.exists()


def test_its_address_can_be_reversed() -> None:
    assert "/llm/v1/models" == reverse("llmgateway:gateway", args=["v1/models"])
