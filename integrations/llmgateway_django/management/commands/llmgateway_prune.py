"""`manage.py llmgateway_prune`: deletes old rows of the request log, and older bodies."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import router

from llmgateway_django.conf import MAX_DAYS, conf_of_project
from llmgateway_django.models import RequestBody, RequestLog


class Command(BaseCommand):
    """Deletes from the oldest on, a batch a transaction, so that no lock is held for long."""

    help = (
        "Delete what is older than so many days from the request log. "
        "Without --days and --bodies-days the settings LOG_DAYS and LOG_BODIES_DAYS count."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Say what may go, and how fast."""
        parser.add_argument(
            "--days", type=int, metavar="N", help="Keep rows, and their bodies, so many days."
        )
        parser.add_argument(
            "--bodies-days", type=int, metavar="N", help="Keep bodies of requests so many days."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Only tell how many rows would go."
        )
        parser.add_argument(
            "--batch",
            type=int,
            default=1000,
            metavar="ROWS",
            help="Rows that are deleted at once (default: %(default)s).",
        )
        parser.add_argument(
            "--pause-ms",
            type=int,
            default=50,
            metavar="MS",
            help="What others have the database for, between batches (default: %(default)s).",
        )
        parser.add_argument(
            "--max-seconds",
            type=float,
            metavar="S",
            help="Stop after the batch in which these are over; the next run goes on.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete them."""
        days, bodies_days = _days(options)
        if options["batch"] < 1 or options["pause_ms"] < 0:
            raise CommandError("--pause-ms must be 0 or more, --batch 1 or more.")
        started = time.monotonic()
        # Bodies first: none outlives its row.
        for model, kept, name in (
            (RequestBody, bodies_days, "bodies"),
            (RequestLog, days, "rows"),
        ):
            if kept is None:
                continue
            old = _older_than(model, kept)
            if options["dry_run"]:
                self.stdout.write(f"{old.count()} {name} would be deleted.")
                continue
            deleted, finished = _delete(old, options, started)
            ending = "." if finished else "; there are more."
            self.stdout.write(f"{deleted} {name} were deleted{ending}")


def _days(options: Any) -> tuple[int | None, int | None]:
    """Return how many days rows stay, and how many bodies; None: for ever."""
    days, bodies_days = options["days"], options["bodies_days"]
    if days is bodies_days is None:
        conf = conf_of_project()
        days, bodies_days = conf.log_days, conf.log_bodies_days
    if days is bodies_days is None:
        raise CommandError("Say --days or --bodies-days, or set LOG_DAYS in LLMGATEWAY.")
    given = [number for number in (days, bodies_days) if number is not None]
    if not all(0 <= number <= MAX_DAYS for number in given):
        raise CommandError(f"--days and --bodies-days must be between 0 and {MAX_DAYS}.")
    return days, min(given)


def _older_than(model: Any, days: int) -> Any:
    """Return the rows of a table whose ids begin with a time so long ago."""
    # Where the log is written: a replica may lag.
    rows = model.objects.using(router.db_for_write(RequestLog))
    return rows.filter(id__lt=_first_id(datetime.now(UTC) - timedelta(days=days)))


def _delete(old: Any, options: Any, started: float) -> tuple[int, bool]:
    ids = old.order_by("id").values_list("id", flat=True)
    deleted, batch = 0, options["batch"]
    while True:
        last = ids[batch - 1 : batch].first()
        some = old if last is None else old.filter(id__lte=last)
        deleted += some.delete()[0]
        if last is None:
            return deleted, True
        limit = options["max_seconds"]
        if limit is not None and time.monotonic() - started >= limit:
            return deleted, False
        time.sleep(options["pause_ms"] / 1000)


def _first_id(moment: datetime) -> uuid.UUID:
    """Return what all ids of that moment or later are at or above; ids begin with the time."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
