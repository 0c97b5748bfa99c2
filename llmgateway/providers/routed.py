"""Rows whose URLs depend on more than the endpoint: on an option, the model or the body."""

from __future__ import annotations

from llmgateway.codecs.chat import CHAT
from llmgateway.errors import InvalidRequest
from llmgateway.providers.base import Endpoint, Option, Options, Place, Provider, quote_segment
from llmgateway.providers.dialect import MAX_TOKENS, dialect, openai_compatible, url_option
from llmgateway.providers.tweaks import Drop, KeepAfter, MapValue, Rename

# ---- mistral-ai


def _mistral_chat_path(place: Place) -> str:
    if place.options.get("mistral_fim_completion") == "true":
        return "/fim/completions"
    return "/chat/completions"


MISTRAL_AI = Provider(
    name="mistral-ai",
    base_url="https://api.mistral.ai/v1",
    options=(
        Option(
            "mistral_fim_completion",
            choices=("true", "false"),
            doc="`true`: chat requests fill in the middle, from `prompt` to `suffix`.",
        ),
    ),
    endpoints={
        "chat": Endpoint(_mistral_chat_path, CHAT),
        # Its speech answers JSON, its batches have a shape of their own (seen 2026-11): neither is
        # served. https://docs.mistral.ai/api
        **openai_compatible("embeddings", "models", "transcription", "moderations", "files"),
    },
    # Unknown fields are refused with 422 (seen 2026-11). https://docs.mistral.ai/api
    tweaks=dialect(
        MAX_TOKENS,
        Rename("seed", "random_seed"),
        Rename("safe_mode", "safe_prompt"),
        MapValue("tool_choice", {"required": "any"}),
        Drop("stream_options"),
        embeddings=(Rename("dimensions", "output_dimension"),),
    ),
    # Every stream ends with usage, unasked (seen 2026-11). https://docs.mistral.ai/api
    stream_usage=False,
    docs="https://docs.mistral.ai/api",
)

# ---- huggingface


def _huggingface_url(options: Options) -> str:
    # api-inference.huggingface.co, which had the model in its paths, answers 410; the router takes
    # the model from the body (seen 2026-11).
    # https://huggingface.co/docs/inference-providers/tasks/chat-completion
    if "huggingface_base_url" in options:
        return url_option(options, "huggingface_base_url")
    return "https://router.huggingface.co"


HUGGINGFACE = Provider(
    name="huggingface",
    base_url=_huggingface_url,
    options=(
        Option(
            "huggingface_base_url",
            is_url=True,
            doc="The URL of a dedicated endpoint; `/v1/…` is added to it.",
        ),
    ),
    endpoints=openai_compatible("chat", "completions", "models", prefix="/v1"),
    tweaks=dialect(MAX_TOKENS),
    docs="https://huggingface.co/docs/inference-providers/tasks/chat-completion",
    note="Legacy completions exist on dedicated endpoints only.",
)

# ---- predibase


def _predibase_path(place: Place) -> str:
    tenant = (place.body or {}).get("user")
    if not isinstance(tenant, str):
        raise InvalidRequest("Predibase takes its tenant id from `user`.", param="user")
    base = quote_segment((place.model or "").partition(":")[0], "model")
    return (
        f"/{quote_segment(tenant, 'tenant id in `user`')}/deployments/v2/llms/{base}"
        "/v1/chat/completions"
    )


PREDIBASE = Provider(
    name="predibase",
    base_url="https://serving.app.predibase.com",
    endpoints={"chat": Endpoint(_predibase_path, CHAT)},
    # `base:adapter` is Portkey's way to name both.
    # https://docs.predibase.com/user-guide/inference/rest_api (seen 2026-11)
    tweaks=dialect(MAX_TOKENS, KeepAfter("model", ":")),
    stream_usage=False,
    docs="https://docs.predibase.com/user-guide/inference/rest_api",
    note="`user` names the tenant, and `model` is `base` or `base:adapter`.",
)

# ---- meshy


def _meshy_path(place: Place) -> str:
    # https://docs.meshy.ai/en/api/text-to-3d (seen 2026-11)
    version = "v2" if place.suffix.startswith("/text-to-3d") else "v1"
    return f"/{version}{place.suffix}"


MESHY = Provider(
    name="meshy",
    base_url="https://api.meshy.ai/openapi",
    endpoints={},
    proxy_path=_meshy_path,
    docs="https://docs.meshy.ai/",
)

ROWS = (MISTRAL_AI, HUGGINGFACE, PREDIBASE, MESHY)
