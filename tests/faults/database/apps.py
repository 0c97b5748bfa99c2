"""What servers of the project run: the gateway mounted in front of it."""

from __future__ import annotations

from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

from llmgateway_django import asgi, wsgi

asgi_application = asgi.mount(get_asgi_application())
wsgi_application = wsgi.mount(get_wsgi_application())
