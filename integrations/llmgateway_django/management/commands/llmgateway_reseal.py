"""`manage.py llmgateway_reseal`: seals the secrets of all integrations with the current key."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from llmgateway_django.vault import reseal


class Command(BaseCommand):
    """Run it after a key was put in front of `KEY_RING`; then the keys after it can go."""

    help = "Seal the secrets of all integrations with the first key of LLMGATEWAY['KEY_RING']."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say whether anything is written."""
        parser.add_argument(
            "--dry-run", action="store_true", help="Only tell what would be sealed anew."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal them, and name those that cannot be opened. Those fail the command."""
        dry_run = options["dry_run"]
        new = current = unreadable = 0
        for sealed in reseal(dry_run=dry_run):
            if sealed.error is not None:
                unreadable += 1
                row = sealed.integration
                self.stderr.write(f"{row} [{row.pk}] cannot be read: {sealed.error}")
            elif sealed.is_new:
                new += 1
            else:
                current += 1
        verb = "would be sealed anew" if dry_run else "were sealed anew"
        self.stdout.write(f"{new} {verb}, {current} had the current key already.")
        if unreadable:
            raise CommandError(
                f"{unreadable} cannot be read: put the key that sealed them back into KEY_RING, or "
                "enter their secrets anew."
            )
