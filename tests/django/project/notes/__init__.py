"""An app of the project's own."""
