"""Who sees what: a superuser everything, anybody else what is of their workspaces.

Django's own permissions are asked as well; they say which pages there are for a user at all.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse

from llmgateway_django import audit
from llmgateway_django.members import workspaces_of
from llmgateway_django.models import Membership

__all__ = ["KEEPERS", "ScopedAdmin", "ScopedForm", "workspaces_of"]

Role: Any = Membership.Role

KEEPERS = (Role.ADMIN, Role.MANAGER)
"""The roles that may change what is in a workspace; every member may look."""


class ScopedForm(forms.ModelForm):
    """A form of what belongs to a workspace."""

    @property
    def workspace(self) -> Any:
        """The row's workspace, as far as one is known; it is chosen once and for all."""
        if self.instance._state.adding:
            return self.cleaned_data.get("workspace")
        return self.instance.workspace

    def validate_unique(self) -> None:
        """Check constraints with the workspace as well, which a form of a row does not show."""
        super().validate_unique()
        if self.instance._state.adding:
            return
        try:
            self.instance.validate_constraints()
        except ValidationError as error:
            self.add_error(None, error)


class ScopedAdmin(admin.ModelAdmin):
    """Pages that are limited to the user's workspaces. What is of another one is not there."""

    form = ScopedForm
    roles: Collection[str] = KEEPERS
    """Who may change things here."""
    fixed_fields: tuple[str, ...] = ("workspace",)
    """What is said once, when a row is made."""
    may_be_shared = False
    """Whether superusers, and they alone, may make one without a workspace, for all of them."""

    def of_workspaces(self, queryset: Any, workspaces: Any) -> Any:
        """Return those of `queryset` that belong to these workspaces."""
        return queryset.filter(workspace__in=workspaces)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return what the user may see."""
        queryset = super().get_queryset(request)
        if request.user.is_superuser:
            return queryset
        return self.of_workspaces(queryset, workspaces_of(request.user))

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Filter by what a page offers, and nothing else that an address may ask.

        Else the list would be an oracle for what no page shows, such as what is sealed.
        """
        names = (getattr(one, "parameter_name", one) for one in self.list_filter)
        return lookup in names

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Model:
        """Return an object, or raise `Http404`: a redirect would tell nothing more."""
        found: Model | None = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what the form only shows."""
        shown = super().get_readonly_fields(request, obj)
        return shown if obj is None else (*self.fixed_fields, *shown)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the workspaces in which the user may make something."""
        if db_field.name == "workspace":
            kwargs["queryset"] = workspaces_of(request.user, self.roles)
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "workspace" and self.may_be_shared:
            field.required = not request.user.is_superuser
        return field

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user has a workspace to add to, or needs none."""
        if not super().has_add_permission(request):
            return False
        if self.may_be_shared and request.user.is_superuser:
            return True
        return bool(workspaces_of(request.user, self.roles).exists())

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Tell whether the user's role in the object's workspace is enough."""
        return bool(super().has_change_permission(request, obj)) and self._keeps(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Tell whether the user's role in the object's workspace is enough."""
        return bool(super().has_delete_permission(request, obj)) and self._keeps(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it, and tell the audit."""
        audit.save(request.user, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete it, and tell the audit."""
        audit.delete(request.user, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete each, and tell the audit."""
        with transaction.atomic():
            for obj in queryset:
                audit.delete(request.user, obj)

    def page(
        self, request: HttpRequest, template: str, obj: Any = None, **context: Any
    ) -> TemplateResponse:
        """Return a page of ours, below the folder of the model's templates."""
        site = self.admin_site.each_context(request)
        given = {**site, "opts": self.opts, "original": obj, **context}
        folder = f"admin/{self.opts.app_label}/{self.opts.model_name}"
        return TemplateResponse(request, f"{folder}/{template}", given)

    def _keeps(self, request: HttpRequest, obj: Model | None) -> bool:
        if obj is None or request.user.is_superuser:
            return True
        kept = workspaces_of(request.user, self.roles)
        this = type(obj)._base_manager.filter(pk=obj.pk)
        return bool(self.of_workspaces(this, kept).exists())
