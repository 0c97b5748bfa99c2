"""The admin: who sees what, and that a secret is shown once and kept nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from llmgateway_django.keys import create_key, revoke_key
from llmgateway_django.models import APIKey, Membership, RequestBody, RequestLog, Workspace
from tests.django.conftest import BODY, CHAT
from tests.django.pages import XSS, Staff, log_row, url

pytestmark = pytest.mark.django_db


def add(client: Client, workspace: Workspace, name: str = "site") -> Any:
    """Make a key by the form."""
    form = {"workspace": workspace.pk, "name": name, "owner": "", "expires_at_0": ""}
    return client.post(url("apikey_add"), {**form, "expires_at_1": ""})


def secret_in(answer: Any) -> str:
    """Return the secret that a page shows."""
    page: str = answer.content.decode()
    return page.partition('readonly size="60" value="')[2].partition('"')[0]


@pytest.mark.usefixtures("inline")
def test_a_key_is_made_shown_once_and_accepted(root: Client, shop: Workspace) -> None:
    answer = add(root, shop)

    secret = secret_in(answer)
    assert secret.startswith("lgw_")
    assert 200 == answer.status_code
    assert "no-store" in answer["cache-control"]
    assert "curl http://testserver/llm/v1/chat/completions" in answer.content.decode()
    headers = {"authorization": f"Bearer {secret}"}
    assert 200 == root.post(CHAT, BODY, "application/json", headers=headers).status_code


def test_a_secret_is_kept_nowhere(root: Client, shop: Workspace) -> None:
    answer = add(root, shop)

    secret = secret_in(answer)
    key = APIKey.objects.get()
    pages = [url("apikey_changelist"), url("apikey_change", key.pk), url("apikey_history", key.pk)]
    seen = "".join(root.get(page).content.decode() for page in [*pages, reverse("admin:index")])
    kept = [entry.change_message + entry.object_repr for entry in LogEntry.objects.all()]
    kept += [str(session.get_decoded()) for session in Session.objects.all()]
    kept += [cookie.output() for cookie in answer.cookies.values()]
    assert secret
    assert secret not in seen + "".join(kept)


def test_a_rotated_key_has_another_secret(root: Client, shop: Workspace) -> None:
    made = create_key(shop, "site")
    page = url("apikey_rotate", made.api_key.pk)

    asked, answer = root.get(page), root.post(page, {"hours": 1})

    assert 200 == asked.status_code
    assert made.secret != secret_in(answer)
    assert secret_in(answer).startswith("lgw_")
    assert 2 == made.api_key.secrets.count()
    assert "no-store" in answer["cache-control"]


def test_a_key_is_revoked_for_ever(root: Client, shop: Workspace) -> None:
    key = create_key(shop, "site").api_key

    assert 200 == root.get(url("apikey_revoke", key.pk)).status_code
    assert 302 == root.post(url("apikey_revoke", key.pk)).status_code
    key.refresh_from_db()
    assert key.revoked_at is not None
    for name in ("rotate", "revoke"):
        assert 403 == root.post(url(f"apikey_{name}", key.pk), {"hours": 1}).status_code
    assert 403 == root.post(url("apikey_delete", key.pk), {"post": "yes"}).status_code


def test_names_are_text(root: Client, shop: Workspace) -> None:
    shown = [add(root, shop, XSS)]
    key = APIKey.objects.get()
    row = log_row(shop, 1, model=XSS, trace_id=XSS)
    pages = [
        url("apikey_changelist"),
        url("apikey_change", key.pk),
        url("apikey_rotate", key.pk),
        url("requestlog_changelist"),
        url("requestlog_change", row.pk),
    ]
    shown += [root.get(page) for page in pages]

    assert [] == [page for page in shown if XSS in page.content.decode()]


@pytest.mark.parametrize("role", ["admin", "manager", "member"])
def test_a_member_sees_their_own_workspace_alone(
    staff: Staff, shop: Workspace, other: Workspace, role: str
) -> None:
    client = staff(shop, role)
    ours, theirs = create_key(shop, "ours").api_key, create_key(other, "theirs").api_key
    rows = [log_row(workspace, i) for i, workspace in enumerate((shop, other, None))]

    keys = client.get(url("apikey_changelist")).content.decode()
    log = client.get(url("requestlog_changelist")).context["cl"].result_list
    assert str(ours.pk) in keys
    assert str(theirs.pk) not in keys
    assert [rows[0]] == list(log)
    for name, pks in [
        ("apikey_change", (ours.pk, theirs.pk)),
        ("apikey_history", (ours.pk, theirs.pk)),
        ("requestlog_change", (rows[0].pk, rows[1].pk)),
        ("workspace_change", (shop.pk, other.pk)),
    ]:
        assert [200, 404] == [client.get(url(name, pk)).status_code for pk in pks], name
    for name in ("apikey_rotate", "apikey_revoke"):
        assert 404 == client.post(url(name, theirs.pk), {"hours": 0}).status_code
    assert theirs.secrets.get().valid_until is None


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("manager", True), ("member", False)])
def test_who_may_make_and_end_keys(staff: Staff, shop: Workspace, role: str, may: bool) -> None:
    client = staff(shop, role)
    key = create_key(shop, "ours").api_key

    made = add(client, shop)
    revoked = client.post(url("apikey_revoke", key.pk))

    assert (200, 302) if may else (403, 403) == (made.status_code, revoked.status_code)
    key.refresh_from_db()
    assert may == (key.revoked_at is not None)
    assert 1 + may == APIKey.objects.count()


def test_no_key_is_made_in_another_workspace(
    staff: Staff, shop: Workspace, other: Workspace
) -> None:
    client = staff(shop, "admin")

    add(client, other)

    assert 0 == APIKey.objects.count()


def test_no_key_is_made_for_a_stranger(staff: Staff, shop: Workspace) -> None:
    client = staff(shop, "admin")
    stranger = get_user_model().objects.create_user("stranger")
    form = {"workspace": shop.pk, "name": "n", "expires_at_0": "", "expires_at_1": ""}

    client.post(url("apikey_add"), {**form, "owner": stranger.pk})
    assert 0 == APIKey.objects.count()

    group = Group.objects.create(name="staff")
    stranger.groups.add(group)
    Membership.objects.create(workspace=shop, group=group)
    client.post(url("apikey_add"), {**form, "owner": stranger.pk})
    assert stranger == APIKey.objects.get().owner


def test_the_log_is_read_only_and_found_by_trace_id(root: Client) -> None:
    row, _ = log_row(None, 1), log_row(None, 2, status=502)
    shown = root.get(url("requestlog_changelist"), {"q": "trace-1"}).context["cl"].result_list
    failed = root.get(url("requestlog_changelist"), {"outcome": "failed"}).context["cl"]

    assert [row] == list(shown)
    assert [502] == [found.status for found in failed.result_list]
    assert not root.get(url("requestlog_changelist"), {"q": "trace"}).context["cl"].result_list
    assert 403 == root.post(url("requestlog_change", row.pk), {"status": 1}).status_code
    assert 403 == root.get(url("requestlog_add")).status_code


def test_a_revoked_key_is_shown_as_such(root: Client, shop: Workspace) -> None:
    key = create_key(shop, "site").api_key
    assert url("apikey_rotate", key.pk) in root.get(url("apikey_change", key.pk)).content.decode()

    revoke_key(key)

    assert "revoked" in root.get(url("apikey_changelist")).content.decode()
    assert "Rotate" not in root.get(url("apikey_change", key.pk)).content.decode()


def test_an_edited_key_keeps_its_owner(staff: Staff, shop: Workspace) -> None:
    """Also one who has left the workspace: a user's key must not become a service's."""
    left = get_user_model().objects.create_user("left")
    key = create_key(shop, "n", owner=left).api_key
    client = staff(shop, "manager")
    form = {"name": "m", "owner": "", "expires_at_0": "", "expires_at_1": ""}

    assert 302 == client.post(url("apikey_change", key.pk), form).status_code
    key.refresh_from_db()
    assert ("m", left) == (key.name, key.owner)


def test_an_owner_is_of_the_key_s_own_workspace(
    staff: Staff, shop: Workspace, other: Workspace
) -> None:
    client = staff(shop, "admin")
    keeper = get_user_model().objects.get(username="admin-of-shop")
    Membership.objects.create(workspace=other, user=keeper, role="admin")
    member = get_user_model().objects.create_user("of-other")
    Membership.objects.create(workspace=other, user=member, role="member")
    form = {"name": "n", "owner": member.pk, "expires_at_0": "", "expires_at_1": ""}

    client.post(url("apikey_add"), {**form, "workspace": shop.pk})
    assert 0 == APIKey.objects.count()

    client.post(url("apikey_add"), {**form, "workspace": other.pk})
    assert member == APIKey.objects.get().owner


def test_a_key_goes_with_its_workspace_and_its_user_alone(root: Client, shop: Workspace) -> None:
    owner = get_user_model().objects.create_user("owner")
    of_user = create_key(shop, "of a user", owner=owner).api_key
    of_service = create_key(shop, "of a service").api_key

    assert 403 == root.post(url("apikey_delete", of_user.pk), {"post": "yes"}).status_code
    assert {of_user, of_service} == set(APIKey.objects.all())

    page = reverse("admin:auth_user_delete", args=[owner.pk])
    assert 302 == root.post(page, {"post": "yes"}).status_code
    assert [of_service] == list(APIKey.objects.all())

    assert 302 == root.post(url("workspace_delete", shop.pk), {"post": "yes"}).status_code
    assert not APIKey.objects.exists()


# ---- bodies


def body_of(row: RequestLog) -> None:
    """Keep bodies of a request that would like to be more than text."""
    RequestBody.objects.create(id=row.pk, request=f"{XSS} & co", response="</pre>" + XSS)


def test_the_page_of_a_request_shows_its_bodies_as_text(staff: Staff, shop: Workspace) -> None:
    row = log_row(shop, 1)
    body_of(row)

    page = staff(shop, "member").get(url("requestlog_change", row.pk)).content.decode()

    assert XSS not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co</pre>" in page
    assert "&lt;/pre&gt;&lt;script&gt;" in page


def test_a_request_without_bodies_has_no_place_for_them(root: Client, shop: Workspace) -> None:
    page = root.get(url("requestlog_change", log_row(shop, 1).pk))

    assert 200 == page.status_code
    assert "<pre" not in page.content.decode()


def test_bodies_are_for_those_who_may_read_them(staff: Staff, shop: Workspace) -> None:
    row = log_row(shop, 1)
    body_of(row)
    member = staff(shop, "member")
    get_user_model().objects.get().user_permissions.remove(
        Permission.objects.get(codename="view_requestbody")
    )

    page = member.get(url("requestlog_change", row.pk))

    assert 200 == page.status_code
    assert "<pre" not in page.content.decode()


def test_bodies_of_another_workspace_are_not_there(
    staff: Staff, shop: Workspace, other: Workspace
) -> None:
    row = log_row(other, 1)
    body_of(row)

    answer = staff(shop, "admin").get(url("requestlog_change", row.pk))

    assert "alert(1)" not in answer.content.decode()
    assert 200 != answer.status_code
