"""Each provider and endpoint against a table that was typed from references, not from the rows.

URL and credential of each are literal here, so a slip in a row fails. Sources: providers.md of the
Portkey contract and the references that the rows link to.
"""

from __future__ import annotations

import pytest

from llmgateway.providers import Place, Provider, builtin

BEARER = (("authorization", "Bearer KEY"),)
API_KEY = (("api-key", "KEY"),)
X_API_KEY = (("x-api-key", "KEY"),)
X_GOOG = (("x-goog-api-key", "KEY"),)
CREDENTIALS = {
    "bearer": BEARER,
    "api-key": API_KEY,
    "x-api-key": X_API_KEY,
    "x-goog": X_GOOG,
}

OPTIONS = {
    "azure-openai": {
        "resource_name": "res",
        "deployment_id": "dep",
        "api_version": "2024-10-21",
    },
    "azure-ai": {
        "azure_foundry_url": "https://res.services.ai.azure.com/models",
        "azure_api_version": "2024-05-01-preview",
    },
}
"""What a provider needs for an address of its own."""

CUSTOM_HOST = "http://10.0.0.5:8000"
"""The base URL of those that have none."""

TABLE = """
302ai           chat              bearer   https://api.302.ai/v1/chat/completions
302ai           models            bearer   https://api.302.ai/v1/models
aibadgr         chat              bearer   https://aibadgr.com/api/v1/chat/completions
aibadgr         models            bearer   https://aibadgr.com/api/v1/models
anthropic       chat              x-api-key https://api.anthropic.com/v1/messages
anthropic       count_tokens      x-api-key https://api.anthropic.com/v1/messages/count_tokens
anthropic       messages          x-api-key https://api.anthropic.com/v1/messages
anthropic       models            x-api-key https://api.anthropic.com/v1/models
anyscale        chat              bearer   https://api.endpoints.anyscale.com/v1/chat/completions
anyscale        completions       bearer   https://api.endpoints.anyscale.com/v1/completions
anyscale        embeddings        bearer   https://api.endpoints.anyscale.com/v1/embeddings
anyscale        models            bearer   https://api.endpoints.anyscale.com/v1/models
azure-ai        batches           bearer   https://res.services.ai.azure.com/openai/batches?api-version=2024-05-01-preview
azure-ai        chat              bearer   https://res.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview
azure-ai        completions       bearer   https://res.services.ai.azure.com/models/completions?api-version=2024-05-01-preview
azure-ai        embeddings        bearer   https://res.services.ai.azure.com/models/embeddings?api-version=2024-05-01-preview
azure-ai        files             bearer   https://res.services.ai.azure.com/openai/files?api-version=2024-05-01-preview
azure-ai        images            bearer   https://res.services.ai.azure.com/models/images/generations?api-version=2024-05-01-preview
azure-ai        speech            bearer   https://res.services.ai.azure.com/models/audio/speech?api-version=2024-05-01-preview
azure-ai        transcription     bearer   https://res.services.ai.azure.com/models/audio/transcriptions?api-version=2024-05-01-preview
azure-ai        translation       bearer   https://res.services.ai.azure.com/models/audio/translations?api-version=2024-05-01-preview
azure-openai    batches           api-key  https://res.openai.azure.com/openai/batches?api-version=2024-10-21
azure-openai    chat              api-key  https://res.openai.azure.com/openai/deployments/dep/chat/completions?api-version=2024-10-21
azure-openai    completions       api-key  https://res.openai.azure.com/openai/deployments/dep/completions?api-version=2024-10-21
azure-openai    embeddings        api-key  https://res.openai.azure.com/openai/deployments/dep/embeddings?api-version=2024-10-21
azure-openai    files             api-key  https://res.openai.azure.com/openai/files?api-version=2024-10-21
azure-openai    fine_tuning       api-key  https://res.openai.azure.com/openai/fine_tuning/jobs?api-version=2024-10-21
azure-openai    image_edits       api-key  https://res.openai.azure.com/openai/deployments/dep/images/edits?api-version=2024-10-21
azure-openai    images            api-key  https://res.openai.azure.com/openai/deployments/dep/images/generations?api-version=2024-10-21
azure-openai    models            api-key  https://res.openai.azure.com/openai/models?api-version=2024-10-21
azure-openai    responses         api-key  https://res.openai.azure.com/openai/responses?api-version=2024-10-21
azure-openai    speech            api-key  https://res.openai.azure.com/openai/deployments/dep/audio/speech?api-version=2024-10-21
azure-openai    transcription     api-key  https://res.openai.azure.com/openai/deployments/dep/audio/transcriptions?api-version=2024-10-21
azure-openai    translation       api-key  https://res.openai.azure.com/openai/deployments/dep/audio/translations?api-version=2024-10-21
cerebras        chat              bearer   https://api.cerebras.ai/v1/chat/completions
cerebras        completions       bearer   https://api.cerebras.ai/v1/completions
cerebras        models            bearer   https://api.cerebras.ai/v1/models
cometapi        chat              bearer   https://api.cometapi.com/v1/chat/completions
cometapi        embeddings        bearer   https://api.cometapi.com/v1/embeddings
cometapi        models            bearer   https://api.cometapi.com/v1/models
dashscope       chat              bearer   https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions
dashscope       embeddings        bearer   https://dashscope-intl.aliyuncs.com/compatible-mode/v1/embeddings
dashscope       models            bearer   https://dashscope-intl.aliyuncs.com/compatible-mode/v1/models
deepbricks      chat              bearer   https://api.deepbricks.ai/v1/chat/completions
deepbricks      images            bearer   https://api.deepbricks.ai/v1/images/generations
deepbricks      models            bearer   https://api.deepbricks.ai/v1/models
deepinfra       chat              bearer   https://api.deepinfra.com/v1/openai/chat/completions
deepinfra       completions       bearer   https://api.deepinfra.com/v1/openai/completions
deepinfra       embeddings        bearer   https://api.deepinfra.com/v1/openai/embeddings
deepinfra       models            bearer   https://api.deepinfra.com/v1/openai/models
deepseek        chat              bearer   https://api.deepseek.com/v1/chat/completions
deepseek        models            bearer   https://api.deepseek.com/models
deepseek        responses         bearer   https://api.deepseek.com/responses
featherless-ai  chat              bearer   https://api.featherless.ai/v1/chat/completions
featherless-ai  completions       bearer   https://api.featherless.ai/v1/completions
featherless-ai  models            bearer   https://api.featherless.ai/v1/models
fireworks-ai    chat              bearer   https://api.fireworks.ai/inference/v1/chat/completions
fireworks-ai    completions       bearer   https://api.fireworks.ai/inference/v1/completions
fireworks-ai    embeddings        bearer   https://api.fireworks.ai/inference/v1/embeddings
fireworks-ai    models            bearer   https://api.fireworks.ai/inference/v1/models
fireworks-ai    responses         bearer   https://api.fireworks.ai/inference/v1/responses
github          chat              bearer   https://models.inference.ai.azure.com/chat/completions
github          completions       bearer   https://models.inference.ai.azure.com/completions
github          embeddings        bearer   https://models.inference.ai.azure.com/embeddings
google          chat              x-goog   https://generativelanguage.googleapis.com/v1beta/models/base%3Aadapter:generateContent
google          count_tokens      x-goog   https://generativelanguage.googleapis.com/v1beta/models/base%3Aadapter:countTokens
google          embed_content     x-goog   https://generativelanguage.googleapis.com/v1beta/models/base%3Aadapter:embedContent
google          embeddings        x-goog   https://generativelanguage.googleapis.com/v1beta/models/base%3Aadapter:embedContent
google          generate_content  x-goog   https://generativelanguage.googleapis.com/v1beta/models/base%3Aadapter:generateContent
google          generate_content_count_tokens x-goog   https://generativelanguage.googleapis.com/v1beta/models/base%3Aadapter:countTokens
google          models            x-goog   https://generativelanguage.googleapis.com/v1beta/openai/models
groq            batches           bearer   https://api.groq.com/openai/v1/batches
groq            chat              bearer   https://api.groq.com/openai/v1/chat/completions
groq            files             bearer   https://api.groq.com/openai/v1/files
groq            models            bearer   https://api.groq.com/openai/v1/models
groq            responses         bearer   https://api.groq.com/openai/v1/responses
groq            speech            bearer   https://api.groq.com/openai/v1/audio/speech
groq            transcription     bearer   https://api.groq.com/openai/v1/audio/transcriptions
groq            translation       bearer   https://api.groq.com/openai/v1/audio/translations
huggingface     chat              bearer   https://router.huggingface.co/v1/chat/completions
huggingface     completions       bearer   https://router.huggingface.co/v1/completions
huggingface     models            bearer   https://router.huggingface.co/v1/models
hyperbolic      chat              bearer   https://api.hyperbolic.xyz/v1/chat/completions
hyperbolic      models            bearer   https://api.hyperbolic.xyz/v1/models
inference-net   chat              bearer   https://api.inference.net/v1/chat/completions
inference-net   models            bearer   https://api.inference.net/v1/models
iointelligence  chat              bearer   https://api.intelligence.io.solutions/api/v1/chat/completions
iointelligence  embeddings        bearer   https://api.intelligence.io.solutions/api/v1/embeddings
iointelligence  models            bearer   https://api.intelligence.io.solutions/api/v1/models
jina            embeddings        bearer   https://api.jina.ai/v1/embeddings
kluster-ai      chat              bearer   https://api.kluster.ai/v1/chat/completions
kluster-ai      embeddings        bearer   https://api.kluster.ai/v1/embeddings
kluster-ai      files             bearer   https://api.kluster.ai/v1/files
kluster-ai      models            bearer   https://api.kluster.ai/v1/models
krutrim         chat              bearer   https://cloud.olakrutrim.com/v1/chat/completions
krutrim         models            bearer   https://cloud.olakrutrim.com/v1/models
lambda          chat              bearer   https://api.lambdalabs.com/v1/chat/completions
lambda          completions       bearer   https://api.lambdalabs.com/v1/completions
lambda          models            bearer   https://api.lambdalabs.com/v1/models
lemonfox-ai     chat              bearer   https://api.lemonfox.ai/v1/chat/completions
lemonfox-ai     images            bearer   https://api.lemonfox.ai/v1/images/generations
lemonfox-ai     models            bearer   https://api.lemonfox.ai/v1/models
lemonfox-ai     transcription     bearer   https://api.lemonfox.ai/v1/audio/transcriptions
lepton          chat              bearer   https://api.lepton.ai/api/v1/chat/completions
lepton          completions       bearer   https://api.lepton.ai/api/v1/completions
lepton          models            bearer   https://api.lepton.ai/api/v1/models
lepton          transcription     bearer   https://api.lepton.ai/api/v1/audio/transcriptions
lingyi          chat              bearer   https://api.lingyiwanwu.com/v1/chat/completions
lingyi          models            bearer   https://api.lingyiwanwu.com/v1/models
matterai        chat              bearer   https://api.matterai.so/v1/chat/completions
matterai        models            bearer   https://api.matterai.so/v1/models
meshy           image-to-3d       bearer   https://api.meshy.ai/openapi/v1/image-to-3d
meshy           text-to-3d        bearer   https://api.meshy.ai/openapi/v2/text-to-3d
milvus          v2/entities       bearer   http://10.0.0.5:8000/v2/entities
mistral-ai      chat              bearer   https://api.mistral.ai/v1/chat/completions
mistral-ai      embeddings        bearer   https://api.mistral.ai/v1/embeddings
mistral-ai      files             bearer   https://api.mistral.ai/v1/files
mistral-ai      models            bearer   https://api.mistral.ai/v1/models
mistral-ai      moderations       bearer   https://api.mistral.ai/v1/moderations
mistral-ai      transcription     bearer   https://api.mistral.ai/v1/audio/transcriptions
modal           chat              bearer   https://api.modal.com/v1/chat/completions
modal           completions       bearer   https://api.modal.com/v1/completions
modal           models            bearer   https://api.modal.com/v1/models
monsterapi      chat              bearer   https://llm.monsterapi.ai/v1/chat/completions
monsterapi      models            bearer   https://llm.monsterapi.ai/v1/models
moonshot        chat              bearer   https://api.moonshot.cn/v1/chat/completions
moonshot        models            bearer   https://api.moonshot.cn/v1/models
ncompass        chat              bearer   https://api.ncompass.tech/v1/chat/completions
ncompass        models            bearer   https://api.ncompass.tech/v1/models
nebius          chat              bearer   https://api.studio.nebius.ai/v1/chat/completions
nebius          completions       bearer   https://api.studio.nebius.ai/v1/completions
nebius          embeddings        bearer   https://api.studio.nebius.ai/v1/embeddings
nebius          models            bearer   https://api.studio.nebius.ai/v1/models
nextbit         chat              bearer   https://api.nextbit256.com/v1/chat/completions
nextbit         completions       bearer   https://api.nextbit256.com/v1/completions
nextbit         models            bearer   https://api.nextbit256.com/v1/models
novita-ai       chat              bearer   https://api.novita.ai/v3/openai/v1/chat/completions
novita-ai       completions       bearer   https://api.novita.ai/v3/openai/v1/completions
novita-ai       models            bearer   https://api.novita.ai/v3/openai/v1/models
nscale          chat              bearer   https://inference.api.nscale.com/v1/chat/completions
nscale          images            bearer   https://inference.api.nscale.com/v1/images/generations
nscale          models            bearer   https://inference.api.nscale.com/v1/models
ollama          chat              bearer   http://10.0.0.5:8000/v1/chat/completions
ollama          completions       bearer   http://10.0.0.5:8000/v1/completions
ollama          embeddings        bearer   http://10.0.0.5:8000/v1/embeddings
ollama          models            bearer   http://10.0.0.5:8000/v1/models
ollama          responses         bearer   http://10.0.0.5:8000/v1/responses
openai          batches           bearer   https://api.openai.com/v1/batches
openai          chat              bearer   https://api.openai.com/v1/chat/completions
openai          completions       bearer   https://api.openai.com/v1/completions
openai          embeddings        bearer   https://api.openai.com/v1/embeddings
openai          files             bearer   https://api.openai.com/v1/files
openai          fine_tuning       bearer   https://api.openai.com/v1/fine_tuning/jobs
openai          image_edits       bearer   https://api.openai.com/v1/images/edits
openai          image_variations  bearer   https://api.openai.com/v1/images/variations
openai          images            bearer   https://api.openai.com/v1/images/generations
openai          models            bearer   https://api.openai.com/v1/models
openai          moderations       bearer   https://api.openai.com/v1/moderations
openai          responses         bearer   https://api.openai.com/v1/responses
openai          speech            bearer   https://api.openai.com/v1/audio/speech
openai          transcription     bearer   https://api.openai.com/v1/audio/transcriptions
openai          translation       bearer   https://api.openai.com/v1/audio/translations
openrouter      chat              bearer   https://openrouter.ai/api/v1/chat/completions
openrouter      embeddings        bearer   https://openrouter.ai/api/v1/embeddings
openrouter      models            bearer   https://openrouter.ai/api/v1/models
openrouter      responses         bearer   https://openrouter.ai/api/v1/responses
openrouter      speech            bearer   https://openrouter.ai/api/v1/audio/speech
ovhcloud        chat              bearer   https://oai.endpoints.kepler.ai.cloud.ovh.net/v1/chat/completions
ovhcloud        models            bearer   https://oai.endpoints.kepler.ai.cloud.ovh.net/v1/models
perplexity-ai   chat              bearer   https://api.perplexity.ai/chat/completions
predibase       chat              bearer   https://serving.app.predibase.com/tenant/deployments/v2/llms/base/v1/chat/completions
qdrant          collections       api-key  http://10.0.0.5:8000/collections
recraft-ai      images            bearer   https://external.api.recraft.ai/v1/images/generations
replicate       predictions       bearer   https://api.replicate.com/v1/predictions
replicate       files             bearer   https://api.replicate.com/v1/files
replicate       models            bearer   https://api.replicate.com/v1/models
sambanova       chat              bearer   https://api.sambanova.ai/v1/chat/completions
sambanova       completions       bearer   https://api.sambanova.ai/v1/completions
sambanova       embeddings        bearer   https://api.sambanova.ai/v1/embeddings
sambanova       models            bearer   https://api.sambanova.ai/v1/models
sambanova       responses         bearer   https://api.sambanova.ai/v1/responses
sambanova       transcription     bearer   https://api.sambanova.ai/v1/audio/transcriptions
sambanova       translation       bearer   https://api.sambanova.ai/v1/audio/translations
siliconflow     chat              bearer   https://api.siliconflow.cn/v1/chat/completions
siliconflow     embeddings        bearer   https://api.siliconflow.cn/v1/embeddings
siliconflow     models            bearer   https://api.siliconflow.cn/v1/models
together-ai     chat              bearer   https://api.together.xyz/v1/chat/completions
together-ai     completions       bearer   https://api.together.xyz/v1/completions
together-ai     embeddings        bearer   https://api.together.xyz/v1/embeddings
together-ai     models            bearer   https://api.together.xyz/v1/models
together-ai     speech            bearer   https://api.together.xyz/v1/audio/speech
together-ai     transcription     bearer   https://api.together.xyz/v1/audio/transcriptions
together-ai     translation       bearer   https://api.together.xyz/v1/audio/translations
tripo3d         task              bearer   https://api.tripo3d.ai/v2/openapi/task
upstage         chat              bearer   https://api.upstage.ai/v1/solar/chat/completions
upstage         embeddings        bearer   https://api.upstage.ai/v1/solar/embeddings
upstage         models            bearer   https://api.upstage.ai/v1/solar/models
voyage          embeddings        bearer   https://api.voyageai.com/v1/embeddings
x-ai            chat              bearer   https://api.x.ai/v1/chat/completions
x-ai            completions       bearer   https://api.x.ai/v1/completions
x-ai            embeddings        bearer   https://api.x.ai/v1/embeddings
x-ai            images            bearer   https://api.x.ai/v1/images/generations
x-ai            models            bearer   https://api.x.ai/v1/models
x-ai            responses         bearer   https://api.x.ai/v1/responses
z-ai            chat              bearer   https://api.z.ai/api/paas/v4/chat/completions
zhipu           chat              bearer   https://open.bigmodel.cn/api/paas/v4/chat/completions
zhipu           embeddings        bearer   https://open.bigmodel.cn/api/paas/v4/embeddings
"""

CASES = [tuple(line.split()) for line in TABLE.strip().splitlines()]


def url_of(row: Provider, endpoint: str, place: Place) -> str:
    """Put a URL together as the engine does; a name that is no endpoint is a proxied path."""
    base = row.base_url_for(place.options) or CUSTOM_HOST
    if endpoint in row.endpoints:
        path = row.endpoints[endpoint].path_for(place)
    else:
        proxied = Place(place.options, place.model, place.stream, f"/{endpoint}", place.body)
        path = row.proxy_path(proxied) if row.proxy_path else proxied.suffix
    query = row.query(place.options) if row.query else {}
    return base + path + "".join(f"?{key}={value}" for key, value in query.items())


@pytest.mark.parametrize(
    ("name", "endpoint", "credential", "url"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_the_url_and_the_credential(name: str, endpoint: str, credential: str, url: str) -> None:
    row = builtin()[name]
    body = {"model": "base:adapter", "user": "tenant"}
    place = Place(OPTIONS.get(name, {}), "base:adapter", False, "", body)

    headers = tuple((h.decode(), v.decode()) for h, v in row.auth.headers("KEY", place.options))

    assert (url, CREDENTIALS[credential]) == (url_of(row, endpoint, place), headers)


def test_the_table_has_every_endpoint_of_every_row() -> None:
    served = {(name, endpoint) for name, row in builtin().items() for endpoint in row.endpoints}

    assert set() == served - {(case[0], case[1]) for case in CASES}


def test_the_table_has_every_row() -> None:
    assert set(builtin()) == {case[0] for case in CASES}


FAMILIES = [
    ("openai", "files", "/file-1/content", "https://api.openai.com/v1/files/file-1/content"),
    (
        "openai",
        "responses",
        "/r-1/input_items",
        "https://api.openai.com/v1/responses/r-1/input_items",
    ),
    ("openai", "batches", "/b-1/cancel", "https://api.openai.com/v1/batches/b-1/cancel"),
    (
        "openai",
        "fine_tuning",
        "/f-1/cancel",
        "https://api.openai.com/v1/fine_tuning/jobs/f-1/cancel",
    ),
    ("openai", "models", "/gpt-5", "https://api.openai.com/v1/models/gpt-5"),
    ("together-ai", "models", "/a/b", "https://api.together.xyz/v1/models/a/b"),
    (
        "azure-openai",
        "files",
        "/file-1/content",
        "https://res.openai.azure.com/openai/files/file-1/content?api-version=2024-10-21",
    ),
    (
        "azure-ai",
        "batches",
        "/b-1/cancel",
        "https://res.services.ai.azure.com/openai/batches/b-1/cancel?api-version=2024-05-01-preview",
    ),
]


@pytest.mark.parametrize(("name", "endpoint", "suffix", "url"), FAMILIES)
def test_what_follows_the_path_of_a_family(name: str, endpoint: str, suffix: str, url: str) -> None:
    place = Place(OPTIONS.get(name, {}), None, False, suffix)

    assert url == url_of(builtin()[name], endpoint, place)
