"""The project under gunicorn, and Chromium in front of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django import DjangoDbBlocker

from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread
from tests.browser.payloads import PAYLOADS
from tests.browser.site import LogIn, Site, Watched, make_people, make_rows
from tests.django.project.routers import routed_to
from tests.django.servers import ServerProcess
from tests.stores.servers import connected

ALIAS = "browser"
WITHIN_MS = 30_000
"""For each step: a slow machine that runs other tests beside needs seconds for a page."""


@pytest.fixture(scope="session")
def executable() -> str:
    """Where Debian's Chromium is. Without it these tests are skipped, but not in CI."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is absent: apt-get install chromium")
        pytest.skip("Chromium is absent")
    return path


@pytest.fixture(scope="module")
def site(
    executable: str, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Site]:
    """A server with two workspaces, each with staff, in front of the fake provider."""
    folder = tmp_path_factory.mktemp("browser")
    with (
        serve_in_thread(FakeProvider()) as provider,
        django_db_blocker.unblock(),
        connected("sqlite", ALIAS, folder) as database,
        routed_to(ALIAS),
    ):
        make_people()
        secret = make_rows(PAYLOADS)
        base = f"{provider.url}/v1"
        setting = {
            "ALLOW_LOOPBACK_UPSTREAMS": True,
            "DEFAULT_PROVIDER": "openai",
            "LOG_BODIES": True,
            "PROVIDERS": {"openai": {"BASE_URL": base, "API_KEY": "sk-of-the-operator"}},
        }
        server = ServerProcess("gunicorn-static", folder, database, setting)
        try:
            yield Site(f"http://127.0.0.1:{server.port}", base, secret)
        finally:
            server.stop()


# After the site: Django refuses to use a database in a thread in which Playwright's loop runs.
@pytest.fixture(scope="module")
def chromium(executable: str, site: Site) -> Iterator[Browser]:
    """The browser, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the pages are put, for people to look at."""
    folder = tmp_path_factory.mktemp("pictures")
    print(f"pictures of the admin: {folder}")
    return folder


@pytest.fixture
def log_in(site: Site, chromium: Browser, pictures: Path) -> Iterator[LogIn]:
    """Log in a user in a browser of their own; in the end no script of a stranger has run."""
    opened: list[Watched] = []

    def log_in(name: str, *, plainly: bool = False) -> Watched:
        context = chromium.new_context(base_url=site.url, viewport={"width": 1280, "height": 900})
        context.set_default_timeout(WITHIN_MS)
        page: Page = context.new_page()
        watched = Watched(page, pictures)
        opened.append(watched)
        if plainly:
            watched.leave_styles_out()
        watched.log_in(name)
        return watched

    yield log_in
    for watched in opened:
        watched.page.context.close()

    assert [] == [trouble for watched in opened for trouble in watched.troubles]
