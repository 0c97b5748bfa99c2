"""Why an answer ended, in both languages."""

from __future__ import annotations

from typing import Final

FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""The hub's word for each `stop_reason`; an unknown one is `stop`, as the contract has it."""

STOP: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def finish_of(stop_reason: object, *, has_calls: bool) -> str:
    """Return the hub's finish reason: an answer ends with `tool_calls` if it has some."""
    finish = FINISH.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"
    if finish in ("stop", "tool_calls"):
        return "tool_calls" if has_calls else "stop"
    return finish


def stop_reason_of(finish: object, native: object, *, has_calls: bool, has_refusal: bool) -> str:
    """Return the format's reason; where the provider spoke this language, its own word.

    OpenAI's models refuse with words of their own and `stop`.
    """
    if isinstance(native, str) and native in FINISH:
        return native
    if has_refusal and not has_calls:
        return "refusal"
    if isinstance(finish, str) and finish != "stop":
        return STOP.get(finish, "end_turn")
    return "tool_use" if has_calls else "end_turn"
