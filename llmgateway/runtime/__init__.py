"""The gateway for callers that block: one event loop a process, shared by all threads.

from llmgateway.runtime import background_loop

response = background_loop().handle(gateway, request)   # from any thread
background_loop().run(gateway.recorder.flush())
"""

from llmgateway.runtime.background import BackgroundLoop, background_loop
from llmgateway.runtime.base import LoopStopped, Runtime, SyncByteStream, SyncResponse
from llmgateway.runtime.body import BlockingBody
from llmgateway.runtime.inline import InlineLoop

__all__ = [
    "BackgroundLoop",
    "BlockingBody",
    "InlineLoop",
    "LoopStopped",
    "Runtime",
    "SyncByteStream",
    "SyncResponse",
    "background_loop",
]
