"""The least that Django needs to make an ASGI application."""

SECRET_KEY = "not-secret: no request is ever signed with it"
