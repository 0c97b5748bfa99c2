"""The gateway's tables: who may call, with which key and credential, and what came of it."""

from llmgateway_django.models.audit import AuditEvent
from llmgateway_django.models.configs import SavedConfig, SavedConfigVersion
from llmgateway_django.models.guardrails import Guardrail, GuardrailVersion
from llmgateway_django.models.integrations import Integration, VirtualKey
from llmgateway_django.models.keys import APIKey, APIKeySecret
from llmgateway_django.models.logs import RequestBody, RequestLog
from llmgateway_django.models.usage import UsageRollup
from llmgateway_django.models.workspaces import Membership, Workspace

__all__ = [
    "APIKey",
    "APIKeySecret",
    "AuditEvent",
    "Guardrail",
    "GuardrailVersion",
    "Integration",
    "Membership",
    "RequestBody",
    "RequestLog",
    "SavedConfig",
    "SavedConfigVersion",
    "UsageRollup",
    "VirtualKey",
    "Workspace",
]
