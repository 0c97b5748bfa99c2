"""llmgateway as a WSGI app: alone, or mounted in front of one.

from llmgateway import Gateway
from llmgateway_wsgi import GatewayWSGI, mount

gateway = Gateway({"client_keys": {"me": "env:MY_CLIENT_KEY"}})
app = GatewayWSGI(gateway)                       # alone
app = mount(other_app, gateway, prefix="/llm")   # in front of any WSGI app
"""

from llmgateway_wsgi.answer import respond
from llmgateway_wsgi.app import GatewayWSGI
from llmgateway_wsgi.environ import Environ, StartResponse, WSGIApp, request_of
from llmgateway_wsgi.front import mount

__all__ = [
    "Environ",
    "GatewayWSGI",
    "StartResponse",
    "WSGIApp",
    "mount",
    "request_of",
    "respond",
]
