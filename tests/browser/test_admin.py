"""The admin as staff have it in a browser, and clients that use what they make there."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from playwright.sync_api import Browser, expect

from tests.browser.payloads import PAYLOADS
from tests.browser.site import HOSTILE, SHOP, LogIn, Site, Watched
from tests.wsgi.processes import soon

pytestmark = pytest.mark.matrix

MODEL = "gpt-4o-mini"
LISTS = (
    "apikey",
    "auditevent",
    "guardrail",
    "integration",
    "requestlog",
    "savedconfig",
    "virtualkey",
    "workspace",
)
FAULTY = {
    "strategy": {"mode": "fallback"},
    "targets": [{"provider": "openai"}, {"provider": "opnai"}],
}
A_PAGE = 4
"""How many of the texts a request has."""
SECRET = re.compile(r"lgw_\w{20,}")


@pytest.fixture(scope="module")
def sdk(site: Site) -> Iterator[openai.OpenAI]:
    """The SDK at the gateway's address; each call says its key."""
    with openai.OpenAI(base_url=site.api, api_key="none", max_retries=0) as client:
        yield client


def ask(sdk: openai.OpenAI, secret: str, question: str, model: str = MODEL, **headers: str) -> str:
    """Return what a client is answered."""
    answer = sdk.with_options(api_key=secret).chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": question}],
        extra_headers=headers,
    )
    return answer.choices[0].message.content or ""


def ask_for_a_stream(sdk: openai.OpenAI, secret: str, question: str) -> str:
    """Do as `ask`, piece by piece."""
    stream = sdk.with_options(api_key=secret).chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": question}], stream=True
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def made_key(staff: Watched, name: str) -> str:
    """Make a key by its form, and return the secret that is shown."""
    page = staff.page
    staff.look("apikey/add/", "key-form")
    page.get_by_label("Workspace").select_option(SHOP)
    page.get_by_label("Name").fill(name)
    staff.save()
    secret = page.locator("#llmgateway-secret").input_value()
    staff.inspect("key-secret")
    return secret


def rows(staff: Watched) -> int:
    """Return how many rows the list has that is open."""
    return staff.page.locator("#result_list tbody tr").count()


def wait_for_rows(staff: Watched, path: str, least: int) -> None:
    """Open a list until it has so many rows: the log is written behind the requests."""

    def are_there() -> bool:
        staff.look(path)
        return rows(staff) >= least

    assert soon(are_there)


def links(staff: Watched) -> list[str]:
    """Return the addresses of the rows of the list that is open."""
    found = staff.page.locator("#result_list tbody th a").all()
    return [str(link.get_attribute("href")) for link in found]


def test_a_key_of_the_form_opens_the_api_and_its_calls_are_in_the_log(
    sdk: openai.OpenAI, log_in: LogIn
) -> None:
    staff = log_in("of-shop")
    secret = made_key(staff, "site")

    assert "You said: Hello" == ask(sdk, secret, "Hello")
    assert "You said: Hi" == ask_for_a_stream(sdk, secret, "Hi")
    wait_for_rows(staff, "requestlog/", 2)
    staff.inspect("log")
    callers = staff.page.locator("td.field-caller").all_text_contents()
    staff.page.locator("#result_list tbody th a").first.click()
    expect(staff.page.locator(".field-response_body pre")).to_contain_text("said:")
    staff.inspect("log-detail")

    assert {"site"} == set(callers)


def test_a_secret_is_shown_once(log_in: LogIn) -> None:
    staff = log_in("of-shop")
    secret = made_key(staff, "once")
    page = staff.page
    page.go_back()
    seen = [page.content()]
    page.reload()
    seen.append(page.content())
    staff.look("apikey/", "keys")
    seen.append(page.content())
    page.get_by_role("link", name="once", exact=True).click()
    staff.inspect("key")
    seen.append(page.content())

    assert SECRET.fullmatch(secret)
    assert [] == [text for text in seen if secret in text or SECRET.search(text)]


def test_a_virtual_key_of_the_form_leads_to_its_integration(
    site: Site, sdk: openai.OpenAI, log_in: LogIn
) -> None:
    staff = log_in("of-shop")
    page = staff.page
    staff.look("integration/add/", "integration-choice")
    page.get_by_label("Provider").select_option("groq")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Workspace").select_option(SHOP)
    page.get_by_label("Name:", exact=True).fill("Groq of the shop")
    page.get_by_label("Base URL").fill(site.provider)
    page.locator("#id_secret_api_key").fill("gsk-of-the-shop")
    staff.inspect("integration-form")
    staff.save()
    staff.look("virtualkey/add/", "virtual-key-form")
    page.get_by_label("Workspace").select_option(SHOP)
    page.get_by_label("Slug").fill("fast")
    page.get_by_label("Integration").select_option("Groq of the shop (groq)")
    staff.save()
    page.get_by_role("link", name="fast", exact=True).wait_for()

    assert "You said: Hello" == ask(sdk, made_key(staff, "for @fast"), "Hello", "@fast/llama")


def test_a_fault_of_a_config_is_told_with_its_path(log_in: LogIn) -> None:
    staff = log_in("of-shop")
    page = staff.page
    staff.look("savedconfig/add/", "config-form")
    page.get_by_label("Workspace").select_option(SHOP)
    page.get_by_label("Name:", exact=True).fill("Two")
    page.get_by_label("Slug").fill("pc-two")
    page.get_by_label("Config").fill(json.dumps(FAULTY, indent=2))
    staff.save()
    expect(page.locator(".errorlist").first).to_contain_text("targets[1].provider")
    staff.inspect("config-fault")
    page.get_by_label("Config").fill(json.dumps(FAULTY).replace("opnai", "groq"))
    staff.save()
    page.get_by_role("link", name="Two", exact=True).click()
    page.get_by_role("link", name="Versions").click()
    expect(page.locator("pre")).to_contain_text("groq")
    staff.inspect("config-versions")


def test_staff_of_another_workspace_see_none_of_it(
    site: Site, sdk: openai.OpenAI, log_in: LogIn
) -> None:
    ask(sdk, site.hostile_secret, "Hello")
    owner = log_in("of-hostile", plainly=True)
    wait_for_rows(owner, "requestlog/", 1)
    theirs = []
    for name in LISTS:
        owner.look(f"{name}/")
        theirs.append(links(owner)[0])
    stranger = log_in("of-other", plainly=True)
    for name in LISTS:
        stranger.look(f"{name}/")
        shown = stranger.page.locator("#content").inner_text()

        assert (name == "workspace") == bool(rows(stranger))
        assert HOSTILE not in shown
    found = [stranger.page.request.get(path, max_redirects=0).status for path in theirs]

    assert [404] * len(LISTS) == found


def test_texts_that_are_scripts_are_shown_and_do_not_run(
    site: Site, sdk: openai.OpenAI, log_in: LogIn
) -> None:
    for index, text in enumerate(PAYLOADS):
        group = PAYLOADS[index // A_PAGE * A_PAGE :][:A_PAGE]
        metadata = json.dumps({each: each for each in group})
        headers = {"x-llmgateway-metadata": metadata, "user-agent": text}
        question = "\n".join(group)

        assert f"You said: {question}" == ask(sdk, site.hostile_secret, question, text, **headers)
    staff = log_in("of-hostile", plainly=True)
    wait_for_rows(staff, "requestlog/?all=", len(PAYLOADS))
    models = staff.page.locator("td.field-model").all_text_contents()
    newest = links(staff)[: len(PAYLOADS)]
    seen = [text for path in newest[::A_PAGE] for text in shown_in(staff, path)]

    assert set(PAYLOADS) <= set(models)
    assert sorted(PAYLOADS) == sorted(seen)


def shown_in(staff: Watched, path: str) -> list[str]:
    """Return the texts that a row's page shows as lines of the prompt and of the answer, and as
    names and values of metadata."""
    staff.look(path)
    prompt, answer, metadata = (
        json.loads(staff.page.locator(f".field-{name} pre").text_content() or "")
        for name in ("request_body", "response_body", "shown_metadata")
    )
    texts = sorted(prompt["messages"][0]["content"].split("\n"))
    answered = answer["choices"][0]["message"]["content"].removeprefix("You said: ")

    assert texts == sorted(answered.split("\n"))
    assert texts == sorted(metadata) == sorted(metadata.values())
    return texts


def test_what_runs_is_noticed(chromium: Browser, pictures: Path) -> None:
    """A page that takes the texts for HTML has most of them in it, and some at once run."""
    page = chromium.new_page()
    watched = Watched(page, pictures)
    noticed = []
    for text in PAYLOADS:
        page.set_content(f"<pre>{text}</pre><input value='{text}'>")
        with contextlib.suppress(AssertionError):
            watched.inspect()
            continue
        noticed.append(text)
    page.close()

    assert len(PAYLOADS) * 3 // 4 < len(noticed)
    assert watched.troubles


def test_names_that_are_scripts_are_shown_and_do_not_run(log_in: LogIn) -> None:
    staff = log_in("of-hostile", plainly=True)
    for name in ("apikey", "guardrail", "integration", "savedconfig", "virtualkey", "auditevent"):
        staff.look(f"{name}/?all=")
        shown = staff.page.locator("#result_list tbody").text_content() or ""

        assert [] == [text for text in PAYLOADS if text not in shown]
        for path in links(staff)[:2]:
            staff.look(path)
