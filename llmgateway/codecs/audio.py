"""Speech and transcription (translation too); whole answers may be audio, text or JSON.

Source: https://platform.openai.com/docs/api-reference/audio.
"""

from llmgateway.codecs.logprobs import entry_tokens
from llmgateway.codecs.opaque import anything
from llmgateway.codecs.openai import OpenAIFormat
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from llmgateway.codecs.spots import Spot, Voice, objects, spots
from llmgateway.codecs.typed import Grammar
from llmgateway.types import JSON


def speech_slots(body: JSON, part: Part) -> list[Slot]:
    """Return what is to be spoken, and how; the answer is sound."""
    if part is not Part.REQUEST:
        return []
    said = Voice("user").all(spots(body, "input"), "input", Place.TEXT)
    return said + Voice("system").all(spots(body, "instructions"), "instructions", Place.TEXT)


def transcript_slots(body: JSON, part: Part) -> list[Slot]:
    """Return the text of a transcript, and what tells it again, cut into segments and words."""
    if part is Part.REQUEST:
        return Voice("user").all(spots(body, "prompt"), "prompt", Place.TEXT)
    if part is Part.EVENT:
        return _event_slots(body)
    voice = Voice()
    whole = spots(body, "text")
    slots = [voice.slot(spot, "text", Place.TEXT) for spot in whole]
    for name, member in (("segments", "text"), ("words", "word")):
        found = [spot for entry in objects(body.get(name)) for spot in spots(entry, member)]
        slots += _again(voice, found) if whole else voice.all(found, name, Place.TEXT)
    return [*slots, *entry_tokens(body.get("logprobs"), voice)]


def _again(voice: Voice, found: list[Spot]) -> list[Slot]:
    return [voice.slot(spot, "text", Place.TEXT, kind=SlotKind.COPY) for spot in found]


def _event_slots(event: JSON) -> list[Slot]:
    """Return the text of an event by its type.

    Where speakers are told apart, segments may come instead of deltas or beside them, so that they
    are a text of their own. A transcript of no known type is one too.
    """
    voice = Voice(kind=SlotKind.DELTA, is_event=True)
    kind, whole, tokens = event.get("type"), spots(event, "text"), event.get("logprobs")
    slots = [voice.slot(spot, "text", Place.TEXT) for spot in spots(event, "delta")]
    if kind == "transcript.text.done":
        return [*slots, *_again(voice, whole), *entry_tokens(tokens, voice), voice.end()]
    slots += [voice.slot(spot, "segments", Place.TEXT) for spot in whole]
    return [*slots, *entry_tokens(tokens, voice)]


SPEECH = OpenAIFormat(
    name="speech",
    new_watch=Grammar(ends=frozenset({"speech.audio.done"}), must_end=False).watcher(),
    answers=anything,
    is_json=False,
    read_slots=speech_slots,
)

TRANSCRIPTION = OpenAIFormat(
    name="transcription",
    new_watch=Grammar(ends=frozenset({"transcript.text.done"}), must_end=False).watcher(),
    answers=anything,
    is_json=False,
    read_slots=transcript_slots,
)
