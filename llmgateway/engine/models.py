"""The models of all configured providers as one list."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from llmgateway.engine.compile import Compiler
from llmgateway.engine.outcome import Outcome, Reply
from llmgateway.engine.permit import may_use
from llmgateway.engine.pipeline import Engine, Tried
from llmgateway.engine.plan import Plan, Target
from llmgateway.engine.recorder import Draft
from llmgateway.errors import InvalidRequest, StreamAborted
from llmgateway.types.call import Call
from llmgateway.types.documents import VirtualKey

_PATIENCE_S = 10.0
"""How long one provider may take; a slow one is left out rather than waited for."""


async def list_models(
    engine: Engine, call: Call, compiler: Compiler, keys: Sequence[VirtualKey], draft: Draft
) -> Reply:
    """Return the models of every configured provider and virtual key, each named `@slug/model`.

    That name routes to it when it is sent back as `model`. Where models are listed by name, in
    the settings or of a virtual key, nobody is asked; what cannot be asked is left out, and so is
    what the caller may not use.
    """
    # The caller's own key is meant for one provider, which this call does not name.
    call = replace(call, caller_key=None, query="")
    named = {
        name: replace(call, provider=name, virtual_key=None) for name in engine.settings.providers
    }
    # A workspace's own slug goes first, as it does in `model`.
    named |= {key.slug: replace(call, provider=None, virtual_key=key) for key in keys}
    models = {name: stored.models for name, stored in engine.settings.providers.items()}
    models |= {key.slug: () if any(map(_is_pattern, key.models)) else key.models for key in keys}
    asked = [_list(engine, call, compiler, draft, models[name]) for name, call in named.items()]
    answers = await asyncio.gather(*asked)
    data = [
        {**model, "id": f"@{name}/{model['id']}"}
        for name, answer in zip(named, answers, strict=True)
        for model in answer
    ]
    headers = ((b"content-type", b"application/json"),)
    body = orjson.dumps({"object": "list", "data": data})
    if draft.bodies is not None:
        draft.bodies.begin_answer(headers, body)
    draft.finish(200)
    return Reply(
        status=200,
        headers=headers,
        body=body,
        target=None,
        provider=None,
        retry_count=0,
    )


async def _list(
    engine: Engine, call: Call, compiler: Compiler, draft: Draft, known: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the models of one provider that the caller may use."""
    try:
        plan = await compiler.bare_plan(call)
    except InvalidRequest:
        return []  # its settings lack what a call needs
    (target,) = plan.targets.values()
    if known:
        owner = call.provider or target.provider.name
        models = [
            {"id": model, "object": "model", "created": 0, "owned_by": owner} for model in known
        ]
    else:
        models = await _ask(engine, call, plan, target, draft)
    return [model for model in models if may_use(call, target, str(model["id"]))]


async def _ask(
    engine: Engine, call: Call, plan: Plan, target: Target, draft: Draft
) -> list[dict[str, Any]]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            tried: Tried = await engine.try_target(call, plan, target, draft)
            try:
                body = await _body_of(tried.outcome, engine.settings.limits.max_response_bytes)
            finally:
                await tried.outcome.discard()
        answer = orjson.loads(body)
    except (TimeoutError, StreamAborted, orjson.JSONDecodeError):
        return []
    data = answer.get("data") if isinstance(answer, dict) else None
    return [item for item in data or [] if isinstance(item, dict) and "id" in item]


async def _body_of(outcome: Outcome, most: int) -> bytes:
    """Return a body, also of one that came without its length; what is too long is no list."""
    if outcome.stream is None:
        return outcome.body
    body = bytearray()
    while len(body) <= most:
        try:
            body += await outcome.stream.__anext__()
        except StopAsyncIteration:
            return bytes(body)
    return b""


def _is_pattern(name: str) -> bool:
    return not {"*", "?", "["}.isdisjoint(name)
