"""System checks: what can be told of a project before it serves. Each has an id and a hint.

What only a running server knows, such as its threads, is in the log of its first request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, Warning, register
from django.db import connections, router

from llmgateway_django.conf import conf_of_project
from llmgateway_django.guardrail_checks import faults_of_saved, faults_of_settings
from llmgateway_django.seals import is_readable

__all__ = ["register_checks"]

_TOUCHING = {
    "django.middleware.gzip.GZipMiddleware": "compresses",
    "django.middleware.http.ConditionalGetMiddleware": "takes a digest of",
}
"""Django's middleware that works on whole answers, and what it does to them."""


def register_checks() -> None:
    """Have `check` and `check --deploy` ask us, too."""
    register(check_connections, "llmgateway")
    register(check_key_ring, "llmgateway")
    register(check_seals, "llmgateway", Tags.database)
    register(check_guardrails, "llmgateway")
    register(check_saved_guardrails, "llmgateway", Tags.database)
    register(check_deployment, "llmgateway", deploy=True)


def check_connections(**_: Any) -> list[CheckMessage]:
    """Tell of database connections that outlive what they were opened for."""
    if not getattr(settings, "ASGI_APPLICATION", None):
        return []
    return [
        Warning(
            f"DATABASES['{alias}'] keeps connections (CONN_MAX_AGE) in a project that has an "
            "ASGI_APPLICATION: each thread that a request ran in holds one.",
            hint="Set CONN_MAX_AGE to 0, or use a pool of the database backend's.",
            id="llmgateway.W001",
        )
        for alias, database in settings.DATABASES.items()
        if database.get("CONN_MAX_AGE", 0) != 0
    ]


_NO_RING = (
    "LLMGATEWAY has no KEY_RING: what seals provider credentials and keys the digests of API keys "
    "is derived from SECRET_KEY."
)
_MAKE_RING = (
    "Put a key of 32 random bytes there, best from the environment: "
    "python -c 'import secrets; print(secrets.token_urlsafe(32))'; then run llmgateway_reseal."
)


def check_key_ring(**_: Any) -> list[CheckMessage]:
    """Tell of a project whose secrets hang on `SECRET_KEY`."""
    if conf_of_project().key_ring:
        return []
    return [Warning(_NO_RING, hint=_MAKE_RING, id="llmgateway.W003")]


def check_seals(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Name the integrations that cannot be opened, where a database may be asked."""
    integrations = apps.get_model("llmgateway", "Integration")
    using = router.db_for_write(integrations)
    if using not in (databases or ()) or not _has_table(using, integrations._meta.db_table):
        return []
    rows = integrations.objects.using(using).exclude(sealed="")
    names = [str(row) for row in rows if not is_readable(row)]
    if not names:
        return []
    shown = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    return [
        Warning(
            f"The secrets of {len(names)} integrations cannot be opened: {shown}.",
            hint="Put the key that sealed them back into KEY_RING, or enter the secrets anew.",
            id="llmgateway.W004",
        )
    ]


_MOST_NAMES = 20


def check_guardrails(**_: Any) -> list[CheckMessage]:
    """Tell of guardrails in the settings that cannot run."""
    return [
        Error(
            f"LLMGATEWAY: {fault}",
            hint="Calls that this guardrail is demanded of are refused.",
            id="llmgateway.E005",
        )
        for fault in faults_of_settings(conf_of_project().settings)
    ]


def check_saved_guardrails(databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Tell of saved guardrails that cannot run, where a database may be asked."""
    for model in map(_model, ("Guardrail", "GuardrailVersion", "Workspace", "APIKey")):
        using = router.db_for_read(model)
        if using not in (databases or ()) or not _has_table(using, model._meta.db_table):
            return []
    faults = list(faults_of_saved(conf_of_project().settings))
    if not faults:
        return []
    shown = "; ".join(faults[:_MOST_NAMES]) + ("; …" if len(faults) > _MOST_NAMES else "")
    return [
        Warning(
            f"Saved guardrails cannot run: {shown}.",
            hint="Install the app or package that has the check, or save the guardrail anew.",
            id="llmgateway.W005",
        )
    ]


def _model(name: str) -> Any:
    return apps.get_model("llmgateway", name)


def _has_table(using: str, name: str) -> bool:
    """Tell whether a table is there: `migrate` asks us before it makes any."""
    connection = connections[using]
    with connection.cursor() as cursor:
        return name in connection.introspection.table_names(cursor)


def check_deployment(**_: Any) -> list[CheckMessage]:
    """Tell what is for tests and one's own machine only."""
    return [*_of_settings(), *_of_project()]


def _of_settings() -> Iterator[CheckMessage]:
    conf = conf_of_project()
    if conf.runtime == "inline":
        yield Error(
            "LLMGATEWAY['RUNTIME'] is 'inline': each stream is collected whole before it is sent.",
            hint="It is for tests; leave RUNTIME out.",
            id="llmgateway.E001",
        )
    if conf.settings.access == "local":
        yield Error(
            "LLMGATEWAY['ACCESS'] is 'local': whoever reaches the server calls providers with the "
            "stored credentials.",
            hint="Set it to 'keys', and make a key for each client.",
            id="llmgateway.E002",
        )
    if not conf.key_ring:
        yield Error(_NO_RING, hint=_MAKE_RING, id="llmgateway.E003")
    if conf.settings.log_bodies and conf.log_days is conf.log_bodies_days is None:
        yield Error(
            "LLMGATEWAY['LOG_BODIES'] keeps prompts and answers, and nothing says for how long.",
            hint="Set LOG_BODIES_DAYS, or LOG_DAYS for whole rows, and run llmgateway_prune daily.",
            id="llmgateway.E004",
        )


def _of_project() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield Warning(
            "DEBUG is on: Django remembers the last queries of each of the gateway's threads, "
            "digests of keys and names of users among them.",
            hint="Set DEBUG = False.",
            id="llmgateway.W002",
        )
    if getattr(settings, "ASGI_APPLICATION", None):
        yield Info(
            "Django's ASGI handler takes a request's body whole, of any length, before the "
            "gateway's view can refuse it.",
            hint="Mount the gateway in front: llmgateway_django.asgi.mount(…), or have the web "
            "server in front of Django limit bodies.",
            id="llmgateway.I001",
        )
    for path in filter(_TOUCHING.get, settings.MIDDLEWARE):
        yield Info(
            f"{path} {_TOUCHING[path]} the gateway's whole answers; streams it leaves alone.",
            hint="Mount the gateway in front, where no middleware runs, if that costs too much.",
            id="llmgateway.I002",
        )
