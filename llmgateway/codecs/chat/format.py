"""The format of chat completions."""

from llmgateway.codecs.choices import ChoicesWatch
from llmgateway.codecs.openai import OpenAIFormat, has_list

CHAT = OpenAIFormat(
    name="chat",
    new_watch=ChoicesWatch,
    answers=has_list("choices"),
    takes_stream_options=True,
)
