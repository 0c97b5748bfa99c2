"""Counts of tokens where the provider cannot count: an estimate that says so."""

from __future__ import annotations

import orjson

from llmgateway.codecs.messages import estimate
from llmgateway.engine.doors import COUNTING_DOORS
from llmgateway.engine.outcome import Outcome
from llmgateway.engine.plan import Target
from llmgateway.engine.translate import context_of
from llmgateway.engine.world import World
from llmgateway.types.call import Call


def estimated(call: Call, target: Target, world: World) -> Outcome | None:
    """Return an estimate as the call's outcome; None if the call asks for no count.

    Raises `InvalidRequest` for a body that cannot be read.
    """
    door = COUNTING_DOORS.get(call.endpoint)
    if door is None or call.body is None:
        return None
    decoded = door.decode_request(call.body, call.params, call.headers)
    context = context_of(call, target, decoded.body, call.body, world)
    answer = door.encode_response({"input_tokens": estimate(decoded.body)}, context)
    head = ((b"content-type", b"application/json"),)
    return Outcome(200, head, orjson.dumps(answer), is_estimate=True)
