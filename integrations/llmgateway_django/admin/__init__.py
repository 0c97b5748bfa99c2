"""The gateway's pages in the project's admin."""

from llmgateway_django.admin.configs import SavedConfigAdmin
from llmgateway_django.admin.events import AuditEventAdmin
from llmgateway_django.admin.guardrails import GuardrailAdmin
from llmgateway_django.admin.integrations import IntegrationAdmin, VirtualKeyAdmin
from llmgateway_django.admin.keys import APIKeyAdmin
from llmgateway_django.admin.logs import RequestLogAdmin
from llmgateway_django.admin.workspaces import WorkspaceAdmin

__all__ = [
    "APIKeyAdmin",
    "AuditEventAdmin",
    "GuardrailAdmin",
    "IntegrationAdmin",
    "RequestLogAdmin",
    "SavedConfigAdmin",
    "VirtualKeyAdmin",
    "WorkspaceAdmin",
]
