"""An index of the failed requests alone, for the admin's filter: they are few among millions.

It is no index of the model's, since databases that have no partial ones would be warned of.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, models, router

_INDEX = models.Index(
    fields=["workspace", "id"],
    condition=models.Q(status__gte=400),
    name="llmgateway_log_failed",
)


def _add(apps: Any, schema_editor: Any) -> None:
    if model := _model_here(apps, schema_editor.connection):
        schema_editor.add_index(model, _INDEX)


def _remove(apps: Any, schema_editor: Any) -> None:
    if model := _model_here(apps, schema_editor.connection):
        schema_editor.remove_index(model, _INDEX)


def _model_here(apps: Any, connection: Any) -> Any:
    model = apps.get_model("llmgateway", "RequestLog")
    is_here = router.allow_migrate_model(connection.alias, model)
    return model if is_here and connection.features.supports_partial_indexes else None


class Migration(migrations.Migration):
    """Adds it where the database can have it."""

    dependencies = [("llmgateway", "0001_initial")]

    operations = [migrations.RunPython(_add, _remove)]
