"""A Starlette app with a page of its own, and the gateway at /llm for its own users."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from llmgateway import Gateway, Principal
from llmgateway.types.http import HTTPRequest
from llmgateway_asgi import GatewayApp

# Stands for your table of users, and for the token that your app gives each of them.
TOKENS = {"token-of-alice": "alice", "token-of-this-app": "app"}
# Lets you try this without a key of OpenAI, against `llmgateway serve --demo`.
ADDRESS = os.environ.get("OPENAI_BASE_URL")


def authenticate(request: HTTPRequest) -> Principal | None:
    token = (request.headers.get("authorization") or "").removeprefix("Bearer ")
    return Principal(f"user:{TOKENS[token]}") if token in TOKENS else None


gateway = Gateway(
    {
        "default_provider": "openai",
        "providers": {"openai": {"api_key": os.environ["OPENAI_API_KEY"], "base_url": ADDRESS}},
        "allow_loopback_upstreams": ADDRESS is not None,
    },
    authenticate=authenticate,
)
llm = GatewayApp(gateway)
# The app calls its own gateway within the process, with a token of its own.
client = httpx.AsyncClient(transport=httpx.ASGITransport(app=llm), base_url="http://llm/v1")
client.headers["authorization"] = "Bearer token-of-this-app"


async def home(request: Request) -> PlainTextResponse:
    messages = [{"role": "user", "content": request.query_params.get("q", "Hello")}]
    body = {"model": "gpt-4o-mini", "messages": messages}
    answer = (await client.post("/chat/completions", json=body)).raise_for_status()
    return PlainTextResponse(answer.json()["choices"][0]["message"]["content"])


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with gateway, client:
        yield


app = Starlette(routes=[Route("/", home), Mount("/llm", llm)], lifespan=lifespan)
