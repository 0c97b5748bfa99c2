"""Integrations, whose forms their providers say, and the virtual keys that name them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from llmgateway_django.admin.fields import LinesField, as_json, pre
from llmgateway_django.admin.provider_form import fields_of, form_of, stored_of
from llmgateway_django.admin.scope import KEEPERS, ScopedAdmin, workspaces_of
from llmgateway_django.models import Integration, VirtualKey
from llmgateway_django.origins import providers
from llmgateway_django.vault import save_integration

__all__ = ["IntegrationAdmin", "VirtualKeyAdmin"]


@admin.register(Integration)
class IntegrationAdmin(ScopedAdmin):
    """One without a workspace is for all of them, and only superusers see it here."""

    list_display = ("name", "provider", "workspace", "is_active", "has_secrets", "updated_at")
    list_select_related = ("workspace",)
    search_fields = ("name", "provider")
    fixed_fields = ("workspace", "provider")
    may_be_shared = True

    @admin.display(description=_("secrets"), boolean=True)
    def has_secrets(self, integration: Integration) -> bool:
        """Tell whether any are stored."""
        return bool(integration.sealed)

    @admin.display(description=_("stored secrets"))
    def stored(self, integration: Integration) -> str:
        """Tell what the stored secrets are called."""
        return str(stored_of(integration))

    @admin.display(description=_("options"))
    def shown_options(self, integration: Integration) -> str:
        """Return the options as text, for those who may only look."""
        return pre(as_json(integration.options))

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the form of the integration's provider."""
        if "form" not in kwargs:
            kwargs["form"] = form_of(_provider_of(request, obj), stored_of(obj))
        return super().get_form(request, obj, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the provider's options and secrets, each as a field."""
        account = ["workspace", "provider", "name", "is_active"]
        if obj is not None and not self.has_change_permission(request, obj):
            looked_at = ["base_url", "shown_options", "stored", "created_at", "updated_at"]
            return [(None, {"fields": [*account, *looked_at]})]
        options, secrets = fields_of(form_of(_provider_of(request, obj), stored_of(obj)))
        times = [] if obj is None else ["stored", "created_at", "updated_at"]
        where = {
            "fields": ["base_url", *options],
            "description": _(
                "Another host, by the address or by an option, drops the stored secrets: "
                "enter them anew with it."
            ),
        }
        return [
            (None, {"fields": account}),
            (_("Where and how"), where),
            (_("Secrets"), {"fields": [*secrets, *times]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what is only shown. The provider is chosen before the form is there."""
        shown = super().get_readonly_fields(request, obj)
        return [*shown, "provider", "shown_options", "stored", "created_at", "updated_at"]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Ask for the provider first: what else there is to say depends on it."""
        if not self.has_add_permission(request) or _provider_of(request, None) in providers():
            return super().add_view(request, form_url, extra_context)
        carried = [item for item in request.GET.items() if item[0] != "provider"]
        return self.page(
            request,
            "choose.html",
            title=_("Choose the provider"),
            providers=sorted(providers()),
            carried=carried,
        )

    # What was entered stays out of reports of errors, too.
    @method_decorator(sensitive_post_parameters())
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form, or take it."""
        answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return answer

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it with its secrets, and say which of them are gone."""
        stored = Integration.objects.filter(pk=obj.pk).first() if change else None
        before = stored_of(stored)
        save_integration(obj, form.entered, by=request.user)
        left = {*stored_of(obj).names, *form.entered}
        gone = [name for name in before.names if name not in left]
        if gone or not before.is_readable and not obj.sealed:
            messages.warning(
                request,
                _("It leads to another host now, so these secrets are gone; enter them anew: %s")
                % (", ".join(gone) or _("all")),
            )


@admin.register(VirtualKey)
class VirtualKeyAdmin(ScopedAdmin):
    """A workspace's names for its own integrations and for shared ones."""

    list_display = ("slug", "workspace", "integration", "created_at")
    list_select_related = ("workspace", "integration")
    search_fields = ("slug",)
    fields = ("workspace", "slug", "integration", "allowed_models")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Show models as lines."""
        if db_field.name == "allowed_models":
            return db_field.formfield(form_class=LinesField, show_hidden_initial=False)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer integrations of the user's own workspaces, and shared ones."""
        if db_field.name == "integration":
            kept = workspaces_of(request.user, KEEPERS)
            is_offered = Q(workspace__in=kept) | Q(workspace=None)
            kwargs["queryset"] = Integration.objects.filter(is_offered)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _provider_of(request: HttpRequest, obj: Any) -> str:
    if obj is not None:
        return str(obj.provider)
    return str(request.GET.get("provider", ""))
