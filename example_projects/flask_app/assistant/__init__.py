"""An app with a login and a chat page of its own, and the gateway at /llm for its users' tools."""

from flask import Flask

from llmgateway_flask import LLMGateway, by_request_loader

from . import chat, settings, users

llm = LLMGateway(authenticate=by_request_loader(users.by_token))


def create_app() -> Flask:
    app = Flask(__name__)
    app.config.from_object(settings)
    app.config.from_prefixed_env()
    llm.init_app(app)
    app.register_blueprint(users.pages)
    app.register_blueprint(chat.pages)
    return app
