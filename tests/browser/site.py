"""The people and rows of the site, and a browser that is watched while it looks at them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction
from playwright.sync_api import ConsoleMessage, Dialog, Page, Request, expect

from llmgateway_django.configs import save_config
from llmgateway_django.guardrails import save_guardrail
from llmgateway_django.keys import create_key
from llmgateway_django.models import (
    Guardrail,
    Integration,
    Membership,
    SavedConfig,
    VirtualKey,
    Workspace,
)

PASSWORD = "only for this browser"
SHOP, OTHER, HOSTILE = "Shop", "Other", "Hostile"
"""Workspaces. Staff are called `of-` and the slug."""
_LEFT_OUT = re.compile("/favicon.ico$|/static/")
"""The project has no icon, and the rest is blocked where many pages are looked at."""
_PIECES_OF_SCRIPTS = """() => {
  const places = ["action", "data", "formaction", "href", "src", "xlink:href"];
  const runs = (attribute) => /^on/i.test(attribute.name)
    || places.includes(attribute.name) && /^\\s*javascript:/i.test(attribute.value);
  const found = [...document.querySelectorAll("*")]
    .flatMap((element) => [...element.attributes].filter(runs).map((a) => `${a.name}=${a.value}`));
  return "pwned" in window ? [...found, "window.pwned"] : found;
}"""
"""What may run, also where nobody has clicked yet; the admin has no such attribute of its own."""
_CUT_OFF = """() => [...document.querySelectorAll("#content, .results, .form-row, pre")]
  .filter((element) => element.scrollWidth > element.clientWidth + 1)
  .map((element) => `${element.tagName} ${element.className}`)"""
"""What is wider than its place, with the window as it is."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where things are."""

    url: str
    provider: str
    """The fake provider's address."""
    hostile_secret: str
    """A key of the hostile workspace."""

    @property
    def api(self) -> str:
        """The gateway's address."""
        return f"{self.url}/llm/v1"


def make_people() -> None:
    """Make the workspaces, and staff who manage them."""
    permissions = Permission.objects.filter(content_type__app_label="llmgateway")
    for name in (SHOP, OTHER, HOSTILE):
        workspace = Workspace.objects.create(name=name, slug=name.lower())
        user = get_user_model().objects.create_user(
            f"of-{workspace.slug}", password=PASSWORD, is_staff=True
        )
        user.user_permissions.set(permissions)
        Membership.objects.create(workspace=workspace, user=user, role=Membership.Role.ADMIN)


def make_rows(names: Sequence[str]) -> str:
    """Give the hostile workspace things of these names, and return a key of it."""
    hostile = Workspace.objects.get(name=HOSTILE)
    with transaction.atomic():
        for index, name in enumerate(names):
            create_key(hostile, name)
            account = Integration.objects.create(workspace=hostile, name=name, provider="openai")
            VirtualKey.objects.create(workspace=hostile, slug=f"vk-{index}", integration=account)
            config = SavedConfig.objects.create(workspace=hostile, slug=f"pc-{index}", name=name)
            save_config(config, {"override_params": {"user": name}})
            guardrail = Guardrail.objects.create(workspace=hostile, slug=f"pg-{index}", name=name)
            save_guardrail(guardrail, [{"id": "contains", "parameters": {"words": [name]}}])
        return create_key(hostile, "caller").secret


@dataclass
class Watched:
    """A page, and whatever happens in it that nobody asked for."""

    page: Page
    pictures: Path
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("dialog", self._dialog)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("request", self._request)

    def log_in(self, name: str) -> None:
        """Log in to the admin."""
        self.page.goto("/admin/login/?next=/admin/")
        self.page.get_by_label("Username").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.locator("#user-tools")).to_contain_text(name, ignore_case=True)

    def leave_styles_out(self) -> None:
        """Load neither styles nor scripts of the admin from now on: pages are quicker so."""
        network = self.page.context.new_cdp_session(self.page)
        network.send("Network.enable")
        network.send("Network.setBlockedURLs", {"urls": ["*/static/*"]})

    def look(self, path: str, picture: str = "") -> None:
        """Open a page of the gateway's, which is there and has nothing in it that runs."""
        answer = self.page.goto(f"/admin/llmgateway/{path}" if path[:1] != "/" else path)

        assert answer is not None and 200 == answer.status, path
        self.inspect(picture)

    def inspect(self, picture: str = "") -> None:
        """See that the page that is open has nothing in it that runs; on pictures, all of it."""
        found = self.page.evaluate(_PIECES_OF_SCRIPTS)
        if picture:
            self.page.screenshot(path=self.pictures / f"{picture}.png", full_page=True)

            assert [] == self.page.evaluate(_CUT_OFF), picture

        assert [] == found, self.page.url

    def save(self) -> None:
        """Send the form that is open."""
        self.page.get_by_role("button", name="Save", exact=True).click()

    def _dialog(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        if _LEFT_OUT.search(message.location["url"]):
            return
        if message.type in ("error", "warning"):
            self.troubles.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        is_ours = request.resource_type == "document" or "/static/" in request.url
        if not is_ours and not request.url.endswith(("/admin/jsi18n/", "/favicon.ico")):
            self.troubles.append(f"request: {request.url}")


class LogIn(Protocol):
    """Logs in a user, who sees the pages without styles where there are many of them."""

    def __call__(self, name: str, *, plainly: bool = False) -> Watched:
        """Return the user's browser."""
