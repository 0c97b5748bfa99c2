"""A fake provider and a server in a thread, for tests, demos and benchmarks.

`llmgateway.testing.server` is not imported here, because it needs uvicorn; nor is the fake
provider's row, `llmgateway.testing.fake_row.FAKE`, because the app alone needs no gateway.
"""

from llmgateway.testing.exchange import Received
from llmgateway.testing.fake import FakeProvider
from llmgateway.testing.script import PARTS, script_table

__all__ = ["PARTS", "FakeProvider", "Received", "script_table"]
