"""Image generations, edits and variations.

Source: https://platform.openai.com/docs/api-reference/images and images-streaming.
"""

from llmgateway.codecs.openai import MAX_IMAGE_EVENT_BYTES, OpenAIFormat, has_list
from llmgateway.codecs.slots import Part, Place, Slot
from llmgateway.codecs.spots import Voice, objects, spots
from llmgateway.codecs.typed import Grammar
from llmgateway.types import JSON


def image_slots(body: JSON, part: Part) -> list[Slot]:
    """Return the prompts, and what the model made of them (`revised_prompt`)."""
    if part is Part.REQUEST:
        return Voice("user").all(spots(body, "prompt", "negative_prompt"), "prompt", Place.TEXT)
    pictures = (body, *objects(body.get("data")), *objects(body.get("images")))
    revised = [spot for picture in pictures for spot in spots(picture, "revised_prompt")]
    return Voice().all(revised, "revised_prompt", Place.TEXT)


_GRAMMAR = Grammar(
    ends=frozenset({"image_generation.completed", "image_edit.completed"}),
    must_end=False,
)

IMAGES = OpenAIFormat(
    name="images",
    new_watch=_GRAMMAR.watcher(),
    # Some providers say `images` (https://docs.hyperbolic.xyz, https://docs.siliconflow.com).
    answers=has_list("data", "images"),
    max_event_bytes=MAX_IMAGE_EVENT_BYTES,
    read_slots=image_slots,
)
