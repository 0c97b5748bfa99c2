"""What `startproject` writes, the shortest way, and the gateway's own settings at the end."""

import os

SECRET_KEY = "change-me: it signs the sessions"
DEBUG = True
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "assistant",
    "llmgateway",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": PROCESSORS},
    }
]
NAME = os.environ.get("DATABASE", "db.sqlite3")
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": NAME}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
AUTH_USER_MODEL = "assistant.User"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "page"

OPENAI = {"API_KEY": "env:OPENAI_API_KEY"}
if "OPENAI_BASE_URL" in os.environ:  # a stand-in on this machine
    OPENAI["BASE_URL"] = "env:OPENAI_BASE_URL"
LLMGATEWAY = {
    "DEFAULT_PROVIDER": "openai",
    "PROVIDERS": {"openai": OPENAI},
    "ALLOW_LOOPBACK_UPSTREAMS": "OPENAI_BASE_URL" in os.environ,
    "KEY_RING": "Y2hhbmdlLW1lOiBpdCBzZWFscyB0aGUgc2VjcmV0cyE=",  # change it, too
}
