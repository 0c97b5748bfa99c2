"""Workspaces, with their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from llmgateway_django import audit
from llmgateway_django.admin.demands import check_lists
from llmgateway_django.admin.fields import DemandsField
from llmgateway_django.admin.scope import Role, ScopedAdmin
from llmgateway_django.models import Membership, Workspace

__all__ = ["WorkspaceAdmin"]


class _NameField(forms.CharField):
    """Something that is named exactly, so that nobody sees a list of what else there is."""

    def __init__(self, find: Callable[[str], Any], **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self._find = find

    def to_python(self, value: Any) -> Any:
        """Return what is called so."""
        name = super().to_python(value)
        return self._find(name) if name else None


def _user_named(name: str) -> Any:
    """Return the active user with this name or e-mail address.

    Raises `ValidationError` also where there are two: an address that one user has chosen as a name
    must not stand for another who owns it.
    """
    users = get_user_model()
    fields = [users.USERNAME_FIELD]
    try:
        fields.append(users._meta.get_field(users.get_email_field_name()).name)
    except FieldDoesNotExist:  # a user model of the project's own may have none
        pass
    is_so = Q(*((field, name) for field in fields), _connector=Q.OR)
    # Compared once more: some databases take `a` for `A`, or for `ä`.
    found = [
        user
        for user in users._default_manager.filter(is_so)
        if user.is_active and name in {str(getattr(user, field)) for field in fields}
    ]
    if len(found) != 1:
        raise ValidationError(_("There is not one active user of exactly this name or address."))
    return found[0]


def _group_named(name: str) -> Any:
    for group in Group.objects.filter(name=name):
        if group.name == name:
            return group
    raise ValidationError(_("There is no group of exactly this name."))


class _MemberForm(forms.ModelForm):
    user = _NameField(_user_named, label=_("User"), help_text=_("The exact name or address."))
    group = _NameField(_group_named, label=_("Group"), help_text=_("For superusers to name."))
    names_groups = False
    """Whether the user may: whoever is in a group is shown to managers of its workspaces."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["group"].disabled = not self.names_groups
        if self.instance._state.adding:
            return
        for name in ("user", "group"):  # for another one there is another row
            label = self.fields[name].label
            self.fields[name] = forms.CharField(label=label, disabled=True, required=False)
            self.initial[name] = str(getattr(self.instance, name) or "")

    def clean_user(self) -> Any:
        """Return the user, of a row that is there as it is."""
        return self._named("user")

    def clean_group(self) -> Any:
        """Return the group, of a row that is there as it is."""
        return self._named("group")

    def _named(self, name: str) -> Any:
        is_new = self.instance._state.adding
        return self.cleaned_data[name] if is_new else getattr(self.instance, name)


class _Members(admin.TabularInline):
    """Users and groups, by their exact names."""

    model = Membership
    form = _MemberForm
    fields = ("user", "group", "role")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return them with their names."""
        return super().get_queryset(request).select_related("user", "group")

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the forms, as strict as the user is not a superuser."""
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.form.names_groups = request.user.is_superuser
        return formset

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let whoever sees a workspace see its members."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let whoever may change a workspace change its members."""
        return self._may_change(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let whoever may change a workspace change its members."""
        return self._may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let whoever may change a workspace change its members."""
        return self._may_change(request, obj)

    def _may_change(self, request: HttpRequest, obj: Any) -> bool:
        workspaces = self.admin_site.get_model_admin(Workspace)
        if obj is None:
            return bool(workspaces.has_add_permission(request))
        return bool(workspaces.has_change_permission(request, obj))


class _WorkspaceForm(forms.ModelForm):
    def clean(self) -> Any:
        """Check the guardrails that it demands."""
        data: Any = super().clean()
        check_lists(self, None if self.instance._state.adding else self.instance)
        return data


@admin.register(Workspace)
class WorkspaceAdmin(ScopedAdmin):
    """Only superusers make workspaces; their admins edit them."""

    form = _WorkspaceForm
    fixed_fields = ()
    roles = (Role.ADMIN,)
    list_display = ("name", "slug", "created_at")
    search_fields = ("name", "slug")
    readonly_fields = ("created_at",)
    inlines = (_Members,)

    def of_workspaces(self, queryset: Any, workspaces: Any) -> Any:
        """Return those of `queryset` that are among these workspaces."""
        return queryset.filter(pk__in=workspaces)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Show lists of guardrails as people read them."""
        if db_field.name in ("input_guardrails", "output_guardrails"):
            return db_field.formfield(form_class=DemandsField, show_hidden_initial=False)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may make one."""
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may end one, and all its keys with it."""
        return bool(request.user.is_superuser)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save members, and tell the audit."""
        saved = formset.save(commit=False)
        for member in formset.deleted_objects:
            audit.delete(request.user, member)
        for member in saved:
            audit.save(request.user, member)
