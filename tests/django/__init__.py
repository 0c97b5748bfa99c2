"""The Django shell: data and views in a project with the usual middleware."""
