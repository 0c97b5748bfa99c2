"""The users in the admin. The gateway's pages, keys and request log, are there by themselves."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from .models import User

admin.site.register(
    User, UserAdmin, fieldsets=((None, {"fields": ("team",)}), *UserAdmin.fieldsets)
)
