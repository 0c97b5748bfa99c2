"""The model's name within a body: batches and counts repeat what the path says of it.

Google refuses a body that names another model than the path does.
Source: https://ai.google.dev/api/embeddings#method:-models.batchembedcontents
"""

from __future__ import annotations

from typing import Any, Final

from llmgateway.types import JSON

_HOLDERS: Final = ("requests", "generateContentRequest")
"""The members that hold requests with a model of their own."""


def resource(model: str) -> str:
    """Return a model's resource name."""
    return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"


def renamed(body: JSON, old: object, new: object) -> JSON:
    """Return a body whose requests name the model `new` where they named `old`."""
    if not isinstance(old, str) or not isinstance(new, str) or old == new:
        return body
    names = {old, resource(old)}

    def one(request: Any) -> Any:
        if isinstance(request, dict) and str(request.get("model")) in names:
            return {**request, "model": resource(new)}
        return request

    changed: JSON = {}
    for holder in _HOLDERS:
        held = body.get(holder)
        if isinstance(held, list):
            changed[holder] = [one(request) for request in held]
        elif held is not None:
            changed[holder] = one(held)
    return {**body, **changed}
