"""Who may do what: every admin page by every role, in their own workspace and in another's.

`PAGES` is the one table. A status with a `*` is that of an answer that has changed something; all
others change nothing. Pages of another workspace's rows are 404 for all but superusers, whatever
the table says of one's own. Whoever is not staff is sent to the login.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, reverse

from tests.django.matrix import NOT_STAFF, ROLES, World, fingerprint, make_world, undone
from tests.django.pages import url

pytestmark = pytest.mark.django_db

_KEPT = """
list     GET    200  200  200  200  403  200  200
list     POST   302* 302* 302* 403  403  302  302
add      GET    200  200  200  403  403  403  200
add      POST   302* 302* 302* 403  403  403  200
change   GET    200  200  200  200  403  404  404
change   POST   302* 302* 302* 403  403  404  404
delete   GET    200  200  200  403  403  404  404
delete   POST   302* 302* 302* 403  403  404  404
history  GET    200  200  200  200  403  404  404
history  POST   200  200  200  200  403  404  404
"""
_READ_ONLY = """
list     GET    200  200  200  200  403  200  200
list     POST   200  200  200  200  403  200  200
add      GET    403  403  403  403  403  403  403
add      POST   403  403  403  403  403  403  403
change   GET    200  200  200  200  403  404  404
change   POST   403  403  403  403  403  404  404
delete   GET    403  403  403  403  403  404  404
delete   POST   403  403  403  403  403  404  404
history  GET    200  200  200  200  403  404  404
history  POST   200  200  200  200  403  404  404
"""
#                superuser admin manager member powerless outsider stranger
PAGES = {
    "integration": _KEPT,
    "virtualkey": _KEPT,
    "savedconfig": _KEPT
    + """
versions GET    200  200  200  200  403  404  404
versions POST   200  200  200  200  403  404  404
""",
    "guardrail": _KEPT
    + """
versions GET    200  200  200  200  403  404  404
versions POST   200  200  200  200  403  404  404
""",
    "apikey": """
list     GET    200  200  200  200  403  200  200
list     POST   200  200  200  200  403  200  200
add      GET    200  200  200  403  403  403  200
add      POST   200* 200* 200* 403  403  403  200
change   GET    200  200  200  200  403  404  404
change   POST   302* 302* 302* 403  403  404  404
delete   GET    403  403  403  403  403  404  404
delete   POST   403  403  403  403  403  404  404
history  GET    200  200  200  200  403  404  404
history  POST   200  200  200  200  403  404  404
rotate   GET    200  200  200  403  403  404  404
rotate   POST   200* 200* 200* 403  403  404  404
revoke   GET    200  200  200  403  403  404  404
revoke   POST   302* 302* 302* 403  403  404  404
""",
    "workspace": """
list     GET    200  200  200  200  403  200  200
list     POST   302* 200  200  200  403  200  200
add      GET    200  403  403  403  403  403  403
add      POST   302* 403  403  403  403  403  403
change   GET    200  200  200  200  403  404  404
change   POST   302* 302* 403  403  403  404  404
delete   GET    200  403  403  403  403  404  404
delete   POST   302* 403  403  403  403  404  404
history  GET    200  200  200  200  403  404  404
history  POST   200  200  200  200  403  404  404
""",
    "requestlog": _READ_ONLY,
    "auditevent": _READ_ONLY,
}
_NAMES = {"list": "changelist"}
_OF_NO_ROW = ("list", "add")
_LOGIN = "/admin/login/"

Line = tuple[str, str, dict[str, str]]


def lines(model: str) -> Iterator[Line]:
    """Yield a model's lines: the page, the method, and what each role gets."""
    for line in filter(None, PAGES[model].splitlines()):
        page, method, *cells = line.split()
        yield page, method, dict(zip(ROLES, cells, strict=True))


def posted(world: World, whose: str, model: str, page: str) -> dict[str, Any]:
    """Return what is posted to a page so that it does something, if it does anything."""
    rows = world.rows[whose]
    if page == "list":
        return {"action": "delete_selected", "_selected_action": [rows[model].pk], "post": "yes"}
    if page not in ("add", "change"):
        return {"hours": 1, "post": "yes"}
    place = world.rows["ours" if whose == "shared" else whose]
    members = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    forms: dict[str, dict[str, Any]] = {
        "integration": {"name": "new", "base_url": "", "is_active": "on"},
        "virtualkey": {"slug": "new", "integration": place["integration"].pk, "allowed_models": ""},
        "savedconfig": {"name": "new", "slug": "pc-new", "body": '{"provider": "groq"}'},
        "guardrail": {
            "name": "new",
            "slug": "pg-new",
            "status": "active",
            "check_0": "default.contains",
            "enabled_0": "on",
            "parameters_0": '{"words": ["new"]}',
        },
        "apikey": {"name": "new", "owner": "", "expires_at_0": "", "expires_at_1": ""},
        "workspace": {"name": "new", "slug": "new", **members},
    }
    return {"workspace": place["workspace"].pk, **forms.get(model, {"status": 1, "action": "x"})}


def address(model: str, page: str, row: Any) -> str:
    """Return a page's address."""
    args = () if page in _OF_NO_ROW else (row.pk,)
    found = url(f"{model}_{_NAMES.get(page, page)}", *args)
    is_choice = (model, page) == ("integration", "add")
    return f"{found}?provider=openai" if is_choice else found


def tried(
    world: World, role: str | Client, method: str, page: str, data: dict[str, Any]
) -> tuple[str, str]:
    """Return the status, with a `*` if anything was changed, and the page."""
    client = world.clients[role] if isinstance(role, str) else role
    with undone():
        answer = client.get(page) if method == "GET" else client.post(page, data)
        has_changed = fingerprint() != world.before
    if answer.status_code == 302 and answer["location"].startswith(_LOGIN):
        return "login", ""
    return f"{answer.status_code}{'*' * has_changed}", answer.content.decode()


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Made once: whatever is tried is taken back."""
    with django_db_blocker.unblock(), undone():
        yield make_world()


def leaks(world: World, role: str, text: str) -> bool:
    """Tell whether a page shows something of a workspace that the role is not in."""
    seen = {"superuser": ("ours-", "theirs-"), "stranger": ("theirs-",), "outsider": ()}
    hidden = {"ours-", "theirs-"} - set(seen.get(role, ("ours-",)))
    return any(mark in text.replace("theirs-shared (openai)", "") for mark in hidden)


@pytest.mark.parametrize("model", PAGES)
def test_each_role_may_do_what_the_table_says(world: World, model: str) -> None:
    wrong = []
    for page, method, cells in lines(model):
        data = posted(world, "ours", model, page)
        place = address(model, page, world.rows["ours"][model])
        for role in (*ROLES, *NOT_STAFF):
            expected = cells.get(role, "login")
            status, text = tried(world, role, method, place, data)
            if expected != status or leaks(world, role, text):
                wrong.append(f"{role} {method} {page}: {status} instead of {expected}")

    assert [] == wrong


@pytest.mark.parametrize("whose", ["theirs", "shared"])
@pytest.mark.parametrize("model", PAGES)
def test_what_is_elsewhere_is_not_there(world: World, model: str, whose: str) -> None:
    if model not in world.rows[whose]:
        return
    wrong = []
    for page, method, cells in lines(model):
        if page in _OF_NO_ROW:
            continue
        data = posted(world, whose, model, page)
        place = address(model, page, world.rows[whose][model])
        for role in ("superuser", "admin", "manager", "member", "powerless", "outsider"):
            expected = cells[role] if role == "superuser" else "404"
            status, text = tried(world, role, method, place, data)
            if expected != status or leaks(world, role, text):
                wrong.append(f"{role} {method} {page}: {status} instead of {expected}")
        for role in NOT_STAFF:
            status, _ = tried(world, role, method, place, data)
            if status != "login":
                wrong.append(f"{role} {method} {page}: {status} instead of the login")

    assert [] == wrong


@pytest.mark.parametrize("model", PAGES)
def test_nothing_is_made_or_chosen_elsewhere(world: World, model: str) -> None:
    """By what is posted to pages that everybody has: the forms of new rows, and actions."""
    wrong = []
    for whose in world.rows:
        if whose == "ours" or model not in world.rows[whose]:
            continue
        for page in _OF_NO_ROW:
            data = posted(world, "theirs" if page == "add" else whose, model, page)
            place = address(model, page, None)
            for role in ("admin", "manager", "member", "powerless", "outsider"):
                status, text = tried(world, role, "POST", place, data)
                if "*" in status or leaks(world, role, text):
                    wrong.append(f"{role} {page} {whose}: {status}")

    assert [] == wrong


def test_the_table_has_every_page() -> None:
    """No model of the app is in the admin, and no page of it, that the table does not know."""
    wrong = []
    for model in apps.get_app_config("llmgateway").get_models():
        name = model._meta.model_name
        if not admin.site.is_registered(model):
            continue
        known = {f"llmgateway_{name}_{_NAMES.get(page, page)}" for page, _, _ in lines(name)}
        found = [pattern for pattern in admin.site.get_model_admin(model).get_urls()]
        wrong += sorted(known ^ {pattern.name for pattern in found if pattern.name})
        # The one without a name is Django's own, and only leads to `change`.
        unnamed = [str(one.pattern) for one in found if not one.name]
        wrong += [] if unnamed == ["<path:object_id>/"] else unnamed
        methods = {(page, method) for page, method, _ in lines(name)}
        wrong += [page for page, _ in methods if len({m for p, m in methods if p == page}) < 2]
    in_site = [pattern for pattern in admin.site.get_urls() if isinstance(pattern, URLPattern)]
    wrong += [str(one.pattern) for one in in_site if "llmgateway" in str(one.name)]

    assert [] == wrong
    assert set(PAGES) == {
        model._meta.model_name for model in admin.site._registry if _is_ours(model)
    }


def _is_ours(model: Any) -> bool:
    return bool(model._meta.app_label == "llmgateway")


def test_a_page_without_a_name_only_leads_to_another(world: World) -> None:
    for model, row in world.rows["theirs"].items():
        place = url(f"{model}_change", row.pk)
        answer = world.clients["outsider"].get(place.removesuffix("change/"))

        assert (302, place) == (answer.status_code, answer["location"])


def test_no_change_without_a_token_of_the_page(world: World) -> None:
    """Against requests that another site makes a browser send (CSRF)."""
    client = Client(enforce_csrf_checks=True)
    client.cookies = world.clients["superuser"].cookies
    wrong = []
    for model in PAGES:
        for page, method, _ in lines(model):
            data = posted(world, "ours", model, page)
            place = address(model, page, world.rows["ours"][model])
            if method == "POST" and tried(world, client, method, place, data)[0] != "403":
                wrong.append(f"{model} {page}")

    assert [] == wrong


def test_lists_to_choose_from_are_of_the_own_workspaces(world: World) -> None:
    """Django's one address for all of them; it is told which model's field is to be filled."""
    wrong = []
    for model in apps.get_app_config("llmgateway").get_models():
        for field in model._meta.get_fields():
            if not (field.many_to_one and field.related_model in admin.site._registry):
                continue
            asked = {"app_label": "llmgateway", "model_name": model._meta.model_name}
            ours = _is_ours(field.related_model)
            for role in (*ROLES, *NOT_STAFF):
                client = world.clients[role]
                query = {**asked, "field_name": field.name, "term": ""}
                answer = client.get(reverse("admin:autocomplete"), query)
                none = 302 if role in NOT_STAFF else 403
                may = role == "superuser" or (ours and role not in ("powerless", *NOT_STAFF))
                if (200 if may else none) != answer.status_code:
                    wrong.append(f"{role} {field}: {answer.status_code}")
                if leaks(world, role, answer.content.decode()):
                    wrong.append(f"{role} {field}: leaks")

    assert [] == wrong


def test_no_list_is_asked_for_what_it_does_not_show(world: World) -> None:
    """Else its address would find out, letter by letter, what is sealed or of other workspaces."""
    wrong = []
    for model in apps.get_app_config("llmgateway").get_models():
        if not admin.site.is_registered(model):
            continue
        for field in model._meta.get_fields():
            for lookup in (field.name, f"{field.name}__startswith", f"{field.name}__id__gt"):
                page = url(f"{model._meta.model_name}_changelist")
                if world.clients["superuser"].get(page, {lookup: "v"}).status_code != 400:
                    wrong.append(f"{model._meta.model_name}?{lookup}")

    assert [] == wrong


def test_there_are_more_than_a_thousand_cells(world: World) -> None:
    """So many are tried above."""
    cells = 0
    for model in PAGES:
        rows = list(lines(model))
        cells += len(rows) * (len(ROLES) + len(NOT_STAFF))
        elsewhere = [page for page, _, _ in rows if page not in _OF_NO_ROW]
        there = [whose for whose in ("theirs", "shared") if model in world.rows[whose]]
        cells += len(there) * len(elsewhere) * 8

    assert cells > 1000
