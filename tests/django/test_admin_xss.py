"""What others have written is text on every page of the admin, and never markup."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from llmgateway_django import audit
from llmgateway_django.configs import save_config
from llmgateway_django.keys import create_key
from llmgateway_django.models import (
    Guardrail,
    GuardrailVersion,
    Integration,
    Membership,
    RequestBody,
    SavedConfig,
    VirtualKey,
    Workspace,
)
from tests.django.matrix import undone
from tests.django.pages import log_row, url

pytestmark = pytest.mark.django_db

RUN = "xss('p')"
PAYLOADS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"<SCRIPT SRC=//xss.example/p.js></SCRIPT>{RUN}",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"<script\x0btype='x'>{RUN}</script>",
    f'"><script>{RUN}</script>',
    f"'><script>{RUN}</script>",
    f"--><script>{RUN}</script>",
    f"]]><script>{RUN}</script>",
    f"</textarea><script>{RUN}</script>",
    f"</title><script>{RUN}</script>",
    f"</style><script>{RUN}</script>",
    f"</pre><script>{RUN}</script>",
    f"</td></tr></table><script>{RUN}</script>",
    f"</select><img src=x onerror={RUN}>",
    f"<img src=x onerror={RUN}>",
    f"<img/src=x/onerror={RUN}>",
    f"<img src=`x` onerror={RUN}>",
    f'<img """><script>{RUN}</script>">',
    f"<svg onload={RUN}>",
    f"<svg/onload={RUN}//",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}>",
    f"<body onload={RUN}>",
    f"<iframe src=javascript:{RUN}>",
    f'<iframe srcdoc="&lt;script&gt;{RUN}&lt;/script&gt;">',
    f"<a href=javascript:{RUN}>x</a>",
    f"<a href='jAvAsCrIpT&colon;{RUN}'>x</a>",
    f"<form action=javascript:{RUN}><button>x",
    f"<button formaction=javascript:{RUN}>x</button>",
    f"<input autofocus onfocus={RUN}>",
    f"<details open ontoggle={RUN}>",
    f"<video><source onerror={RUN}>",
    f"<object data=javascript:{RUN}>",
    f"<embed src=javascript:{RUN}>",
    f"<meta http-equiv=refresh content='0;url=javascript:{RUN}'>",
    f"<base href=javascript:{RUN}//>",
    f"<link rel=stylesheet href=//xss.example/p.css>{RUN}",
    f"<style>@import'//xss.example/p.css';</style>{RUN}",
    f"<marquee onstart={RUN}>",
    f'" autofocus onfocus="{RUN}',
    f"' onmouseover='{RUN}",
    f"` onmouseover=`{RUN}",
    f"javascript:{RUN}",
    f"{{% load i18n %}}{{{{ request.user.password }}}}<b>{RUN}",
    f"${{7*7}}#{{7*7}}<%= 7*7 %><b>{RUN}",
    f"\u2028<script>{RUN}</script>\u2029",
    f"＜script＞{RUN}＜/script＞<b>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;<b>",
]
"""Each begins an element, ends an attribute or asks a template to do something."""


class _Found(HTMLParser):
    """Reads a page as a browser does, and keeps what could run."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.runs: list[str] = []
        self.text: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep handlers, addresses that are scripts, and elements that no page of ours has."""
        self._in_script = tag == "script"
        if tag in _ELEMENTS:
            self.runs.append(tag)
        for name, value in attrs:
            said = (value or "").strip()
            leads = name in ("href", "src", "action", "formaction", "data", "srcdoc", "content")
            if name.startswith("on") or (leads and "xss" in said):
                self.runs.append(f"{tag} {name}={said}")
            if name in ("value", "content", "title", "data-popup-opener"):
                self.text.append(said)

    def handle_endtag(self, tag: str) -> None:
        """Leave a script."""
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        """Keep scripts that say what a payload does, and text."""
        if self._in_script and "xss(" in data:
            self.runs.append(data)
        self.text.append(data)


_ELEMENTS = frozenset(
    "iframe object embed base math marquee video style animate mglyph source".split()
)


def written(payload: str, number: int) -> dict[str, Any]:
    """Write a payload wherever somebody can, and return the rows by the models' names."""
    name = payload[:200]
    workspace = Workspace.objects.create(name=name, slug=f"shop-{number}")
    user = get_user_model().objects.create_user(f"{name[:140]}{number}")
    Membership.objects.create(workspace=workspace, user=user)
    policy = {
        "scopes": [name],
        "allowed_models": [name],
        "allowed_providers": [name],
        "allowed_addresses": [name],
        "default_metadata": {"user_agent": name},
    }
    key = create_key(workspace, name, owner=user, policy=policy, by=user).api_key
    # Some past every form: rows come from code as well.
    integration = Integration.objects.create(
        workspace=workspace,
        name=name,
        provider="azure-openai",
        base_url=name,
        options={"resource_name": name, name: name},
    )
    virtual = VirtualKey.objects.create(
        workspace=workspace, slug=name[:64], integration=integration, allowed_models=[name]
    )
    config = SavedConfig.objects.create(workspace=workspace, name=name, slug="pc-a")
    save_config(config, {"provider": "openai", "override_params": {"user": name}}, by=user)
    guardrail = _guardrail(workspace, name)
    event = audit.record(user, name[:64], integration, {name: (name, [name])}, secrets=[name])
    row = _logged(workspace, number, name)
    RequestBody.objects.create(id=row.pk, request=payload, response=payload)
    return {
        "workspace": workspace,
        "apikey": key,
        "integration": integration,
        "virtualkey": virtual,
        "savedconfig": config,
        "guardrail": guardrail,
        "auditevent": event,
        "requestlog": row,
    }


def _guardrail(workspace: Workspace, name: str) -> Guardrail:
    guardrail: Guardrail = Guardrail.objects.create(workspace=workspace, name=name, slug="pg-a")
    GuardrailVersion.objects.create(
        guardrail=guardrail,
        number=1,
        checks=[
            {"id": name, "parameters": {name: name}},
            {"id": "default.contains", "parameters": {"words": [name]}},
        ],
        actions={name: name},
    )
    return guardrail


def _logged(workspace: Workspace, number: int, name: str) -> Any:
    one = {"target": name, "provider": name, "status": 200, "error": name, "duration_ms": name}
    return log_row(
        workspace,
        number,
        trace_id=name,
        path=f"/v1/{name}",
        model=name,
        provider=name[:100],
        principal=name,
        user=name[:100],
        endpoint=name[:64],
        error=name[:100],
        target=name,
        attempts=[one],
        metadata={"user_agent": name, name: name},
        hook_results={
            name: [{"id": name, "execution_time": name, "checks": [{"id": name, "error": name}]}]
        },
        dropped=[name],
        adjusted=[name],
    )


def pages_of_all() -> list[str]:
    """Return the pages that show many rows."""
    pages = [reverse("admin:index"), reverse("admin:app_list", args=["llmgateway"])]
    pages += [url(f"{model}_changelist") for model in MODELS]
    pages += [url(f"{model}_add") for model in MODELS if model not in READ_ONLY]
    query = {payload: payload for payload in PAYLOADS}
    return [
        *pages,
        f"{url('integration_add')}?provider=openai",
        f"{url('integration_add')}?{urlencode(query)}",
    ]


def pages_of_one(rows: dict[str, Any], every: bool) -> list[str]:
    """Return the pages of single rows; with `every`, those that are alike for all models too."""
    pages = [url(f"{model}_change", row.pk) for model, row in rows.items()]
    pages += [url(f"{name}_versions", rows[name].pk) for name in ("savedconfig", "guardrail")]
    if every:
        pages += [url(f"{model}_history", row.pk) for model, row in rows.items()]
        kept = {model: row for model, row in rows.items() if model not in (*READ_ONLY, "apikey")}
        pages += [url(f"{model}_delete", row.pk) for model, row in kept.items()]
        pages += [url(f"apikey_{page}", rows["apikey"].pk) for page in ("rotate", "revoke")]
    return pages


MODELS = (
    "workspace",
    "apikey",
    "integration",
    "virtualkey",
    "savedconfig",
    "guardrail",
    "auditevent",
    "requestlog",
)
READ_ONLY = ("auditevent", "requestlog")


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """A superuser's browser, and the rows of each payload."""
    with django_db_blocker.unblock(), undone():
        client = Client()
        client.force_login(get_user_model().objects.create_superuser("root"))
        yield client, [written(payload, number) for number, payload in enumerate(PAYLOADS)]


def found_in(answer: Any) -> _Found:
    assert 200 == answer.status_code
    found = _Found()
    found.feed(answer.content.decode())
    return found


def test_lists_and_forms_show_text(world: Any) -> None:
    client, _ = world
    runs = []
    shown = 0
    for page in pages_of_all():
        found = found_in(client.get(page))
        runs += [f"{page[:80]}: {what}" for what in found.runs]
        shown += "".join(found.text).count(RUN)

    assert [] == runs
    assert shown > 10 * len(PAYLOADS)


@pytest.mark.parametrize("number", range(len(PAYLOADS)))
def test_the_pages_of_a_row_show_text(world: Any, number: int) -> None:
    client, rows = world
    runs = []
    for page in pages_of_one(rows[number], number % 10 == 0):
        found = found_in(client.get(page))
        runs += [f"{page}: {what}" for what in found.runs]
        if RUN not in "".join(found.text):
            runs.append(f"{page}: nothing of it")

    assert [] == runs


def test_a_secret_is_shown_by_a_key_s_name(world: Any) -> None:
    """And a form that comes back shows what was posted, as text."""
    client, rows = world
    for number, payload in list(enumerate(PAYLOADS))[::7]:
        place = rows[number]["workspace"].pk
        wrong = {"workspace": place, "name": payload, "body": payload, "slug": payload}
        pages = [("apikey_add", {**wrong, "expires_at_0": "", "expires_at_1": ""})]
        pages += [("savedconfig_add", wrong), ("virtualkey_add", wrong)]
        check = {"check_0": payload, "fields_0": payload, "parameters_0": payload}
        pages += [("guardrail_add", {**wrong, **check, "actions": payload})]
        for page, form in pages:
            with undone():
                assert [] == found_in(client.post(url(page), form)).runs, page


def test_what_is_no_text_would_be_found() -> None:
    """The reader above knows them, wherever a page would have them as they are."""
    found = 0
    for payload in PAYLOADS:
        reader = _Found()
        reader.feed(f"<p>{payload}</p><input title='{payload}'><input title=\"{payload}\">")
        found += bool(reader.runs)

    assert found >= 40
