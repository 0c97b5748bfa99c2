"""Migrations of the project's own app."""
