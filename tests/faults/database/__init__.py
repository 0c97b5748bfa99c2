"""Databases that go away while a Django project serves: a cluster, a project and its callers."""
