"""Speech and transcription (translation too); whole answers may be audio, text or JSON.

Source: https://platform.openai.com/docs/api-reference/audio.
"""

from llmgateway.codecs.opaque import anything
from llmgateway.codecs.openai import OpenAIFormat
from llmgateway.codecs.typed import Grammar

SPEECH = OpenAIFormat(
    name="speech",
    new_watch=Grammar(ends=frozenset({"speech.audio.done"}), must_end=False).watcher(),
    answers=anything,
    is_json=False,
)

TRANSCRIPTION = OpenAIFormat(
    name="transcription",
    new_watch=Grammar(ends=frozenset({"transcript.text.done"}), must_end=False).watcher(),
    answers=anything,
    is_json=False,
)
