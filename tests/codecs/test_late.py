"""What is loaded at its first use is what its place names, and says of itself what it will be."""

from __future__ import annotations

import pytest

from llmgateway.codecs.late import LateCodec, LateDoor
from llmgateway.engine.doors import DOORS, HUB_CODECS
from llmgateway.providers import builtin

LATE_DOORS = {name: door for name, door in DOORS.items() if isinstance(door, LateDoor)}
CODECS = {
    *HUB_CODECS.values(),
    *(endpoint.codec for row in builtin().values() for endpoint in row.endpoints.values()),
}
LATE_CODECS = {codec.place: codec for codec in CODECS if isinstance(codec, LateCodec)}


@pytest.mark.parametrize("name", LATE_DOORS)
def test_a_late_door_says_of_itself_what_the_door_says(name: str) -> None:
    door = LATE_DOORS[name]

    assert (door.loaded.format, door.loaded.hub, door.loaded.marks) == (
        door.format,
        door.hub,
        door.marks,
    )


@pytest.mark.parametrize("place", sorted(LATE_CODECS))
def test_a_late_codec_is_at_its_place(place: str) -> None:
    codec = LATE_CODECS[place].loaded

    assert callable(codec.encode_request)
    assert codec is LateCodec(place).loaded
