"""The format of chat completions."""

from llmgateway.codecs.chat.slots import chat_slots, put_message
from llmgateway.codecs.choices import ChoicesWatch
from llmgateway.codecs.filtered import denials
from llmgateway.codecs.openai import OpenAIFormat, has_list

CHAT = OpenAIFormat(
    name="chat",
    new_watch=ChoicesWatch,
    answers=has_list("choices"),
    takes_stream_options=True,
    read_slots=chat_slots,
    put_message=put_message,
    new_denial=denials("chat.completion.chunk", {"delta": {}}),
)
