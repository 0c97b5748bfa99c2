"""The models of all configured providers as one list."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import orjson

from llmgateway.engine.compile import Compiler
from llmgateway.engine.outcome import Reply
from llmgateway.engine.pipeline import Engine, Tried
from llmgateway.engine.recorder import Draft
from llmgateway.errors import InvalidRequest
from llmgateway.types.call import Call

_PATIENCE_S = 10.0
"""How long one provider may take; a slow one is left out rather than waited for."""


async def list_models(engine: Engine, call: Call, compiler: Compiler, draft: Draft) -> Reply:
    """Return the models of every configured provider, each named `@provider/model`.

    That name routes to the provider when it is sent back as `model`. A provider that lists its
    models in the settings is not asked; one that cannot be asked is left out.
    """
    settings = engine.settings
    # The caller's own key is meant for one provider, which this call does not name.
    call = replace(call, caller_key=None, query="")
    asked = [
        _ask(engine, call, compiler, draft, name)
        for name, provider in settings.providers.items()
        if not provider.models
    ]
    listed = [
        _entry(name, {"id": model, "object": "model", "created": 0, "owned_by": name})
        for name, provider in settings.providers.items()
        for model in provider.models
    ]
    answers = await asyncio.gather(*asked)
    data = listed + [entry for answer in answers for entry in answer]
    draft.finish(200)
    return Reply(
        status=200,
        headers=((b"content-type", b"application/json"),),
        body=orjson.dumps({"object": "list", "data": data}),
        target=None,
        provider=None,
        retry_count=0,
    )


async def _ask(
    engine: Engine, call: Call, compiler: Compiler, draft: Draft, name: str
) -> list[dict[str, Any]]:
    try:
        plan = compiler.plan(None, name, (), False)
    except InvalidRequest:
        return []  # its settings lack what a call needs
    (target,) = plan.targets.values()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            tried: Tried = await engine.try_target(call, plan, target, draft)
    except TimeoutError:
        return []
    body = tried.outcome.body
    await tried.outcome.discard()
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    data = answer.get("data") if isinstance(answer, dict) else None
    return [_entry(name, item) for item in data or [] if isinstance(item, dict) and "id" in item]


def _entry(provider: str, model: dict[str, Any]) -> dict[str, Any]:
    return {**model, "id": f"@{provider}/{model['id']}"}
