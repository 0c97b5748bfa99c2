"""One command to try it, `python demo.py [port]`: tables, a user, a key, and a provider if need be.

Where there is no `OPENAI_API_KEY`, the fake provider takes OpenAI's place.
"""

import io
import os
import sys
from contextlib import ExitStack

import django
from django.contrib.auth import get_user_model
from django.core.management import call_command

from llmgateway.testing import FakeProvider
from llmgateway.testing.server import serve_in_thread


def make_what_is_missing() -> None:
    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    if not users.filter(username="alice").exists():
        users.create_superuser("alice", password="wonderland", team="Tea party")
    # A new one each time, since no key can be read from the database again.
    key = io.StringIO()
    call_command("llmgateway_createkey", "assistant", days=1, stdout=key, stderr=io.StringIO())
    os.environ["LLM_KEY"] = key.getvalue().strip()


def main(port: str = "8000") -> None:
    os.environ["LLM_BASE_URL"] = f"http://127.0.0.1:{port}/llm/v1"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    with ExitStack() as stack:
        if "OPENAI_API_KEY" not in os.environ:
            fake = stack.enter_context(serve_in_thread(FakeProvider()))
            os.environ |= {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": f"{fake.url}/v1"}
        django.setup()
        make_what_is_missing()
        # It has a thread for each request, so a view can call its own server.
        call_command("runserver", port, use_reloader=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
