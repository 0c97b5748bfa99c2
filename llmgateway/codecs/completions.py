"""Text completions. Source: https://platform.openai.com/docs/api-reference/completions."""

from llmgateway.codecs.choices import ChoicesWatch
from llmgateway.codecs.openai import OpenAIFormat, has_list

COMPLETIONS = OpenAIFormat(
    name="completions",
    new_watch=ChoicesWatch,
    answers=has_list("choices"),
    takes_stream_options=True,
)
