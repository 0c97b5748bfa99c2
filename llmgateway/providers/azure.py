"""OpenAI's and other makers' models as Microsoft serves them.

Deployments, API versions and two ways to prove oneself; no body is translated here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from llmgateway.errors import EndpointNotSupported, InvalidRequest
from llmgateway.providers.base import (
    Option,
    Options,
    Place,
    Provider,
    quote_host_label,
    quote_segment,
)
from llmgateway.providers.dialect import (
    ENDPOINTS,
    dialect,
    openai_compatible,
    placed,
    url_option,
)
from llmgateway.providers.tweaks import MapValue
from llmgateway.signing import Auth, Bearer, BearerOption, HeaderKey
from llmgateway.types.http import RawHeaders

_AD_TOKEN = Option(
    "azure_ad_token",
    secret=True,
    doc="A Microsoft Entra access token; it is sent as Bearer in place of the key.",
)
_AUTH_MODE = Option(
    "azure_auth_mode",
    planned=True,
    doc="`entra`, `managed` or `workload`: the gateway would fetch the token itself.",
)

# ---- azure-openai

_PER_DEPLOYMENT = (
    "chat", "completions", "embeddings", "images", "image_edits",
    "speech", "transcription", "translation",
)  # fmt: skip
_PER_RESOURCE = ("models", "responses", "files", "batches", "fine_tuning")
_DEPLOYED_PATHS = frozenset(ENDPOINTS[name][0] for name in _PER_DEPLOYMENT)

# Batches name the endpoint without `/v1` (seen 2026-11).
# https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch
_BATCH_ENDPOINT = MapValue(
    "endpoint",
    {f"/v1{path}": path for path in ("/chat/completions", "/embeddings", "/responses")},
)


def _resource_url(options: Options) -> str:
    resource = quote_host_label(options.get("resource_name", ""), "resource_name")
    return f"https://{resource}.openai.azure.com/openai"


def _is_v1(options: Options) -> bool:
    return options.get("api_version", "").strip() == "v1"


def _resource_query(options: Options) -> Mapping[str, str]:
    # The v1 API needs no version (seen 2026-11). A caller's SDK may send one of its own as well.
    # https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    version = options.get("api_version")
    return {} if version is None or _is_v1(options) else {"api-version": version}


def _resource_path(path: str, place: Place) -> str:
    if _is_v1(place.options):
        return f"/v1{path}"
    if path not in _DEPLOYED_PATHS:
        return path
    deployment = place.options.get("deployment_id") or place.model
    if not deployment:
        raise InvalidRequest(
            "Azure needs `deployment_id` where the request names no model.", param="deployment_id"
        )
    return f"/deployments/{quote_segment(deployment, 'deployment_id')}{path}"


def _on_resource(path: str) -> Callable[[Place], str]:
    return lambda place: _resource_path(path, place) + place.suffix


AZURE_OPENAI = Provider(
    name="azure-openai",
    base_url=_resource_url,
    auth=BearerOption("azure_ad_token", otherwise=HeaderKey("api-key")),
    options=(
        Option(
            "resource_name",
            header="azure-resource-name",
            required=True,
            doc="The resource: the first label of its host name.",
        ),
        Option(
            "deployment_id",
            header="azure-deployment-id",
            is_model=True,
            doc="The deployment; left out, the request's model is taken for its name.",
        ),
        Option(
            "api_version",
            header="azure-api-version",
            doc="Sent as `api-version`; `v1` selects the API without deployments and versions.",
        ),
        _AD_TOKEN,
        _AUTH_MODE,
    ),
    query=_resource_query,
    endpoints=placed(_on_resource, *_PER_DEPLOYMENT, *_PER_RESOURCE),
    proxy_path=lambda place: _resource_path(place.suffix, place),
    tweaks={"batches": (_BATCH_ENDPOINT,)},
    docs="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
)

# ---- azure-ai


def _foundry_url(options: Options) -> str:
    return url_option(options, "azure_foundry_url")


def _foundry_origin(options: Options) -> str:
    parts = urlsplit(_foundry_url(options))
    return f"{parts.scheme}://{parts.netloc}"


def _foundry_path(place: Place) -> str:
    """Return what stands between the origin and an endpoint: the path of `azure_foundry_url`.

    The row's base URL is the origin alone, because files and batches live beside that path.
    """
    if place.custom_host or "azure_foundry_url" not in place.options:
        return ""
    return urlsplit(_foundry_url(place.options)).path


def _is_anthropic(options: Options) -> bool:
    return "anthropic" in options.get("azure_foundry_url", "")


def _on_foundry(path: str) -> Callable[[Place], str]:
    def path_of(place: Place) -> str:
        if _is_anthropic(place.options) and not place.custom_host:
            raise EndpointNotSupported(
                "This `azure_foundry_url` serves Anthropic's Messages only, which this version "
                "does not speak yet; use an OpenAI-compatible URL of the resource."
            )
        return _foundry_path(place) + path + place.suffix

    return path_of


def _beside_foundry(path: str) -> Callable[[Place], str]:
    def path_of(place: Place) -> str:
        # The v1 API has its files below its own path (seen 2026-11).
        # https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
        own = _foundry_path(place)
        return f"{own if own == '/openai/v1' else '/openai'}{path}{place.suffix}"

    return path_of


def _foundry_query(options: Options) -> Mapping[str, str]:
    version = options.get("azure_api_version")
    return {} if version is None else {"api-version": version}


@dataclass(frozen=True, slots=True)
class _FoundryKey:
    """Bearer, but Anthropic's own header where the URL is that of Anthropic's API."""

    needs_key: bool = True

    def headers(self, key: str | None, options: Options) -> RawHeaders:
        form: Auth = HeaderKey("x-api-key") if _is_anthropic(options) else Bearer()
        return form.headers(key, options)

    def __str__(self) -> str:
        return f"{Bearer()} ({HeaderKey('x-api-key')} where the URL is Anthropic's)"


AZURE_AI = Provider(
    name="azure-ai",
    base_url=_foundry_origin,
    auth=BearerOption("azure_ad_token", otherwise=_FoundryKey()),
    options=(
        Option(
            "azure_foundry_url",
            required=True,
            is_url=True,
            doc="The endpoint's URL, such as `https://NAME.services.ai.azure.com/models`.",
        ),
        Option("azure_api_version", doc="Sent as `api-version`."),
        Option(
            "azure_deployment_name",
            is_model=True,
            send_as="azureml-model-deployment",
            doc="The deployment of a managed endpoint.",
        ),
        Option(
            "azure_extra_parameters",
            header="azure-extra-params",
            send_as="extra-parameters",
            default="drop",
            choices=("drop", "pass-through", "error"),
            doc="What Azure does with parameters that it does not know itself.",
        ),
        _AD_TOKEN,
        _AUTH_MODE,
    ),
    query=_foundry_query,
    endpoints={
        **placed(
            _on_foundry,
            "chat",
            "completions",
            "embeddings",
            "images",
            "speech",
            "transcription",
            "translation",
        ),
        **placed(_beside_foundry, "files", "batches"),
    },
    proxy_path=lambda place: _foundry_path(place) + place.suffix,
    tweaks=dialect(batches=(_BATCH_ENDPOINT,)),
    docs="https://learn.microsoft.com/rest/api/aifoundry/modelinference/",
)

# ---- github

GITHUB = Provider(
    name="github",
    base_url="https://models.inference.ai.azure.com",
    headers={"extra-parameters": "drop"},
    endpoints=openai_compatible("chat", "completions", "embeddings"),
    tweaks=dialect(),
    docs="https://docs.github.com/rest/models/inference",
    # https://github.com/orgs/community/discussions/203602 (seen 2026-11)
    # https://github.blog/changelog/2025-07-17-deprecation-of-azure-endpoint-for-github-models
    note="This address closed on 2025-10-17 and GitHub Models on 2026-07-30: set `custom_host`.",
)

ROWS = (AZURE_OPENAI, AZURE_AI, GITHUB)
