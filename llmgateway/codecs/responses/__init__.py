"""Responses: the format, and its door in front of any chat provider.

Source: https://platform.openai.com/docs/api-reference/responses.
"""

from typing import Final

from llmgateway.codecs.late import LateDoor
from llmgateway.codecs.responses.format import RESPONSES
from llmgateway.codecs.responses.marks import without_marks

__all__ = ["RESPONSES", "RESPONSES_DOOR"]

RESPONSES_DOOR: Final = LateDoor(
    RESPONSES, "chat", None, "llmgateway.codecs.responses.door:RESPONSES_DOOR", without_marks
)
