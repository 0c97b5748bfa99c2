"""What holds for the whole run.

`LLMGATEWAY_TEST_TRANSPORT=httpx`: the client by which the tests' gateways reach providers. Gateways
whose settings name a client, and those that are served as a process, keep their own.
"""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from llmgateway.settings import Settings, UpstreamTransport
from llmgateway.transport.base import Transport
from llmgateway.transport.choice import transport_of

_VARIABLE = "LLMGATEWAY_TEST_TRANSPORT"

# A loaded machine makes nothing false: examples have no time limit.
hypothesis_settings.register_profile(
    "untimed",
    hypothesis_settings.get_profile(hypothesis_settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Put the client into the settings, just before a transport is made of them."""
    client = os.environ.get(_VARIABLE)
    if not client:
        return
    way = UpstreamTransport.model_validate(client)

    def made(settings: Settings) -> Transport:
        if "upstream_transport" not in settings.model_fields_set:
            settings = settings.model_copy(update={"upstream_transport": way})
        return transport_of(settings)

    # Not undone: it is for the whole run.
    pytest.MonkeyPatch().setattr("llmgateway.gateway.transport_of", made)


def pytest_collection_finish() -> None:
    """Hide what was collected from the garbage collector.

    A look at all of it takes a second of processor time, and any test with a limit may meet it.
    """
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str | None:
    """Say so."""
    client = os.environ.get(_VARIABLE)
    return f"transport of gateways: {client}" if client else None
