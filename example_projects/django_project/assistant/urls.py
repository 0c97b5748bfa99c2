"""The assistant's pages."""

from django.urls import path

from . import views, within

urlpatterns = [
    path("", views.page, name="page"),
    path("ask", views.ask, name="ask"),
    path("ask-within", within.ask, name="ask-within"),
]
