"""Responses: the format, and its door in front of any chat provider.

Source: https://platform.openai.com/docs/api-reference/responses.
"""

from llmgateway.codecs.responses.door import RESPONSES_DOOR
from llmgateway.codecs.responses.format import RESPONSES

__all__ = ["RESPONSES", "RESPONSES_DOOR"]
