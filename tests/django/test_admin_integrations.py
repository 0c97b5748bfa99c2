"""Integrations and virtual keys in the admin: forms by provider, and secrets that nobody reads."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.test import Client
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from llmgateway_django.models import AuditEvent, Integration, VirtualKey, Workspace
from llmgateway_django.vault import secrets_of, set_secrets
from tests.django.pages import Staff, errors_of, url

pytestmark = pytest.mark.django_db

SECRET = "sk-canary-0123456789abcdef"


def add_url(provider: str) -> str:
    return f"{url('integration_add')}?provider={provider}"


def form(**more: Any) -> dict[str, Any]:
    """Return what a form posts."""
    return {"name": "Account", "base_url": "", "is_active": "on", **more}


@pytest.fixture
def openai(shop: Workspace) -> Integration:
    """An account with a secret."""
    made: Integration = Integration.objects.create(
        workspace=shop, name="Account", provider="openai"
    )
    set_secrets(made, {"api_key": SECRET})
    return made


def messages_of(client: Client, page: str) -> list[str]:
    """Return what the next page tells."""
    return [str(message) for message in client.get(page).context["messages"]]


# ---- forms


def test_the_provider_is_chosen_first(root: Client, shop: Workspace) -> None:
    for page in (url("integration_add"), add_url("nobody")):
        shown = root.get(page + ("&" if "?" in page else "?") + "_popup=1").content.decode()

        assert '<option value="azure-openai">' in shown
        assert '<input type="hidden" name="_popup" value="1">' in shown
        assert "secret_api_key" not in shown
    root.post(url("integration_add"), form(workspace=shop.pk))
    assert not Integration.objects.exists()


def test_a_form_has_the_options_of_its_provider(root: Client, shop: Workspace) -> None:
    azure = root.get(add_url("azure-openai")).content.decode()
    foundry = root.get(add_url("azure-ai")).content.decode()

    for name in ("option_resource_name", "option_api_version", "secret_azure_ad_token"):
        assert f'name="{name}"' in azure
    assert "option_azure_ad_token" not in azure
    assert "azure_auth_mode" not in azure, "planned"
    assert "as usual (drop)" in foundry
    assert '<option value="pass-through">' in foundry
    assert "secret_azure_ad_token" not in root.get(add_url("openai")).content.decode()


def test_an_integration_is_made_with_options_and_secrets(staff: Staff, shop: Workspace) -> None:
    client = staff(shop, "manager")
    given = form(
        workspace=shop.pk,
        option_resource_name="shop",
        secret_api_key=f" {SECRET} ",
        secret_azure_ad_token="",
    )

    assert {} == errors_of(client.post(add_url("azure-openai"), given))

    made = Integration.objects.get()
    assert ("azure-openai", shop, {"resource_name": "shop"}) == (
        made.provider,
        made.workspace,
        made.options,
    )
    assert {"api_key": SECRET} == secrets_of(made)
    told = list(AuditEvent.objects.values_list("action", "actor_name"))
    assert [("secrets_set", "manager-of-shop"), ("created", "manager-of-shop")] == told
    page = client.get(url("integration_change", made.pk)).content.decode()
    assert 'name="option_resource_name" value="shop"' in page


@pytest.mark.parametrize(
    ("provider", "given", "field", "message"),
    [
        ("azure-openai", {}, "__all__", "`resource_name`"),
        ("azure-openai", {"option_resource_name": "a/b"}, "__all__", "letters, digits"),
        ("openai", {"base_url": "ftp://x"}, "base_url", "Give an address such as"),
        ("ollama", {}, "base_url", "has no address of its own"),
        ("openai", {"option_openai_project": "a\tb"}, "__all__", "`openai_project`"),
        (
            "azure-ai",
            {"option_azure_foundry_url": "https://a.example", "option_azure_extra_parameters": "x"},
            "option_azure_extra_parameters",
            "Select a valid choice",
        ),
        ("openai", {"secret_api_key": "lgw_abc"}, "secret_api_key", "a key of this gateway"),
        ("openai", {"secret_api_key": "a\nb"}, "secret_api_key", "must be one line"),
        ("openai", {"workspace": ""}, "workspace", "required"),
    ],
)
def test_what_the_provider_does_not_take_is_refused(
    staff: Staff, shop: Workspace, provider: str, given: dict[str, str], field: str, message: str
) -> None:
    client = staff(shop, "admin")
    answer = client.post(add_url(provider), form(**{"workspace": shop.pk, **given}))

    errors = errors_of(answer)
    assert [field] == list(errors)
    assert message in errors[field][0]
    assert not Integration.objects.exists()


def test_a_base_url_stands_for_options_that_form_one(root: Client, shop: Workspace) -> None:
    given = form(workspace=shop.pk, base_url="https://llm.example.com/v1")

    assert {} == errors_of(root.post(add_url("azure-openai"), given))


def test_an_unknown_provider_can_be_looked_at(root: Client, openai: Integration) -> None:
    Integration.objects.update(provider="gone", options={"a": "b"})

    assert 200 == root.get(url("integration_change", openai.pk)).status_code
    answer = root.post(url("integration_change", openai.pk), form())
    assert "__all__" in errors_of(answer)
    openai.refresh_from_db()
    assert {"a": "b"} == openai.options


# ---- secrets


def test_a_secret_is_written_and_never_read(root: Client, openai: Integration) -> None:
    """Neither in pages, also after a fault, nor in what is kept of them."""
    page = url("integration_change", openai.pk)
    faulty = root.post(page, form(name="", secret_api_key=SECRET))
    saved = root.post(page, form(secret_api_key=SECRET), follow=True)
    seen = [faulty, saved, root.get(page), root.get(url("integration_changelist"))]
    seen += [root.get(url("integration_history", openai.pk))]
    seen += [root.get(url("integration_delete", openai.pk)), root.get("/admin/")]

    kept = [entry.change_message + entry.object_repr for entry in LogEntry.objects.all()]
    kept += [str(session.get_decoded()) for session in Session.objects.all()]
    kept += [f"{event.changes} {event.object_name}" for event in AuditEvent.objects.all()]
    kept += [openai.sealed, *(cookie.output() for cookie in saved.cookies.values())]
    assert {"api_key": SECRET} == secrets_of(Integration.objects.get())
    assert "canary" not in "".join([answer.content.decode() for answer in seen] + kept)
    assert "Stored; left empty, it stays." in root.get(page).content.decode()


def test_an_empty_field_leaves_the_secret(root: Client, openai: Integration) -> None:
    root.post(url("integration_change", openai.pk), form(name="New", secret_api_key=""))

    openai.refresh_from_db()
    assert "New" == openai.name
    assert {"api_key": SECRET} == secrets_of(openai)


def test_a_secret_is_taken_away(root: Client, openai: Integration) -> None:
    page = url("integration_change", openai.pk)
    both = form(secret_api_key="sk-other", clear_api_key="on")
    assert ["secret_api_key"] == list(errors_of(root.post(page, both)))

    root.post(page, form(clear_api_key="on"))

    openai.refresh_from_db()
    assert {} == secrets_of(openai)
    assert "clear_api_key" not in root.get(page).content.decode()


def test_another_host_drops_the_secrets_and_says_so(root: Client, openai: Integration) -> None:
    page = url("integration_change", openai.pk)
    assert "drops the stored secrets" in root.get(page).content.decode()

    root.post(page, form(base_url="https://elsewhere.example/v1"))

    openai.refresh_from_db()
    assert {} == secrets_of(openai)
    told = messages_of(root, url("integration_changelist"))
    assert any("enter them anew: api_key" in text for text in told)
    assert AuditEvent.objects.filter(action="secrets_dropped").exists()
    assert "Not stored." in root.get(page).content.decode()


def test_another_host_with_its_secret_is_no_loss(root: Client, openai: Integration) -> None:
    page = url("integration_change", openai.pk)
    root.post(page, form(base_url="https://elsewhere.example/v1", secret_api_key="sk-new"))

    openai.refresh_from_db()
    assert {"api_key": "sk-new"} == secrets_of(openai)
    assert 1 == len(messages_of(root, url("integration_changelist")))


def test_secrets_that_do_not_open_are_said_to(root: Client, openai: Integration) -> None:
    Integration.objects.update(sealed="v1.unknown.AAAA")
    page = url("integration_change", openai.pk)

    assert "no key of the ring opens them" in root.get(page).content.decode()
    assert {} == errors_of(root.post(page, form(secret_api_key=SECRET)))
    assert {"api_key": SECRET} == secrets_of(Integration.objects.get())


def test_a_report_of_an_error_has_no_secret(
    root: Client, shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's reports show what was posted, and the variables of each function on the way."""

    def fail(*args: Any, secrets: Any = ()) -> None:
        if secrets:
            raise RuntimeError("no room for the audit")

    monkeypatch.setattr("llmgateway_django.audit.record", fail)
    root.raise_request_exception = False
    answer = root.post(add_url("openai"), form(workspace=shop.pk, secret_api_key=SECRET))
    request = answer.wsgi_request
    frames = ExceptionReporter(request, *answer.exc_info).get_traceback_frames()

    ours = [frame for frame in frames if "llmgateway_django" in frame["filename"]]
    posted = SafeExceptionReporterFilter().get_post_parameters(request)
    assert {"save_model", "save_integration", "set_secrets"} <= {
        frame["function"] for frame in ours
    }
    assert "secret_api_key" in posted
    assert "canary" not in f"{posted} {[frame['vars'] for frame in ours]}"


# ---- who


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("manager", True), ("member", False)])
def test_who_changes_an_integration(
    staff: Staff, shop: Workspace, openai: Integration, role: str, may: bool
) -> None:
    client = staff(shop, role)
    page = url("integration_change", openai.pk)

    shown = client.get(page).content.decode()
    assert may == ("secret_api_key" in shown)
    assert "api_key" in shown
    assert (302 if may else 403) == client.post(page, form(name="New")).status_code
    assert (200 if may else 403) == client.get(add_url("openai")).status_code
    assert (200 if may else 403) == client.get(url("integration_add")).status_code


def test_what_all_share_is_for_superusers(staff: Staff, root: Client, shop: Workspace) -> None:
    assert {} == errors_of(root.post(add_url("openai"), form(workspace="")))
    shared = Integration.objects.get()
    client = staff(shop, "admin")

    assert 200 == root.get(url("integration_change", shared.pk)).status_code
    assert 404 == client.get(url("integration_change", shared.pk)).status_code
    assert 404 == client.post(url("integration_change", shared.pk), form()).status_code
    assert ["workspace"] == list(errors_of(client.post(add_url("openai"), form(workspace=""))))


def test_what_all_share_needs_no_workspace_to_be_there(root: Client) -> None:
    assert {} == errors_of(root.post(add_url("openai"), form(workspace="")))
    assert 200 == root.get(url("guardrail_add")).status_code

    assert Integration.objects.get().workspace is None
    assert 403 == root.get(url("virtualkey_add")).status_code


def test_a_row_stays_in_its_workspace(
    root: Client, other: Workspace, shop: Workspace, openai: Integration
) -> None:
    root.post(url("integration_change", openai.pk), form(workspace=other.pk, provider="groq"))

    openai.refresh_from_db()
    assert ("openai", shop) == (openai.provider, openai.workspace)


# ---- virtual keys


def test_a_virtual_key_is_of_an_own_or_a_shared_integration(
    staff: Staff, shop: Workspace, other: Workspace, openai: Integration
) -> None:
    client = staff(shop, "manager")
    shared = Integration.objects.create(name="Shared", provider="openai")
    theirs = Integration.objects.create(name="Theirs", provider="openai", workspace=other)
    page = url("virtualkey_add")

    for slug, integration, wrong in [
        ("ours", openai, []),
        ("shared", shared, []),
        ("theirs", theirs, ["integration"]),
    ]:
        given = {"workspace": shop.pk, "slug": slug, "integration": integration.pk}
        given["allowed_models"] = "gpt-4o*\no3"
        assert wrong == list(errors_of(client.post(page, given)))
    assert {"ours", "shared"} == set(VirtualKey.objects.values_list("slug", flat=True))
    assert ["gpt-4o*", "o3"] == VirtualKey.objects.first().allowed_models
    assert "Theirs" not in client.get(page).content.decode()
    assert {"virtualkey"} == set(
        AuditEvent.objects.filter(action="created").values_list("kind", flat=True)
    )


def test_a_superuser_does_not_mix_workspaces_either(
    root: Client, shop: Workspace, other: Workspace, openai: Integration
) -> None:
    given = {"workspace": other.pk, "slug": "mixed", "integration": openai.pk}

    errors = errors_of(root.post(url("virtualkey_add"), {**given, "allowed_models": ""}))
    assert ["integration"] == list(errors)


def test_a_slug_is_there_once_also_after_a_change(
    root: Client, shop: Workspace, openai: Integration
) -> None:
    """The workspace is not in the form then, so Django alone would ask the database."""
    one, _ = (
        VirtualKey.objects.create(workspace=shop, slug=slug, integration=openai)
        for slug in ("one", "two")
    )
    given = {"slug": "two", "integration": openai.pk, "allowed_models": ""}

    answer = root.post(url("virtualkey_change", one.pk), given)
    assert "already exists" in str(errors_of(answer))
    assert {} == errors_of(root.post(url("virtualkey_change", one.pk), {**given, "slug": "3"}))


def test_deleted_rows_are_told_of(staff: Staff, shop: Workspace, openai: Integration) -> None:
    client = staff(shop, "manager")
    for slug in ("a", "b", "c"):
        VirtualKey.objects.create(workspace=shop, slug=slug, integration=openai)
    pks = list(VirtualKey.objects.values_list("pk", flat=True))

    client.post(url("virtualkey_delete", pks[0]), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": pks[1:], "post": "yes"}
    client.post(url("virtualkey_changelist"), chosen)

    assert not VirtualKey.objects.exists()
    told = AuditEvent.objects.filter(action="deleted").values_list("object_name", flat=True)
    assert ["@a", "@b", "@c"] == sorted(told)
