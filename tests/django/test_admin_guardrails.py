"""Guardrails in the admin: a form made of the checks' schemas, without JavaScript."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from llmgateway_django.admin.check_fields import fields_of_check, help_of
from llmgateway_django.guardrails import checks_of_project, save_guardrail
from llmgateway_django.models import APIKey, AuditEvent, Guardrail, GuardrailVersion, Workspace
from tests.django.pages import Staff, errors_of, url

pytestmark = pytest.mark.django_db

WORDS: dict[str, Any] = {
    "id": "default.contains",
    "parameters": {"words": ["Apple", "Bat"], "operator": "none"},
}
NOTES: dict[str, Any] = {"id": "notes.unknown_text", "parameters": {"atMost": 2}}


class _Sent(HTMLParser):
    """Reads a page's form as a browser does, and keeps what it would send."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.data: dict[str, str] = {}
        self._name = ""
        self._is_first = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a field's name and its value, as far as the element says it."""
        said = {name: value or "" for name, value in attrs}
        name = said.get("name", "")
        match tag, said.get("type"):
            case "input", "submit":
                return
            case "input", "checkbox":
                if "checked" in said:
                    self.data[name] = said.get("value", "on")
            case "input", _:
                self.data[name] = said.get("value", "")
            case (("select" | "textarea"), _):
                self._name = name
                self.data[name] = ""
                self._is_first = tag == "textarea"
            case "option", _:
                if "selected" in said:
                    self.data[self._name] = said["value"]

    def handle_endtag(self, tag: str) -> None:
        """Leave a field."""
        if tag in ("select", "textarea"):
            self._name, self._is_first = "", False

    def handle_data(self, data: str) -> None:
        """Keep the text of an area; its first line break is none of it."""
        if self._is_first:
            self.data[self._name] += data.removeprefix("\r\n").removeprefix("\n")


def sent_by(answer: Any) -> dict[str, str]:
    """Return what a page's form would send if it was sent as it is."""
    assert 200 == answer.status_code
    reader = _Sent()
    reader.feed(answer.content.decode().partition('id="guardrail_form"')[2])
    return {name: text for name, text in reader.data.items() if name and name != "_save"}


def form(*checks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return what a form posts in which checks have been chosen, with parameters as JSON."""
    data = {"name": "Words", "slug": "pg-words", "status": "active", "actions": '{"deny": true}'}
    for number, check in enumerate(checks):
        data[f"check_{number}"] = check["id"]
        data[f"parameters_{number}"] = json.dumps(check["parameters"])
        data[f"enabled_{number}"] = "on"
    return {**data, **more}


@pytest.fixture
def guardrail(shop: Workspace) -> Guardrail:
    made: Guardrail = Guardrail.objects.create(workspace=shop, name="Words", slug="pg-words")
    save_guardrail(made, [WORDS, NOTES], {"deny": True})
    return made


def test_a_manager_makes_one(staff: Staff, shop: Workspace) -> None:
    client = staff(shop, "manager")
    page = client.get(url("guardrail_add"))
    assert 'value="pg-' in page.content.decode()
    assert {"deny": True} == json.loads(sent_by(page)["actions"])

    posted = form(WORDS, NOTES, workspace=shop.pk)
    assert {} == errors_of(client.post(url("guardrail_add"), posted))

    version = GuardrailVersion.objects.get()
    assert ([WORDS, NOTES], {"deny": True}) == (version.checks, version.actions)
    assert str(get_user_model().objects.get(username="manager-of-shop").pk) == version.created_by
    assert ["guardrail_saved", "created"] == list(
        AuditEvent.objects.values_list("action", flat=True)
    )


def test_a_saved_one_has_a_field_for_each_parameter(root: Client, guardrail: Guardrail) -> None:
    page = url("guardrail_change", guardrail.pk)
    data = sent_by(root.get(page))

    assert "Apple\nBat" == data["parameter_0_words"]
    assert ("none", "2") == (data["parameter_0_operator"], data["parameter_1_atMost"])
    assert {} == errors_of(root.post(page, data))
    assert 1 == guardrail.versions.count(), "nothing was changed"

    changed = {"parameter_0_words": "Apple\r\n Cat \r\n", "parameter_0_operator": "all"}
    more = {"parameter_1_atMost": "", "enabled_1": ""}
    assert {} == errors_of(root.post(page, {**data, **changed, **more}))
    newest = guardrail.versions.first()
    assert newest is not None
    assert [
        {"id": "default.contains", "parameters": {"words": ["Apple", "Cat"], "operator": "all"}},
        {"id": "notes.unknown_text", "parameters": {}, "is_enabled": False},
    ] == newest.checks


def test_a_check_goes_and_another_comes(root: Client, guardrail: Guardrail) -> None:
    page = url("guardrail_change", guardrail.pk)
    asked = root.get(page, {"check": ["default.contains", "no.check"]})
    data = sent_by(asked)
    assert "default.contains" == data["fields_2"]

    added = {"check_0": "", "parameter_2_words": "Cat", "check_3": "default.contains"}
    added["parameters_3"] = '{"words": [" x\\ny"]}'
    assert {} == errors_of(root.post(page, {**data, **added, "enabled_3": "on"}))

    newest = guardrail.versions.first()
    assert newest is not None
    cat = {"id": "default.contains", "parameters": {"words": ["Cat"]}}
    odd = {"id": "default.contains", "parameters": {"words": [" x\ny"]}}
    assert [NOTES, cat, odd] == newest.checks
    again = sent_by(root.get(page))
    assert odd["parameters"] == json.loads(again["parameters_2"]), "no field could show it"
    assert {} == errors_of(root.post(page, again))
    assert 2 == guardrail.versions.count()


@pytest.mark.parametrize(
    ("more", "field", "message"),
    [
        ({"parameters_0": '{"words": 3}'}, "parameters_0", "checks[0].parameters.words: "),
        ({"parameters_0": '{"wrds": []}'}, "parameters_0", "did you mean 'words'?"),
        ({"parameters_0": "[]"}, "parameters_0", "checks[0].parameters: "),
        ({"parameters_0": "{"}, "parameters_0", "Enter a valid JSON."),
        ({"parameters_1": '{"atMost": 1.5}'}, "parameters_1", "checks[1].parameters.atMost: "),
        ({"check_1": "", "parameters_1": "{}"}, "__all__", ""),
        ({"check_1": "", "parameters_1": '{"a": 1}'}, "check_1", "Choose the check"),
        ({"check_0": "no.such"}, "check_0", "Select a valid choice"),
        ({"actions": '{"scope": "x"}'}, "actions", "actions.scope: "),
        ({"actions": "[]"}, "actions", "actions: "),
        ({"actions": "{"}, "actions", "Enter a valid JSON."),
        ({"check_0": "", "parameters_0": "", "check_1": "", "parameters_1": ""}, "__all__",
         "checks: Must not be empty"),
        ({"parameters_0": '{"words": ["\\u0000"]}'}, "__all__", "no NUL"),
        ({"slug": "words"}, "slug", "Begin with pg-"),
    ],
)  # fmt: skip
def test_what_cannot_run_is_refused_at_its_field(
    root: Client, shop: Workspace, more: dict[str, Any], field: str, message: str
) -> None:
    answer = root.post(url("guardrail_add"), form(WORDS, NOTES, workspace=shop.pk, **more))
    errors = errors_of(answer)
    if not message:
        assert {} == errors
        return
    assert [field] == list(errors)
    assert message in errors[field][0]
    assert not Guardrail.objects.exists()


def test_a_fault_stands_at_the_field_of_its_parameter(root: Client, guardrail: Guardrail) -> None:
    page = url("guardrail_change", guardrail.pk)
    data = sent_by(root.get(page))

    errors = errors_of(root.post(page, {**data, "parameter_0_words": "", "check_1": ""}))

    assert {"parameter_0_words": ["checks[0].parameters.words: words is missing"]} == errors
    errors = errors_of(root.post(page, {**data, "parameter_1_atMost": "x"}))
    assert ["parameter_1_atMost"] == list(errors)


def test_what_others_send_is_no_page_of_faults(root: Client, shop: Workspace) -> None:
    """Sections that no form of ours has: of checks that are not there, many, or without end."""
    base = {"workspace": shop.pk, **form(WORDS)}
    odd = [{"fields_0": "no.check"}, {"fields_0": "default.contains"}, {"fields_0": "contains"}]
    odd += [{f"check_{number}": "default.contains" for number in range(500)}]
    for more in odd:
        assert 200 == root.post(url("guardrail_add"), {**base, "name": "", **more}).status_code


def test_a_check_that_is_gone_stays_in_sight(root: Client, guardrail: Guardrail) -> None:
    gone = {"id": "gone.check", "parameters": {"a": 1}}
    GuardrailVersion.objects.create(guardrail=guardrail, number=2, checks=[gone])
    page = url("guardrail_change", guardrail.pk)
    data = sent_by(root.get(page))

    assert ("gone.check", {"a": 1}) == (data["check_0"], json.loads(data["parameters_0"]))
    assert "Select a valid choice" in str(errors_of(root.post(page, data)))
    assert {} == errors_of(root.post(page, {**data, "check_0": "notes.unknown_text",
                                            "parameters_0": ""}))  # fmt: skip


def test_an_earlier_version_is_restored_by_saving_it(root: Client, guardrail: Guardrail) -> None:
    save_guardrail(guardrail, [NOTES])
    versions = root.get(url("guardrail_versions", guardrail.pk)).content.decode()
    page = f"{url('guardrail_change', guardrail.pk)}?version=1"
    assert page in versions and "Apple" in versions

    assert {} == errors_of(root.post(page, sent_by(root.get(page))))

    assert [3, 2, 1] == list(guardrail.versions.values_list("number", flat=True))
    newest = guardrail.versions.get(number=3)
    assert ([WORDS, NOTES], {"deny": True}) == (newest.checks, newest.actions)
    for number in ("4", "x", ""):
        missing = root.get(url("guardrail_change", guardrail.pk), {"version": number})
        assert 404 == missing.status_code


def test_members_read_guardrails(staff: Staff, shop: Workspace, guardrail: Guardrail) -> None:
    client = staff(shop, "member")

    shown = client.get(url("guardrail_change", guardrail.pk)).content.decode()
    assert "pg-words" in shown and "check_0" not in shown
    versions = client.get(url("guardrail_versions", guardrail.pk)).content.decode()
    assert "Apple" in versions and "?version=1" not in versions
    assert 403 == client.post(url("guardrail_change", guardrail.pk), form(NOTES)).status_code


def test_superusers_alone_make_those_of_all(root: Client, staff: Staff, shop: Workspace) -> None:
    errors = errors_of(staff(shop, "admin").post(url("guardrail_add"), form(WORDS, workspace="")))
    assert ["workspace"] == list(errors)

    assert {} == errors_of(root.post(url("guardrail_add"), form(WORDS, workspace="")))
    assert Guardrail.objects.get().workspace is None
    errors = errors_of(root.post(url("guardrail_add"), form(WORDS, workspace=shop.pk)))
    assert ["slug"] == list(errors)


def test_the_form_tells_what_each_check_takes(root: Client, shop: Workspace) -> None:
    shown = root.get(url("guardrail_add")).content.decode()

    for words in ("notes.unknown_text", "atMost", "How many may.", "?check=default.contains"):
        assert words in shown


def test_every_check_has_a_form() -> None:
    known = checks_of_project()
    for id_, check in known.items():
        parameters = check.schema()["properties"]
        assert parameters.keys() == fields_of_check(check).keys()
        shown = help_of(check)
        assert all(f"<code>{name}</code>" in shown for name in parameters), id_


# ---- what workspaces and keys demand


def test_an_admin_of_a_workspace_demands_guardrails(
    staff: Staff, shop: Workspace, guardrail: Guardrail
) -> None:
    client = staff(shop, "admin")
    page = url("workspace_change", shop.pk)
    members = {
        f"memberships-{name}": client.get(page).context["inline_admin_formsets"][0]
        .formset.management_form[name].value()
        for name in ("TOTAL_FORMS", "INITIAL_FORMS")
    }  # fmt: skip
    (member,) = shop.memberships.all()
    members |= {
        "memberships-0-id": member.pk,
        "memberships-0-workspace": shop.pk,
        "memberships-0-role": "admin",
    }
    base = {"name": "Shop", "slug": "shop", **members}

    inline = [{"default.contains": {"words": ["a"]}}]
    posted = {"input_guardrails": '["pg-words"]', "output_guardrails": json.dumps(inline)}
    assert {} == errors_of(client.post(page, {**base, **posted}))
    shop.refresh_from_db()
    assert (["pg-words"], inline) == (shop.input_guardrails, shop.output_guardrails)
    assert "pg-words" in str(AuditEvent.objects.values_list("changes", flat=True)[0])
    for wrong, message in (
        ('["pg-other"]', "There is no guardrail pg-other"),
        ("{", "valid JSON"),
        ("3", "valid list"),
        ('[{"default.contains": {}}]', "words is missing"),
    ):
        errors = errors_of(client.post(page, {**base, **posted, "output_guardrails": wrong}))
        assert ["output_guardrails"] == list(errors)
        assert message in errors["output_guardrails"][0]
    nothing = {"input_guardrails": "", "output_guardrails": ""}
    assert {} == errors_of(client.post(page, {**base, **nothing}))
    shop.refresh_from_db()
    assert ([], []) == (shop.input_guardrails, shop.output_guardrails)


def test_a_manager_demands_guardrails_of_a_key(
    staff: Staff, shop: Workspace, guardrail: Guardrail
) -> None:
    client = staff(shop, "manager")
    plain = {"name": "site", "workspace": shop.pk, "owner": "", "default_metadata": "{}"}
    posted = {**plain, "expires_at_0": "", "expires_at_1": ""}

    own = '["pg-words"]'
    errors = errors_of(client.post(url("apikey_add"), {**posted, "input_guardrails": '["pg-a"]'}))
    assert "There is no guardrail pg-a" in errors["input_guardrails"][0]

    errors = errors_of(client.post(url("apikey_add"), {**posted, "output_guardrails": own}))
    assert "cannot be used as a guardrail of the output" in errors["output_guardrails"][0]

    assert 200 == client.post(url("apikey_add"), {**posted, "input_guardrails": own}).status_code
    key = APIKey.objects.get()
    assert (["pg-words"], []) == (key.input_guardrails, key.output_guardrails)
    # What stands there may be changed to nothing at any time, and stays while it is let alone.
    guardrail.status = Guardrail.Status.ARCHIVED
    guardrail.save()
    for said, kept in ((own, ["pg-words"]), ("", [])):
        change = {**posted, "input_guardrails": said}
        assert {} == errors_of(client.post(url("apikey_change", key.pk), change))
        key.refresh_from_db()
        assert kept == key.input_guardrails
