"""Keeps the secrets of integrations: sets, drops and seals them anew, and tells the audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from llmgateway.engine.client_keys import KEY_PREFIX
from llmgateway.stores.sealing import SealError
from llmgateway_django import audit
from llmgateway_django.models import Integration
from llmgateway_django.origins import API_KEY, secret_names
from llmgateway_django.seals import is_current, sealed_for, secrets_of

__all__ = [
    "MAX_SECRET_CHARS",
    "Sealed",
    "check_secrets",
    "reseal",
    "save_integration",
    "secrets_of",
    "set_secrets",
]

MAX_SECRET_CHARS = 20_000
_BATCH = 200


@sensitive_variables()
def set_secrets(
    integration: Integration, secrets: Mapping[str, str | None], *, by: Any = None
) -> None:
    """Seal these secrets of a saved integration; None or an empty text takes one away.

    Those that are not named stay, unless they cannot be opened any more. `by` is the user.
    Raises `ValidationError` with the names of those that the provider does not have.
    """
    using = router.db_for_write(Integration, instance=integration)
    with transaction.atomic(using=using):
        stored = Integration.objects.using(using).select_for_update().get(pk=integration.pk)
        given = check_secrets(stored.provider, secrets)
        try:
            before = secrets_of(stored)
        except SealError:
            before = {}
        after = {name: text for name, text in {**before, **given}.items() if text}
        stored.sealed = sealed_for(stored, after)
        stored.save(using=using, update_fields=["sealed", "updated_at"])
        audit.record(by, "secrets_set", stored, secrets=given)
    integration.sealed = stored.sealed
    integration.updated_at = stored.updated_at


@sensitive_variables()
def save_integration(
    integration: Integration, secrets: Mapping[str, str | None] | None = None, *, by: Any = None
) -> None:
    """Save a new or changed integration with what was entered of secrets, and tell the audit.

    Where it leads somewhere else now, the secrets that are not entered anew are gone.
    Raises `ValidationError` as `set_secrets`.
    """
    using = router.db_for_write(Integration, instance=integration)
    with transaction.atomic(using=using):
        before = Integration.objects.using(using).filter(pk=integration.pk).first()
        audit.save(by, integration)
        if before is not None and before.sealed and not integration.sealed:
            audit.record(by, "secrets_dropped", integration, secrets=_names(before))
        if secrets:
            set_secrets(integration, secrets, by=by)


@sensitive_variables()
def check_secrets(provider: str, secrets: Mapping[str, str | None]) -> dict[str, str]:
    """Return what was entered without white space around it, if a provider may have it.

    Raises `ValidationError` with the names of what it does not have or no secret can be.
    """
    known = secret_names(provider)
    given = {name: (text or "").strip() for name, text in secrets.items()}
    faults = []
    for name, text in given.items():
        if name not in known:
            said = {"provider": provider, "name": name[:64]}
            faults.append(_("%(provider)s has no secret %(name)s.") % said)
        elif len(text) > MAX_SECRET_CHARS or "\x00" in text or not _is_text(text):
            faults.append(_("%(name)s is too long, or no text.") % {"name": name})
        elif name == API_KEY and not text.isprintable():
            faults.append(_("%(name)s must be one line.") % {"name": name})
        elif text.startswith(KEY_PREFIX):
            faults.append(
                _("%(name)s is a key of this gateway; enter the provider's own.") % {"name": name}
            )
    if faults:
        raise ValidationError(faults)
    return given


@dataclass(frozen=True, slots=True)
class Sealed:
    """What came of sealing one integration anew."""

    integration: Integration
    is_new: bool = False
    """False: the current key had sealed it already."""
    error: SealError | None = None
    """Why it could not be opened."""


def reseal(*, dry_run: bool = False) -> Iterator[Sealed]:
    """Seal what other keys of the ring have sealed with the current one, and yield each row.

    Row by row and without a lock: what somebody changes meanwhile stays as they leave it, and is
    looked at once more.
    """
    for integration in _rows():
        sealed = _resealed(integration, dry_run=dry_run)
        if sealed is not None:
            yield sealed


def _resealed(integration: Integration, *, dry_run: bool) -> Sealed | None:
    now: Integration | None = integration
    while now is not None:
        try:
            secrets = secrets_of(now)
        except SealError as error:
            return Sealed(now, error=error)
        if is_current(now):
            return Sealed(now)
        same = _stored().filter(pk=now.pk, sealed=now.sealed)
        if dry_run or same.update(sealed=sealed_for(now, secrets)):
            return Sealed(now, is_new=True)
        now = _stored().filter(pk=now.pk).first()
    return None  # its secrets were dropped meanwhile


def _stored() -> Any:
    """Return those that have secrets, in the database that is written: a replica may lag."""
    return Integration.objects.using(router.db_for_write(Integration)).exclude(sealed="")


def _rows() -> Iterator[Integration]:
    rows = _stored().order_by("pk")
    batch = list(rows[:_BATCH])
    while batch:
        yield from batch
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:_BATCH])


def _names(integration: Integration) -> list[str]:
    try:
        return list(secrets_of(integration))
    except SealError:
        return []


def _is_text(value: str) -> bool:
    return value == value.encode("utf-8", "replace").decode()
