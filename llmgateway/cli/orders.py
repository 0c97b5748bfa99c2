"""What the command line asks of `serve`. Loads nothing: every command reads its arguments first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOG_LEVELS", "Orders"]

LOG_LEVELS = ("critical", "error", "warning", "info", "debug")


@dataclass(frozen=True, slots=True)
class Orders:
    """What the command line says; None: nothing."""

    host: str | None = None
    port: int | None = None
    config: Path | None = None
    demo: bool = False
    log_level: str = "info"
