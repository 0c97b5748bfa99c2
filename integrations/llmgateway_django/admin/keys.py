"""API keys: made, rotated and revoked. A secret is in the answer that makes it, and nowhere else.

It never goes by messages, the session, the admin's log or a redirect: all of them are kept.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, path, reverse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _

from llmgateway.http.routes import PROXY_ROUTE, ROUTES
from llmgateway_django.admin.demands import check_lists
from llmgateway_django.admin.fields import AddressesField, DemandsField, LinesField, MetadataField
from llmgateway_django.admin.scope import KEEPERS, ScopedAdmin, ScopedForm, workspaces_of
from llmgateway_django.keys import NewKey, create_key, revoke_key, rotate_key
from llmgateway_django.models import APIKey, SavedConfig

__all__ = ["APIKeyAdmin"]


class _Rotation(forms.Form):
    hours = forms.IntegerField(
        label=_("Accept the old secret for so many hours longer"),
        initial=24,
        min_value=0,
        max_value=24 * 365,
    )


class _KeyForm(ScopedForm):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What the key may do; none ticked: all that calls need."),
    )
    any_owner = False
    """Whether the owner may be outside of the workspace: only superusers choose so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = {*_SCOPES, *self.instance.scopes}
        self.fields["scopes"].choices = [(name, name) for name in sorted(names)]
        # Not there where the key is only looked at.
        if "default_config" in self.fields and not self.instance._state.adding:
            configs = SavedConfig.objects.filter(workspace=self.instance.workspace_id)
            self.fields["default_config"].queryset = configs

    def clean(self) -> Any:
        """Refuse an owner or a config of another workspace that the user keeps as well."""
        data: Any = super().clean()
        workspace = self.workspace
        owner, config = data.get("owner"), data.get("default_config")
        if workspace is None:
            return data
        if owner is not None and not self.any_owner:
            if not _members([workspace]).filter(pk=owner.pk).exists():
                self.add_error("owner", _("Choose a member of the workspace."))
        if config is not None and config.workspace_id != workspace.pk:
            self.add_error("default_config", _("Choose a config of the workspace."))
        check_lists(self, workspace)
        return data


@admin.register(APIKey)
class APIKeyAdmin(ScopedAdmin):
    """Keys are not deleted by themselves, so that the log's names for them keep their meaning."""

    list_display = ("name", "workspace", "owner", "state", "created_at", "expires_at")
    list_select_related = ("workspace", "owner")
    search_fields = ("name",)
    fixed_fields = ("workspace", "owner")
    form = _KeyForm
    change_form_template = "admin/llmgateway/apikey/change_form.html"

    @admin.display(description=_("state"))
    def state(self, key: APIKey) -> Any:
        """Tell whether it is accepted, and why not."""
        if key.revoked_at is not None:
            return _("revoked")
        if key.expires_at is not None and key.expires_at <= timezone.now():
            return _("expired")
        return _("in force") if key.is_in_force() else _("owner not active")

    @admin.display(description=_("secrets"))
    def secrets(self, key: APIKey) -> str:
        """Tell their ends, by which a holder knows which one it is."""
        return ", ".join(map(str, key.secrets.all()))

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the form, as strict as the user is not a superuser."""
        form: Any = super().get_form(request, obj, **kwargs)
        form.any_owner = request.user.is_superuser
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what the form shows: the key, and what limits it."""
        key = ("workspace", "name", "owner", "expires_at")
        return [
            (None, {"fields": key if obj is None else (*key, *_SHOWN)}),
            (_("Limits"), {"fields": _POLICY}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what cannot be edited: a key stays in its workspace, and with its owner."""
        fixed = super().get_readonly_fields(request, obj)
        return fixed if obj is None else (*fixed, *_SHOWN)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Show lists as lines, and metadata as what it may be."""
        made = _FIELDS.get(db_field.name)
        if made is None:
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        return db_field.formfield(form_class=made, show_hidden_initial=False)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer what is of the user's own workspaces."""
        kept = workspaces_of(request.user, KEEPERS)
        if db_field.name == "owner" and not request.user.is_superuser:
            kwargs["queryset"] = _members(kept)
        elif db_field.name == "default_config":
            kwargs["queryset"] = SavedConfig.objects.filter(workspace__in=kept)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether the user may edit a key; a revoked one stays as it is."""
        revoked = obj is not None and obj.revoked_at is not None
        return not revoked and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Keys are revoked; only with their workspace or their owner do they go."""
        view = request.resolver_match and request.resolver_match.func
        is_here = getattr(view, "model_admin", self) is self
        return not is_here and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save it; a new one is made with a secret, which `response_add` shows."""
        if change:
            super().save_model(request, obj, form, change)
            return
        made = create_key(
            obj.workspace,
            obj.name,
            owner=obj.owner,
            expires_at=obj.expires_at,
            by=request.user,
            policy={name: getattr(obj, name) for name in _POLICY},
        )
        obj.pk = made.api_key.pk
        obj._state.adding = False
        request._llmgateway_made = made

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> Any:
        """Answer with the secret."""
        return self._shown_once(request, request._llmgateway_made)

    def get_urls(self) -> Any:
        """Add the pages that rotate and revoke."""
        return [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"llmgateway_apikey_{name}",
            )
            for name, view in (("rotate", self.rotate_view), ("revoke", self.revoke_view))
        ] + super().get_urls()

    def rotate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for how long the old secret is accepted, then make another one."""
        key = self._changeable(request, object_id)
        form = _Rotation(request.POST or None)
        if request.method == "POST" and form.is_valid():
            made = rotate_key(
                key, grace=timedelta(hours=form.cleaned_data["hours"]), by=request.user
            )
            self.log_change(request, key, "Rotated.")
            return self._shown_once(request, made)
        return self.page(request, "confirm.html", key, form=form, title=_("Rotate the key"))

    def revoke_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then end the key."""
        key = self._changeable(request, object_id)
        if request.method == "POST":
            revoke_key(key, by=request.user)
            self.log_change(request, key, "Revoked.")
            site = self.admin_site.name
            return HttpResponseRedirect(reverse(f"{site}:llmgateway_apikey_changelist"))
        return self.page(request, "confirm.html", key, title=_("Revoke the key for ever"))

    def _changeable(self, request: HttpRequest, object_id: str) -> Any:
        key = self.get_object(request, unquote(object_id))
        if not self.has_change_permission(request, key):
            raise PermissionDenied
        return key

    def _shown_once(self, request: HttpRequest, made: NewKey) -> HttpResponse:
        try:
            address = reverse("llmgateway:gateway", args=["v1"])
        except NoReverseMatch:  # mounted in front; this is where it is by default
            address = "/llm/v1"
        base_url = request.build_absolute_uri(address)
        response = self.page(
            request,
            "secret.html",
            made.api_key,
            title=_("Copy the key now"),
            secret=made.secret,
            base_url=base_url,
        )
        add_never_cache_headers(response)
        return response


_SCOPES = {route.scope for route in (*ROUTES, PROXY_ROUTE)}
_SHOWN = ("state", "secrets", "created_at", "revoked_at")
_POLICY = (
    "scopes",
    "allowed_models",
    "allowed_providers",
    "allowed_addresses",
    "default_config",
    "allow_config_override",
    "default_metadata",
    "input_guardrails",
    "output_guardrails",
)
_FIELDS = {
    "allowed_models": LinesField,
    "allowed_providers": LinesField,
    "allowed_addresses": AddressesField,
    "default_metadata": MetadataField,
    "input_guardrails": DemandsField,
    "output_guardrails": DemandsField,
}


def _members(workspaces: Any) -> Any:
    """Return the users who are in one of these workspaces, by themselves or by a group."""
    users = get_user_model()
    is_member = Q(llmgateway_memberships__workspace__in=workspaces)
    if hasattr(users, "groups"):
        is_member |= Q(groups__llmgateway_memberships__workspace__in=workspaces)
    return users._default_manager.filter(is_member).distinct()
