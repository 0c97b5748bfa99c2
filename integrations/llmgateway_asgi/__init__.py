"""llmgateway as a pure ASGI 3 app: alone, mounted in another app, or in front of one.

from llmgateway import Gateway
from llmgateway_asgi import GatewayApp, mount

gateway = Gateway({"client_keys": {"me": "env:MY_CLIENT_KEY"}})
app = GatewayApp(gateway)                        # alone, or app.mount("/llm", GatewayApp(…))
app = mount(other_app, gateway, prefix="/llm")   # in front of any ASGI app
"""

from llmgateway_asgi.app import GatewayApp
from llmgateway_asgi.front import mount

__all__ = ["GatewayApp", "mount"]
