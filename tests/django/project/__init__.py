"""A Django project as `startproject` makes it, with the gateway and an app of its own."""
