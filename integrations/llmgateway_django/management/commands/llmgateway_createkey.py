"""`manage.py llmgateway_createkey NAME`: makes an API key and shows it once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from llmgateway_django.keys import create_key
from llmgateway_django.models import Workspace

_DEFAULT = "default"


class Command(BaseCommand):
    """Standard output has the key and nothing else, so that a script can take it."""

    help = "Make an API key of the gateway and print it. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Say what can be said of a key."""
        parser.add_argument("name", help="What the key is for; shown in the admin.")
        parser.add_argument(
            "--workspace",
            metavar="SLUG",
            default=_DEFAULT,
            help="The workspace that it belongs to (default: %(default)s, made if it is missing).",
        )
        parser.add_argument(
            "--create-workspace", action="store_true", help="Make that workspace if it is missing."
        )
        parser.add_argument(
            "--owner",
            metavar="USERNAME",
            help="The key works while this user is active; without it, it is a service's.",
        )
        parser.add_argument("--days", type=int, metavar="N", help="It expires after so many.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make it."""
        days = options["days"]
        if days is not None and days <= 0:
            raise CommandError("--days must be 1 or more.")
        owner = _user(options["owner"])
        slug = options["workspace"]
        workspace = _workspace(slug, make=options["create_workspace"] or slug == _DEFAULT)
        made = create_key(
            workspace,
            options["name"],
            owner=owner,
            expires_at=None if days is None else timezone.now() + timedelta(days=days),
        )
        self.stderr.write(f"API key {options['name']!r} in workspace {slug!r}, shown this once:")
        self.stdout.write(made.secret)


def _user(name: str | None) -> Any:
    if name is None:
        return None
    try:
        return get_user_model()._default_manager.get_by_natural_key(name)
    except ObjectDoesNotExist:
        raise CommandError(f"There is no user {name!r}.") from None


def _workspace(slug: str, *, make: bool) -> Workspace:
    found: Workspace | None = Workspace.objects.filter(slug=slug).first()
    if found is None and make:
        found = Workspace(slug=slug, name=slug)
        try:
            found.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        found.save()
    if found is None:
        known = ", ".join(Workspace.objects.values_list("slug", flat=True)[:20]) or "none yet"
        raise CommandError(
            f"There is no workspace {slug!r} (there is: {known}); --create-workspace makes it."
        )
    return found
