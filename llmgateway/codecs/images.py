"""Image generations, edits and variations.

Source: https://platform.openai.com/docs/api-reference/images and images-streaming.
"""

from llmgateway.codecs.openai import MAX_IMAGE_EVENT_BYTES, OpenAIFormat, has_list
from llmgateway.codecs.typed import Grammar

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
)
