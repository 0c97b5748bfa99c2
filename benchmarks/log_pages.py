"""How fast the admin shows a log of a million rows: `python -m benchmarks.log_pages [ROWS]`.

The rows are as wide as real ones, over 90 days, of 20 workspaces of very different size, with 3 %
failed. Pages are asked for by Django's test client as users who have logged in.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.django_project import project_with
from benchmarks.results import PageTime

ROWS = 1_000_000
_REPEATS = 7
_WORKSPACES = 20
_URL = "/admin/llmgateway/requestlog/"
_PASSWORD = "of a benchmark"

_FILL = """
INSERT INTO llmgateway_requestlog ({names})
SELECT {values} FROM (
  SELECT i, md5(i::text) AS hash, to_timestamp(1790000000 + i * (90 * 86400.0 / {rows})) AS at,
         least({workspaces}, 1 + floor(-ln(random() + 1e-9) * 3)::int) AS place,
         (i * 37) % 100 < 3 AS failed
  FROM generate_series(1, {rows}) AS i
) AS row
"""
_VALUES = {
    "id": "(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' "
    "|| substr(hash, 1, 3) || '8' || substr(hash, 4, 15))::uuid",
    "trace_id": "'trace-' || i",
    "started_at": "at",
    "duration_ms": "200 + (i % 4000)",
    "first_byte_ms": "100 + (i % 900)",
    "method": "'POST'",
    "path": "'/v1/chat/completions'",
    "endpoint": "'chat'",
    "status": "CASE WHEN failed THEN 502 ELSE 200 END",
    "error": "CASE WHEN failed THEN 'upstream_error' ELSE '' END",
    "principal": "'key:' || substr(hash, 1, 8) || '-0000-7000-8000-' || lpad(place::text, 12, '0')",
    "user": "(i % 500)::text",
    "workspace": "place::text",
    "target": "'config.targets[' || i % 3 || ']'",
    "provider": "(ARRAY['openai', 'anthropic', 'google', 'groq'])[1 + i % 4]",
    "model": "(ARRAY['gpt-4o-mini', 'claude-haiku', 'gemini-flash', 'gpt-4.1'])[1 + i % 4]",
    "stream": "i % 2 = 0",
    "input_tokens": "i % 8000",
    "output_tokens": "i % 900",
    "usage_source": "'provider'",
    "attempts": "jsonb_build_array(jsonb_build_object('target', 'config.targets[0]', 'provider', "
    "'openai', 'status', 503, 'error', 'upstream_error', 'duration_ms', 31.5, 'resent', false), "
    "jsonb_build_object('target', 'config.targets[1]', 'provider', 'groq', 'status', 200, 'error', "
    "null, 'duration_ms', 411.25, 'resent', false))",
    "metadata": "jsonb_build_object('_user', 'user-' || i % 5000, 'environment', 'production', "
    "'feature', 'summary of documents', 'session', hash)",
    "dropped": "'[]'::jsonb",
    "adjusted": "'[]'::jsonb",
}


def main(rows: int) -> None:
    """Print the times as JSON."""
    with tempfile.TemporaryDirectory() as folder, project_with("PostgreSQL", Path(folder)):
        users = _users()
        _fill(rows)
        pages = [_timed(title, users[who], query) for title, who, query in _pages(rows)]
    print(json.dumps([asdict(page) for page in pages]))


def _pages(rows: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for who in ("superuser", "member of the largest", "member of the smallest", "member of three"):
        yield f"{who}: first page", who, {}
        yield f"{who}: failed", who, {"outcome": "failed"}
        yield f"{who}: answered", who, {"outcome": "ok"}
        yield f"{who}: a trace id", who, {"q": f"trace-{rows // 2}"}
    for who in ("superuser", "member of the largest"):
        yield f"{who}: page 50", who, {"p": 50}
    yield "member of none with rows: first page", "member of none", {}
    yield "member of none with rows: failed", "member of none", {"outcome": "failed"}


def _users() -> dict[str, Any]:
    """Make workspaces and members; returns a client for each, logged in."""
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    from llmgateway_django.models import Membership, Workspace

    places = [
        Workspace.objects.create(name=f"w{number}", slug=f"w{number}")
        for number in range(1, _WORKSPACES + 2)
    ]
    _place_ids.extend(str(place.pk) for place in places)
    memberships = {
        "member of the largest": places[:1],
        "member of the smallest": places[_WORKSPACES - 1 : _WORKSPACES],
        "member of three": [places[1], places[4], places[15]],
        "member of none": places[_WORKSPACES:],
    }
    User.objects.create_superuser("superuser", password=_PASSWORD)
    view = Permission.objects.get(codename="view_requestlog")
    for name, theirs in memberships.items():
        user = User.objects.create_user(name, password=_PASSWORD, is_staff=True)
        user.user_permissions.add(view)
        for place in theirs:
            Membership.objects.create(user=user, workspace=place, role=Membership.Role.MEMBER)
    clients = {}
    for name in ("superuser", *memberships):
        clients[name] = Client()
        assert clients[name].login(username=name, password=_PASSWORD)
    return clients


_place_ids: list[str] = []


def _fill(rows: int) -> None:
    from django.db import connection

    from llmgateway_django.models import RequestLog

    values = dict(_VALUES)
    for field in RequestLog._meta.concrete_fields:
        if field.column not in values and not field.null:
            values[field.column] = repr(field.get_default() or 0)
    ids = "(ARRAY[" + ", ".join(f"'{pk}'" for pk in _place_ids) + "])[place]"
    values["workspace"] = ids
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(
            _FILL.format(
                names=", ".join(f'"{name}"' for name in values),
                values=", ".join(values.values()),
                rows=rows,
                workspaces=_WORKSPACES,
            )
        )
        cursor.execute("VACUUM ANALYZE llmgateway_requestlog")  # as autovacuum does in time
        cursor.execute("SELECT pg_total_relation_size('llmgateway_requestlog')")
        (size,) = cursor.fetchone()
    took_s = time.perf_counter() - began
    print(f"{rows:,} rows, {size / 1e6:,.0f} MB, filled in {took_s:.0f} s", file=sys.stderr)


def _timed(title: str, client: Any, query: dict[str, Any]) -> PageTime:
    took_ms = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        answer = client.get(_URL, query)
        took_ms.append((time.perf_counter() - began) * 1e3)
        assert answer.status_code == 200, answer.status_code
    rows = answer.content.count(b'<th class="field-')
    page = PageTime(title, rows, took_ms[0], statistics.median(took_ms), max(took_ms))
    print(
        f"{title:40} {rows:3} rows, {page.median_ms:6.0f} ms, "
        f"first {page.first_ms:.0f}, worst {page.worst_ms:.0f}",
        file=sys.stderr,
    )
    return page


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROWS)
