"""The request log and the audit log in the admin: what a page tells, and to whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from llmgateway_django import audit
from llmgateway_django.keys import create_key
from llmgateway_django.models import AuditEvent, Integration, Workspace
from tests.django.pages import XSS, Staff, log_row, url

pytestmark = pytest.mark.django_db

TRIES = [
    {
        "target": "config.targets[0]",
        "provider": "openai",
        "status": 503,
        "error": "overloaded",
        "duration_ms": 12.5,
        "resent": False,
    },
    {
        "target": "config.targets[1]",
        "provider": "groq",
        "status": 200,
        "error": None,
        "duration_ms": 7.25,
        "resent": True,
    },
]


def test_a_page_tells_what_became_of_a_request(staff: Staff, shop: Workspace) -> None:
    row = log_row(
        shop,
        1,
        attempts=TRIES,
        metadata={"team": "search"},
        first_byte_ms=3.5,
        input_tokens=17,
        reasoning_tokens=5,
        cost_nano=1_000_000_250,
        dropped=["logit_bias"],
        adjusted=["max_tokens"],
    )

    page = staff(shop, "member").get(url("requestlog_change", row.pk)).content.decode()

    cells = "<td>config.targets[0]</td><td>openai</td><td>503</td><td>overloaded</td><td>12.5</td>"
    assert cells in page
    for text in (
        "<td>7.25</td><td>True</td>",
        ">3.5<",
        ">17<",
        ">5<",
        ">1.000000250<",
        ">Shop<",
        "&quot;team&quot;: &quot;search&quot;",
        "logit_bias",
        "max_tokens",
    ):
        assert text in page, text


def test_the_list_names_the_keys_of_its_workspaces(
    staff: Staff, shop: Workspace, other: Workspace
) -> None:
    key, theirs = create_key(shop, "site").api_key, create_key(other, "secret plans").api_key
    for number, caller in enumerate((key.principal_id, theirs.principal_id, "key:me", "user:1")):
        log_row(shop, number, principal=caller)

    page = staff(shop, "member").get(url("requestlog_changelist")).content.decode()

    assert ["user:1", "key:me", theirs.principal_id, "site"] == re.findall(
        r'"field-caller">([^<]*)<', page
    )
    assert 4 == page.count('"field-duration">1<')
    assert 4 == page.count(">2025-12-31 18:00:00<")  # in the project's time zone


def test_a_request_that_no_provider_saw_has_a_page(root: Client) -> None:
    row = log_row(None, 1, attempts=[], status=401, cost_nano=None)

    page = root.get(url("requestlog_change", row.pk)).content.decode()

    assert ">unknown<" in page
    assert "<th>target</th>" not in page
    assert ">None<" not in page


@pytest.mark.parametrize("of", ["no number", "99999", "\u0661", "-1", "9" * 60])
def test_a_workspace_that_is_gone_is_told_by_its_id(root: Client, of: str) -> None:
    row = log_row(None, 1)
    row.workspace = of
    row.save()

    assert of in root.get(url("requestlog_change", row.pk)).content.decode()


def test_the_list_is_few_statements_and_none_counts_it_all(
    staff: Staff, shop: Workspace, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        log_row(shop, number)
        audit.record(None, "created", shop)
    client = staff(shop, "member")
    for page in ("requestlog_changelist", "auditevent_changelist"):
        with django_assert_max_num_queries(15) as captured:
            client.get(url(page))
        _counted_within_bounds(captured)


def _counted_within_bounds(captured: CaptureQueriesContext) -> None:
    counts = [query["sql"] for query in captured if "COUNT(" in query["sql"]]
    assert [True] == ["LIMIT 10000" in sql for sql in counts]


# ---- audit


def test_the_audit_is_of_the_own_workspaces(
    staff: Staff, root: Client, shop: Workspace, other: Workspace
) -> None:
    shared = Integration.objects.create(name="Shared", provider="openai")
    events = [audit.record(None, "created", of) for of in (shop, other, shared)]
    client = staff(shop, "member")

    seen = client.get(url("auditevent_changelist")).context["cl"].result_list
    every = root.get(url("auditevent_changelist")).context["cl"].result_list

    assert ([events[0]], events[::-1]) == (list(seen), list(every))
    for event, status in zip(events, (200, 404, 404), strict=True):
        assert status == client.get(url("auditevent_change", event.pk)).status_code
    found = root.get(url("auditevent_changelist"), {"q": str(shared.pk)}).context["cl"]
    assert [events[2]] == list(found.result_list)


def test_an_event_tells_before_and_after_as_text(root: Client, shop: Workspace) -> None:
    ann = get_user_model().objects.create_user("ann")
    event = audit.record(
        ann,
        "changed",
        shop,
        {"name": ("Old", XSS), XSS: (None, {"a": XSS})},
        secrets=["api_key", XSS],
    )

    page = root.get(url("auditevent_change", event.pk)).content.decode()

    assert "<td>name</td><td>&quot;Old&quot;</td><td>&quot;&lt;script&gt;" in page
    assert "api_key" in page
    assert XSS not in page


def test_nobody_changes_the_audit(root: Client, shop: Workspace) -> None:
    event = audit.record(None, "created", shop)

    assert 403 == root.post(url("auditevent_change", event.pk), {"action": "x"}).status_code
    assert 403 == root.post(url("auditevent_delete", event.pk), {"post": "yes"}).status_code
    assert 403 == root.get(url("auditevent_add")).status_code
    chosen = {"action": "delete_selected", "_selected_action": [event.pk], "post": "yes"}
    root.post(url("auditevent_changelist"), chosen)
    assert AuditEvent.objects.filter(pk=event.pk, action="created").exists()


def test_a_page_tells_what_guardrails_decided(staff: Staff, shop: Workspace) -> None:
    check = {"id": "default.contains", "verdict": False, "execution_time": 1.23456}
    late = {"id": "acme.names", "verdict": False, "execution_time": 5000, "error": "TimeoutError"}
    results = {
        "before_request_hooks": [
            {"id": "pg-a", "verdict": True, "execution_time": 2, "checks": [{"id": "acme.ok"}]}
        ],
        "after_request_hooks": [
            {"id": "pg-b", "verdict": False, "deny": True, "checks": [check, late]}
        ],
    }
    row = log_row(shop, 1, hook_results=results)
    without = log_row(shop, 2)

    client = staff(shop, "member")
    page = client.get(url("requestlog_change", row.pk)).content.decode()

    for cells in (
        ("request", "pg-a", "", "passed", "2", ""),
        ("answer", "pg-b", "", "denied", "", ""),
        ("", "", "default.contains", "failed", "1.23", ""),
        ("", "", "acme.names", "failed", "5000", "TimeoutError"),
    ):
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page
    empty = client.get(url("requestlog_change", without.pk)).content.decode()
    assert "What it passed" in empty and "pg-a" not in empty
