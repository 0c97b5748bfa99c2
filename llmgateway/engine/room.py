"""The room of guardrails, which loads with the first call that has any: most gateways have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgateway.engine.world import World
from llmgateway.late import import_late
from llmgateway.settings import Settings

if TYPE_CHECKING:
    from llmgateway.engine.asking import GuardRoom, PlanOfModel


def load() -> type[GuardRoom]:
    """Import all that guards calls, which takes a moment the first time."""
    room: type[GuardRoom] = import_late("llmgateway.engine.asking").GuardRoom
    return room


class LateRoom:
    """Makes the process's one `GuardRoom` when it is first asked for; safe from any thread."""

    def __init__(self, settings: Settings, world: World, plan_of_model: PlanOfModel) -> None:
        self._stated = (settings, world, plan_of_model)
        self._rooms: list[GuardRoom] = []
        """The first one counts. No lock: below gevent, and after a fork, it might never be free."""

    def __call__(self) -> GuardRoom:
        """Return the room."""
        if not self._rooms:
            self._rooms.append(load()(*self._stated))
        return self._rooms[0]
