"""The form of an integration, which its provider's row says: a field for each option and secret.

Secrets are only ever written. Nothing of one is in a page, also where a form comes back with a
fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.decorators import method_decorator
from django.utils.html import conditional_escape
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from llmgateway.providers import Option, Provider
from llmgateway.stores.sealing import SealError
from llmgateway_django.admin.scope import ScopedForm
from llmgateway_django.models import Integration
from llmgateway_django.origins import providers, secret_names
from llmgateway_django.vault import MAX_SECRET_CHARS, check_secrets, secrets_of

__all__ = ["IntegrationForm", "Stored", "fields_of", "form_of", "stored_of"]

_OPTION, _SECRET, _CLEAR = "option_", "secret_", "clear_"


@dataclass(frozen=True, slots=True)
class Stored:
    """What is kept of secrets: their names alone."""

    names: tuple[str, ...] = ()
    is_readable: bool = True

    def __str__(self) -> str:
        if not self.is_readable:
            return str(_("Stored, but no key of the ring opens them: enter them anew."))
        return ", ".join(self.names) or str(_("none"))


def stored_of(integration: Integration | None) -> Stored:
    """Return what is stored of an integration's secrets."""
    if integration is None:
        return Stored()
    try:
        return Stored(tuple(secrets_of(integration)))
    except SealError:
        return Stored(is_readable=False)


class IntegrationForm(ScopedForm):
    """What all providers have. `form_of` adds a provider's own."""

    provider_id = ""
    options: tuple[Option, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.instance.provider = self.provider_id
        for option in self.options:
            stored = self.instance.options.get(option.name)
            if stored is not None:
                self.initial[_OPTION + option.name] = stored

    @method_decorator(sensitive_variables())
    def clean(self) -> Any:
        """Put options where the model checks them, and check what was entered of secrets."""
        data: Any = super().clean()
        given = {option.name: data.get(_OPTION + option.name) for option in self.options}
        self.instance.options = {name: value for name, value in given.items() if value}
        for name in secret_names(self.provider_id):
            if data.get(_CLEAR + name) and data.get(_SECRET + name):
                self.add_error(_SECRET + name, _("Either enter a secret or take it away."))
            try:
                check_secrets(self.provider_id, {name: data.get(_SECRET + name)})
            except ValidationError as error:
                self.add_error(_SECRET + name, error)
        return data

    def add_error(self, field: str | None, error: Any) -> None:
        """Let faults of what the model has as one field stand above the form."""
        if field is None and hasattr(error, "error_dict"):
            by_field: dict[str, list[Any]] = {}
            for name, faults in error.error_dict.items():
                shown = name if name in self.fields else NON_FIELD_ERRORS
                by_field.setdefault(shown, []).extend(faults)
            error = ValidationError(by_field)
        super().add_error(field, error)

    @property
    def entered(self) -> dict[str, str | None]:
        """The secrets to set, and as None those to take away."""
        names = secret_names(self.provider_id)
        data = self.cleaned_data
        entered = {name: data[_SECRET + name] for name in names if data.get(_SECRET + name)}
        return {**entered, **{name: None for name in names if data.get(_CLEAR + name)}}


def form_of(provider_id: str, stored: Stored) -> type[IntegrationForm]:
    """Return the form of a provider's integrations; one that is unknown has no options."""
    row = providers().get(provider_id)
    fields = dict(_fields(provider_id, row, stored))
    options = () if row is None else tuple(filter(_is_offered, row.options))
    more = {"provider_id": provider_id, "options": options}
    return type("_ProviderForm", (IntegrationForm,), {**fields, **more})


def fields_of(form: type[IntegrationForm]) -> tuple[list[str], list[str]]:
    """Return the names of a form's fields of options, and of those of secrets."""
    names = list(form.declared_fields)
    options = [name for name in names if name.startswith(_OPTION)]
    return options, [name for name in names if name not in options]


def _is_offered(option: Option) -> bool:
    return not (option.planned or option.secret)


def _fields(
    provider_id: str, row: Provider | None, stored: Stored
) -> Iterator[tuple[str, forms.Field]]:
    options = {} if row is None else {option.name: option for option in row.options}
    for option in filter(_is_offered, options.values()):
        yield _OPTION + option.name, _option_field(option)
    for name in secret_names(provider_id):
        doc = options[name].doc if name in options else ""
        is_stored = name in stored.names
        yield _SECRET + name, _secret_field(name, doc, is_stored)
        if is_stored:
            label = _("Take away %(name)s") % {"name": name}
            yield _CLEAR + name, forms.BooleanField(label=label, required=False)


def _option_field(option: Option) -> forms.Field:
    needed = _("Needed unless there is a base URL.") if option.required else ""
    given: dict[str, Any] = {
        "label": option.name,
        "required": False,
        # The admin shows help as HTML.
        "help_text": f"{conditional_escape(option.doc)} {needed}".strip(),
    }
    if option.choices:
        usual = _("as usual (%(value)s)") % {"value": option.default} if option.default else "-"
        choices = [("", usual), *((choice, choice) for choice in option.choices)]
        return forms.ChoiceField(choices=choices, **given)
    attrs = {"size": 60, "placeholder": option.default or ""}
    return forms.CharField(widget=forms.TextInput(attrs=attrs), **given)


def _secret_field(name: str, doc: str, is_stored: bool) -> forms.Field:
    state = _("Stored; left empty, it stays.") if is_stored else _("Not stored.")
    return forms.CharField(
        label=name,
        required=False,
        max_length=MAX_SECRET_CHARS,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "size": 60}),
        help_text=f"{state} {conditional_escape(doc)}".strip(),
    )
