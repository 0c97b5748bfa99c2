"""Text completions. Source: https://platform.openai.com/docs/api-reference/completions."""

from llmgateway.codecs.choices import ChoicesWatch
from llmgateway.codecs.filtered import denials
from llmgateway.codecs.logprobs import choice_tokens
from llmgateway.codecs.openai import OpenAIFormat, has_list
from llmgateway.codecs.slots import Part, Place, Slot, SlotKind
from llmgateway.codecs.spots import Voice, choice_end, objects, spots, texts
from llmgateway.types import JSON


def completion_slots(body: JSON, part: Part) -> list[Slot]:
    """Return every place of a body where words stand; lists of tokens are none."""
    if part is Part.REQUEST:
        asks = Voice("user")
        prompts = asks.all(texts(body, "prompt"), "prompt", Place.TEXT)
        return prompts + asks.all(spots(body, "suffix"), "suffix", Place.TEXT)
    slots: list[Slot] = []
    for number, choice in enumerate(objects(body.get("choices"))):
        voice = Voice(choice=number)
        if part is Part.EVENT:
            index = choice.get("index")
            number = index if isinstance(index, int) else 0
            voice = Voice(choice=number, kind=SlotKind.DELTA, is_event=True)
        slots += [voice.slot(spot, "text", Place.TEXT) for spot in spots(choice, "text")]
        slots += choice_tokens(choice, voice)
        if voice.is_event:
            slots += choice_end(choice, voice)
    return slots


def put_before(body: JSON, role: str, text: str) -> None:
    """Put a text on a line of its own before each prompt, in place; there are no roles here."""
    for container, key in texts(body, "prompt"):
        container[key] = f"{text}\n{container[key]}"


COMPLETIONS = OpenAIFormat(
    name="completions",
    new_watch=ChoicesWatch,
    answers=has_list("choices"),
    takes_stream_options=True,
    read_slots=completion_slots,
    put_message=put_before,
    new_denial=denials("text_completion", {"text": "", "logprobs": None}),
)
