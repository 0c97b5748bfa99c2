"""The OpenAI-compatible providers whose rows need no code of their own; rows only.

Base URLs and paths are those of Portkey's gateway, so that its users' configs mean the same here,
unless a comment says what has changed since. Unknown fields pass through: a tweak stands here only
where the provider would refuse or overlook what it knows by another name.
"""

from __future__ import annotations

from llmgateway.codecs.base import Framing
from llmgateway.providers.base import Option, Provider
from llmgateway.providers.dialect import MAX_TOKENS, dialect, openai_compatible
from llmgateway.providers.gpt import GPT, GPT_UNKNOWN
from llmgateway.providers.tweaks import MapValue, Rename
from llmgateway.signing import Bearer, HeaderKey, NoAuth

ROWS = (
    Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        options=(
            Option(
                "openai_organization",
                bare_header="openai-organization",
                send_as="OpenAI-Organization",
                doc="The organization that the usage counts for.",
            ),
            Option(
                "openai_project",
                bare_header="openai-project",
                send_as="OpenAI-Project",
                doc="The project that the usage counts for.",
            ),
            Option(
                "openai_beta",
                bare_header="openai-beta",
                send_as="OpenAI-Beta",
                doc="Opts in to a beta, such as `assistants=v2`.",
            ),
        ),
        endpoints=openai_compatible(
            "chat",
            "completions",
            "embeddings",
            "models",
            "images",
            "image_edits",
            "image_variations",
            "speech",
            "transcription",
            "translation",
            "moderations",
            "responses",
            "files",
            "batches",
            "fine_tuning",
        ),
        # https://platform.openai.com/docs/api-reference/debugging-requests (seen 2026-11)
        request_id_header="X-Client-Request-Id",
        models=GPT,
        default_capabilities=GPT_UNKNOWN,
        docs="https://platform.openai.com/docs/api-reference",
    ),
    Provider(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        # Responses are served, in beta (seen 2026-11). https://console.groq.com/docs/responses-api
        endpoints=openai_compatible(
            "chat",
            "speech",
            "transcription",
            "translation",
            "models",
            "responses",
            "files",
            "batches",
        ),
        tweaks=dialect(),
        docs="https://console.groq.com/docs/api-reference",
    ),
    Provider(
        name="together-ai",
        base_url="https://api.together.xyz",
        # Audio: https://docs.together.ai/docs/openai-api-compatibility (seen 2026-11)
        endpoints=openai_compatible(
            "chat",
            "completions",
            "embeddings",
            "models",
            "speech",
            "transcription",
            "translation",
            prefix="/v1",
        ),
        tweaks=dialect(MAX_TOKENS),
        # Every stream ends with usage, and `stream_options` is not a parameter (seen 2026-11).
        # https://docs.together.ai/reference/chat-completions-1
        stream_usage=False,
        docs="https://docs.together.ai/reference/chat-completions-1",
    ),
    Provider(
        name="perplexity-ai",
        base_url="https://api.perplexity.ai",
        endpoints=openai_compatible("chat"),
        tweaks=dialect(MAX_TOKENS),
        # Every event has the usage so far (seen 2026-11).
        # https://docs.perplexity.ai/api-reference/chat-completions-post
        stream_usage=False,
        docs="https://docs.perplexity.ai/api-reference/chat-completions-post",
    ),
    Provider(
        name="openrouter",
        base_url="https://openrouter.ai/api",
        # They name the calling app in OpenRouter's statistics (seen 2026-11).
        # https://openrouter.ai/docs/app-attribution
        headers={"HTTP-Referer": "https://pypi.org/project/llmgateway/", "X-Title": "llmgateway"},
        endpoints=openai_compatible(
            "chat", "embeddings", "models", "responses", "speech", prefix="/v1"
        ),
        # `max_completion_tokens` and `reasoning_effort` are known by OpenAI's names (seen 2026-11).
        # https://openrouter.ai/docs/api-reference/chat-completion
        tweaks=dialect(),
        # "Full usage details are always included" (seen 2026-11).
        # https://openrouter.ai/docs/client-sdks/python/components/chatstreamoptions
        stream_usage=False,
        docs="https://openrouter.ai/docs/api-reference/overview",
    ),
    Provider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        endpoints={
            **openai_compatible("chat", prefix="/v1"),
            # https://api-docs.deepseek.com/guides/responses_api (seen 2026-11)
            **openai_compatible("models", "responses"),
        },
        tweaks=dialect(MAX_TOKENS),
        docs="https://api-docs.deepseek.com/api/create-chat-completion",
    ),
    Provider(
        name="x-ai",
        base_url="https://api.x.ai/v1",
        # Images and responses: https://docs.x.ai/docs/api-reference (seen 2026-11)
        endpoints=openai_compatible(
            "chat", "completions", "embeddings", "models", "images", "responses"
        ),
        tweaks=dialect(),
        docs="https://docs.x.ai/docs/api-reference",
    ),
    Provider(
        name="fireworks-ai",
        base_url="https://api.fireworks.ai/inference/v1",
        # Responses: https://docs.fireworks.ai/guides/querying-text-models (seen 2026-11)
        endpoints=openai_compatible("chat", "completions", "embeddings", "models", "responses"),
        tweaks=dialect(MAX_TOKENS),
        docs="https://docs.fireworks.ai/api-reference/post-chatcompletions",
    ),
    Provider(
        name="deepinfra",
        base_url="https://api.deepinfra.com/v1/openai",
        endpoints={
            # One line an event. Source: section 8 of the Portkey contract.
            **openai_compatible("chat", "completions", framing=Framing.SSE_LINES),
            **openai_compatible("embeddings", "models"),
        },
        tweaks=dialect(MAX_TOKENS),
        # The event with the finish reason has the usage, unasked (seen 2026-11).
        # https://deepinfra.com/docs/openai_api
        stream_usage=False,
        docs="https://deepinfra.com/docs/openai_api",
    ),
    Provider(
        name="ollama",
        base_url=None,
        auth=NoAuth(),
        # Embeddings at `/v1/embeddings` need none of the translation that Portkey's path did.
        endpoints=openai_compatible(
            "chat", "completions", "embeddings", "models", "responses", prefix="/v1"
        ),
        tweaks=dialect(MAX_TOKENS),
        docs="https://docs.ollama.com/api/openai-compatibility",
    ),
    Provider(
        name="jina",
        base_url="https://api.jina.ai/v1",
        endpoints=openai_compatible("embeddings"),
        docs="https://api.jina.ai/redoc",
    ),
    Provider(
        name="voyage",
        base_url="https://api.voyageai.com/v1",
        endpoints=openai_compatible("embeddings"),
        # Numbers are the format that has no name; `float` is refused (seen 2026-11).
        # https://docs.voyageai.com/reference/embeddings-api
        tweaks={
            "embeddings": (
                Rename("dimensions", "output_dimension"),
                MapValue("encoding_format", {"float": None}),
            )
        },
        docs="https://docs.voyageai.com/reference/embeddings-api",
    ),
    Provider(
        name="anyscale",
        base_url="https://api.endpoints.anyscale.com/v1",
        endpoints=openai_compatible("chat", "completions", "embeddings", "models"),
        tweaks=dialect(MAX_TOKENS),
        stream_usage=False,
        docs="https://docs.anyscale.com/",
    ),
    Provider(
        name="ncompass",
        base_url="https://api.ncompass.tech/v1",
        endpoints=openai_compatible("chat", "models"),
        tweaks=dialect(MAX_TOKENS),
        stream_usage=False,
        docs="https://docs.ncompass.tech/",
    ),
    Provider(
        name="moonshot",
        base_url="https://api.moonshot.cn",
        endpoints=openai_compatible("chat", "models", prefix="/v1"),
        tweaks=dialect(MAX_TOKENS),
        docs="https://platform.moonshot.cn/docs/api/chat",
        note="Accounts of platform.moonshot.ai set `custom_host` to https://api.moonshot.ai.",
    ),
    Provider(
        name="lingyi",
        base_url="https://api.lingyiwanwu.com",
        endpoints=openai_compatible("chat", "models", prefix="/v1"),
        tweaks=dialect(MAX_TOKENS),
        stream_usage=False,
        docs="https://platform.lingyiwanwu.com/docs",
    ),
    Provider(
        name="zhipu",
        base_url="https://open.bigmodel.cn/api/paas/v4",
        endpoints=openai_compatible("chat", "embeddings"),
        tweaks=dialect(MAX_TOKENS),
        docs="https://docs.bigmodel.cn/api-reference",
    ),
    Provider(
        name="z-ai",
        base_url="https://api.z.ai/api/paas/v4",
        # There is no list of models (seen 2026-11). https://docs.z.ai/api-reference/introduction
        endpoints=openai_compatible("chat"),
        # https://docs.z.ai/guides/overview/concept-param (seen 2026-11)
        tweaks=dialect(MAX_TOKENS),
        docs="https://docs.z.ai/api-reference/introduction",
    ),
    Provider(
        name="novita-ai",
        base_url="https://api.novita.ai/v3/openai",
        endpoints=openai_compatible("chat", "completions", "models", prefix="/v1"),
        tweaks=dialect(MAX_TOKENS),
        docs="https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion",
    ),
    Provider(
        name="monsterapi",
        base_url="https://llm.monsterapi.ai/v1",
        endpoints=openai_compatible("chat", "models"),
        tweaks=dialect(MAX_TOKENS),
        stream_usage=False,
        docs="https://developer.monsterapi.ai/",
    ),
    Provider(
        name="deepbricks",
        base_url="https://api.deepbricks.ai/v1",
        endpoints=openai_compatible("chat", "images", "models"),
        tweaks=dialect(MAX_TOKENS),
        stream_usage=False,
        docs="https://deepbricks.ai/api-doc",
    ),
    Provider(
        name="siliconflow",
        base_url="https://api.siliconflow.cn/v1",
        endpoints=openai_compatible("chat", "embeddings", "models"),
        tweaks=dialect(MAX_TOKENS),
        stream_usage=False,
        docs="https://docs.siliconflow.cn/cn/api-reference/chat-completions/chat-completions",
    ),
    Provider(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        # Requests without a user agent are refused (Portkey's contract).
        headers={"User-Agent": "llmgateway"},
        endpoints=openai_compatible("chat", "completions", "models"),
        tweaks=dialect(),
        docs="https://inference-docs.cerebras.ai/api-reference/chat-completions",
    ),
    Provider(
        name="inference-net",
        base_url="https://api.inference.net/v1",
        endpoints=openai_compatible("chat", "models"),
        tweaks=dialect(),
        docs="https://docs.inference.net/",
    ),
    Provider(
        name="sambanova",
        base_url="https://api.sambanova.ai",
        endpoints={
            # One line an event. Source: section 8 of the Portkey contract.
            **openai_compatible("chat", "completions", prefix="/v1", framing=Framing.SSE_LINES),
            # All of these are in SambaNova's own SDK (seen 2026-11).
            # https://docs.sambanova.ai/docs/en/api-reference/overview
            **openai_compatible(
                "embeddings", "models", "responses", "transcription", "translation", prefix="/v1"
            ),
        },
        tweaks=dialect(),
        docs="https://docs.sambanova.ai/docs/en/api-reference/overview",
    ),
    Provider(
        name="lemonfox-ai",
        base_url="https://api.lemonfox.ai/v1",
        endpoints=openai_compatible("chat", "images", "transcription", "models"),
        tweaks=dialect(),
        docs="https://www.lemonfox.ai/apis",
    ),
    Provider(
        name="upstage",
        base_url="https://api.upstage.ai/v1/solar",
        endpoints=openai_compatible("chat", "embeddings", "models"),
        tweaks=dialect(),
        docs="https://console.upstage.ai/api/chat",
    ),
    Provider(
        name="lambda",
        base_url="https://api.lambdalabs.com/v1",
        endpoints=openai_compatible("chat", "completions", "models"),
        tweaks=dialect(),
        docs="https://docs.lambda.ai/public-cloud/lambda-inference-api/",
    ),
    Provider(
        name="dashscope",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        endpoints=openai_compatible("chat", "embeddings", "models"),
        tweaks=dialect(),
        docs="https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
    ),
    Provider(
        name="nebius",
        base_url="https://api.studio.nebius.ai/v1",
        endpoints=openai_compatible("chat", "completions", "embeddings", "models"),
        tweaks=dialect(),
        docs="https://docs.nebius.com/studio/inference/api",
    ),
    Provider(
        name="recraft-ai",
        base_url="https://external.api.recraft.ai/v1",
        endpoints=openai_compatible("images"),
        docs="https://www.recraft.ai/docs/api-reference/endpoints",
    ),
    Provider(
        name="lepton",
        base_url="https://api.lepton.ai",
        endpoints=openai_compatible(
            "chat", "completions", "transcription", "models", prefix="/api/v1"
        ),
        tweaks=dialect(MAX_TOKENS),
        docs="https://docs.lepton.ai/",
    ),
    Provider(
        name="kluster-ai",
        base_url="https://api.kluster.ai/v1",
        endpoints=openai_compatible("chat", "embeddings", "files", "models"),
        tweaks=dialect(),
        docs="https://docs.kluster.ai/api-reference/reference/",
    ),
    Provider(
        name="nscale",
        base_url="https://inference.api.nscale.com/v1",
        endpoints=openai_compatible("chat", "images", "models"),
        tweaks=dialect(MAX_TOKENS),
        stream_usage=False,
        docs="https://docs.nscale.com/",
    ),
    Provider(
        name="hyperbolic",
        base_url="https://api.hyperbolic.xyz",
        endpoints=openai_compatible("chat", "models", prefix="/v1"),
        # https://docs.hyperbolic.xyz/docs/rest-api (seen 2026-11)
        tweaks=dialect(MAX_TOKENS),
        docs="https://docs.hyperbolic.xyz/docs/rest-api",
    ),
    Provider(
        name="featherless-ai",
        base_url="https://api.featherless.ai/v1",
        endpoints=openai_compatible("chat", "completions", "models"),
        # https://featherless.ai/docs/completions (seen 2026-11)
        tweaks=dialect(MAX_TOKENS),
        docs="https://featherless.ai/docs/completions",
    ),
    Provider(
        name="krutrim",
        base_url="https://cloud.olakrutrim.com/v1",
        endpoints=openai_compatible("chat", "models"),
        tweaks=dialect(),
        docs="https://docs.olakrutrim.com/",
    ),
    Provider(
        name="302ai",
        base_url="https://api.302.ai",
        endpoints=openai_compatible("chat", "models", prefix="/v1"),
        tweaks=dialect(MAX_TOKENS),
        stream_usage=False,
        docs="https://doc-en.302.ai/",
    ),
    Provider(
        name="cometapi",
        base_url="https://api.cometapi.com/v1",
        endpoints=openai_compatible("chat", "embeddings", "models"),
        tweaks=dialect(),
        docs="https://apidoc.cometapi.com/",
    ),
    Provider(
        name="matterai",
        base_url="https://api.matterai.so/v1",
        endpoints=openai_compatible("chat", "models"),
        tweaks=dialect(),
        docs="https://docs.matterai.so/",
    ),
    Provider(
        name="nextbit",
        base_url="https://api.nextbit256.com/v1",
        endpoints=openai_compatible("chat", "completions", "models"),
        tweaks=dialect(),
        docs="https://www.nextbit256.com/docs",
    ),
    Provider(
        name="modal",
        base_url="https://api.modal.com/v1",
        # A proxy token goes in two headers of its own, which the caller lets forward.
        auth=Bearer(needs_key=False),
        endpoints=openai_compatible("chat", "completions", "models"),
        tweaks=dialect(),
        docs="https://modal.com/docs/guide/webhook-proxy-auth",
        note=(
            "Set `custom_host` to your app's URL. Without a key, forward `modal-key` and "
            "`modal-secret` (`forward_headers`)."
        ),
    ),
    Provider(
        name="iointelligence",
        base_url="https://api.intelligence.io.solutions/api/v1",
        endpoints=openai_compatible("chat", "embeddings", "models"),
        tweaks=dialect(),
        docs="https://docs.io.net/reference/get-started-with-io-intelligence-api",
    ),
    Provider(
        name="aibadgr",
        base_url="https://aibadgr.com/api/v1",
        endpoints=openai_compatible("chat", "models"),
        tweaks=dialect(),
        docs="https://aibadgr.com/docs",
    ),
    Provider(
        name="ovhcloud",
        base_url="https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        endpoints=openai_compatible("chat", "models"),
        tweaks=dialect(),
        docs="https://endpoints.ai.cloud.ovh.net/",
    ),
    # Only the generic proxy from here on: these speak no format of OpenAI's.
    Provider(
        name="tripo3d",
        base_url="https://api.tripo3d.ai/v2/openapi",
        endpoints={},
        docs="https://platform.tripo3d.ai/docs/introduction",
    ),
    Provider(
        name="qdrant",
        base_url=None,
        # The key stands bare in its header; Portkey's `Bearer` before it is refused (seen 2026-11).
        # https://github.com/qdrant/qdrant/blob/master/src/common/auth/mod.rs
        auth=HeaderKey("api-key"),
        endpoints={},
        docs="https://api.qdrant.tech/api-reference",
    ),
    Provider(
        name="milvus",
        base_url=None,
        endpoints={},
        docs="https://milvus.io/api-reference/restful/v2.6.x/About.md",
    ),
    Provider(
        name="replicate",
        base_url="https://api.replicate.com/v1",
        # Its own formats, at paths that OpenAI has too.
        endpoints=openai_compatible("models", "files"),
        docs="https://replicate.com/docs/reference/http",
    ),
)
