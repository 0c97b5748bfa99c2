"""The least that Django needs to make an application with the gateway."""

SECRET_KEY = "not-secret: no request is ever signed with it"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "llmgateway"]
USE_TZ = True
