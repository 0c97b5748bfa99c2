"""The room of guardrails, which loads with the first call that has any: most gateways have none."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from llmgateway.engine.world import World
from llmgateway.late import import_late
from llmgateway.settings import Settings

if TYPE_CHECKING:
    from llmgateway.engine.asking import GuardRoom, PlanOfModel
    from llmgateway.engine.vaults import Vaults


def load() -> type[GuardRoom]:
    """Import all that guards calls, which takes a moment the first time."""
    room: type[GuardRoom] = import_late("llmgateway.engine.asking").GuardRoom
    return room


class LateRoom:
    """Makes the process's one `GuardRoom` when it is first asked for; safe from any thread."""

    def __init__(self, settings: Settings, world: World, plan_of_model: PlanOfModel) -> None:
        self._stated = (settings, world, plan_of_model)
        self._lock = threading.Lock()
        self._room: GuardRoom | None = None

    def __call__(self) -> GuardRoom:
        """Return the room."""
        return self._room or self._made()

    def _made(self) -> GuardRoom:
        guard_room = load()
        with self._lock:
            if self._room is None:
                self._room = guard_room(*self._stated)
            return self._room

    def vaults(self) -> Vaults:
        """Return vaults for a call, with nothing in them yet."""
        return self().vaults()
