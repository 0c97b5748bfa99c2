"""llmgateway as a Flask extension.

from flask import Flask
from llmgateway_flask import LLMGateway, current_gateway

llm = LLMGateway()                     # once a process; serves at /llm

def create_app():
    app = Flask(__name__)
    app.config["LLMGATEWAY"] = {"providers": {"openai": {"api_key": "env:OPENAI_API_KEY"}}}
    llm.init_app(app)
    return app

current_gateway.handle(request, principal)   # within the app, without HTTP
"""

from llmgateway_flask.callers import by_request_loader
from llmgateway_flask.extension import LLMGateway
from llmgateway_flask.state import FlaskGateway, current_gateway
from llmgateway_flask.view import blueprint

__all__ = ["FlaskGateway", "LLMGateway", "blueprint", "by_request_loader", "current_gateway"]
