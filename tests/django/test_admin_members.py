"""Members of workspaces in the admin: named exactly, so that nobody sees who else there is."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from llmgateway_django.models import AuditEvent, Membership, Workspace
from tests.django.pages import Staff, url

pytestmark = pytest.mark.django_db


def form(workspace: Workspace, *rows: dict[str, Any], there: int = 0) -> dict[str, Any]:
    """Return what the form posts, with these rows of members, of which some are there."""
    given: dict[str, Any] = {"name": workspace.name, "slug": workspace.slug}
    given["memberships-TOTAL_FORMS"] = len(rows)
    given["memberships-INITIAL_FORMS"] = there
    for number, row in enumerate(rows):
        plain = {"user": "", "group": "", "role": "member", "workspace": workspace.pk}
        for name, value in {**plain, **row}.items():
            given[f"memberships-{number}-{name}"] = value
    return given


def named(client: Client, workspace: Workspace, **row: Any) -> list[str]:
    """Add a member by the form, and return its complaints."""
    there = [{"id": member.pk, "role": member.role} for member in workspace.memberships.all()]
    given = form(workspace, *there, row, there=len(there))
    answer = client.post(url("workspace_change", workspace.pk), given)
    if answer.status_code == 302:
        return []
    formset = answer.context["inline_admin_formsets"][0].formset
    faults = [*formset.non_form_errors()]
    for found in formset.forms:
        faults += [fault for some in found.errors.values() for fault in some]
    return faults


def users() -> Any:
    return get_user_model().objects


@pytest.mark.parametrize(("role", "may"), [("admin", True), ("manager", False), ("member", False)])
def test_who_may_name_members(staff: Staff, shop: Workspace, role: str, may: bool) -> None:
    client = staff(shop, role)
    users().create_user("new")
    given = form(shop, {"user": "new"})

    answer = client.post(url("workspace_change", shop.pk), given)

    assert (302 if may else 403) == answer.status_code
    assert may == shop.memberships.filter(user__username="new").exists()
    seen = client.get(url("workspace_change", shop.pk)).content.decode()
    assert f"{role}-of-shop" in seen


def test_a_user_is_named_by_name_or_address(staff: Staff, shop: Workspace) -> None:
    client = staff(shop, "admin")
    ann = users().create_user("ann", "ann@example.com")
    bob = users().create_user("bob", "bob@example.com")

    assert [] == named(client, shop, user="ann") == named(client, shop, user=" bob@example.com ")
    assert {ann, bob} <= {member.user for member in shop.memberships.all()}
    told = AuditEvent.objects.filter(kind="membership").values_list("action", "object_name")
    assert {("created", "ann: member"), ("created", "bob: member")} == set(told)


@pytest.mark.parametrize(
    "name", ["an", "ANN", "ann%", "1", "ann@", "gone", "b@example.com", "ann\n"]
)
def test_nobody_is_guessed(staff: Staff, shop: Workspace, name: str) -> None:
    """Whether by a part, by an id, or where two users may be meant."""
    client = staff(shop, "admin")
    users().create_user("ann", "a@example.com")
    users().create_user("gone", is_active=False)
    users().create_user("b@example.com")
    users().create_user("victim", "b@example.com")

    expected = (
        [] if name.strip() == "ann" else ["There is not one active user of exactly this name"]
    )
    assert expected == [fault[:49] for fault in named(client, shop, user=name)]


def test_no_id_tells_a_name(staff: Staff, shop: Workspace) -> None:
    """A form that comes back shows what was entered, and nothing that it stands for."""
    client = staff(shop, "admin")
    stranger = users().create_user("stranger", "s@example.com")
    group = Group.objects.create(name="strangers")
    rows = [{"user": stranger.pk}, {"group": group.pk}, {"user": "s@example.com", "role": "no"}]

    answer = client.post(url("workspace_change", shop.pk), form(shop, *rows))

    assert 200 == answer.status_code
    assert "stranger" not in answer.content.decode()


def test_groups_are_for_superusers_to_name(staff: Staff, root: Client, shop: Workspace) -> None:
    """Managers choose owners of keys among members: a group would show them all that are in it."""
    group = Group.objects.create(name="everybody")

    named(staff(shop, "admin"), shop, group="everybody")
    assert not shop.memberships.filter(user=None).exists()
    assert ["There is no group of exactly this name."] == named(root, shop, group="every")
    assert [] == named(root, shop, group="everybody")
    assert group == shop.memberships.get(user=None).group


def test_a_member_is_a_user_or_a_group_and_once(root: Client, shop: Workspace) -> None:
    users().create_user("ann")
    Group.objects.create(name="staff")

    both = ["Name a user or a group, not both."]
    assert both == named(root, shop, user="ann", group="staff") == named(root, shop, role="admin")
    assert [] == named(root, shop, user="ann")
    # In Django's words, which differ from version to version.
    assert [] != named(root, shop, user="ann")
    assert 1 == shop.memberships.count()


def test_a_role_changes_and_a_member_leaves(staff: Staff, shop: Workspace) -> None:
    client = staff(shop, "admin")
    ann, bob = (
        Membership.objects.create(workspace=shop, user=users().create_user(name), role="member")
        for name in ("ann", "bob")
    )
    own = shop.memberships.get(role="admin")
    rows = [
        {"id": own.pk, "role": "admin"},
        {"id": ann.pk, "role": "manager", "user": "bob"},
        {"id": bob.pk, "DELETE": "on"},
    ]

    answer = client.post(url("workspace_change", shop.pk), form(shop, *rows, there=3))

    assert 302 == answer.status_code
    ann.refresh_from_db()
    assert ("ann", "manager") == (ann.user.username, ann.role)
    assert not shop.memberships.filter(pk=bob.pk).exists()
    told = list(AuditEvent.objects.values_list("action", "kind", "workspace"))
    assert [
        ("changed", "membership", str(shop.pk)),
        ("deleted", "membership", str(shop.pk)),
    ] == told


def test_a_workspace_is_made_with_members(root: Client) -> None:
    users().create_user("ann")
    given = form(Workspace(name="New", slug="new"), {"user": "ann", "role": "admin"})
    given["memberships-0-workspace"] = ""

    assert 302 == root.post(url("workspace_add"), given).status_code
    assert "ann" == Workspace.objects.get(slug="new").memberships.get().user.username
    told = AuditEvent.objects.order_by("pk").values_list("action", "kind")
    assert [("created", "workspace"), ("created", "membership")] == list(told)
