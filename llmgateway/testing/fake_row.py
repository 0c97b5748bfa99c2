"""The row of the fake provider: hand it to a gateway as one more provider.

    gateway = Gateway(settings, providers=[FAKE])

It has no address of its own, so the settings name one:
`providers = {"fake": {"base_url": "http://127.0.0.1:9000/v1"}}`.
"""

from __future__ import annotations

from llmgateway.codecs.audio import SPEECH, TRANSCRIPTION
from llmgateway.codecs.chat import CHAT
from llmgateway.codecs.completions import COMPLETIONS
from llmgateway.codecs.embeddings import EMBEDDINGS
from llmgateway.codecs.images import IMAGES
from llmgateway.codecs.opaque import OPAQUE
from llmgateway.codecs.responses import RESPONSES
from llmgateway.providers.base import Endpoint, Provider
from llmgateway.signing import Bearer
from llmgateway.testing.fake import CALL_ID_HEADER

__all__ = ["FAKE"]

FAKE = Provider(
    name="fake",
    base_url=None,
    endpoints={
        "chat": Endpoint("/chat/completions", CHAT),
        "completions": Endpoint("/completions", COMPLETIONS),
        "embeddings": Endpoint("/embeddings", EMBEDDINGS),
        "moderations": Endpoint("/moderations", OPAQUE),
        "images": Endpoint("/images/generations", IMAGES),
        "image_edits": Endpoint("/images/edits", IMAGES),
        "image_variations": Endpoint("/images/variations", IMAGES),
        "speech": Endpoint("/audio/speech", SPEECH),
        "transcription": Endpoint("/audio/transcriptions", TRANSCRIPTION),
        "translation": Endpoint("/audio/translations", TRANSCRIPTION),
        "responses": Endpoint("/responses", RESPONSES),
        "models": Endpoint("/models", OPAQUE),
        "files": Endpoint("/files", OPAQUE),
        "batches": Endpoint("/batches", OPAQUE),
        "fine_tuning": Endpoint("/fine_tuning/jobs", OPAQUE),
    },
    docs="https://platform.openai.com/docs/api-reference",
    auth=Bearer(needs_key=False),
    request_id_header=CALL_ID_HEADER,
)
