"""The lists of guardrails that workspaces and keys demand, in their forms."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError

from llmgateway_django.guardrails import check_demands
from llmgateway_django.models import Workspace

__all__ = ["check_lists"]


def check_lists(form: Any, workspace: Workspace | None) -> None:
    """Have a form complain of guardrails that calls of the workspace could not run."""
    for stage in ("input", "output"):
        name = f"{stage}_guardrails"
        # Those that stood there before may name what is archived since; they stay as they are.
        if name not in form.changed_data or not form.cleaned_data.get(name):
            continue
        try:
            check_demands(form.cleaned_data[name], stage, workspace)
        except ValidationError as error:
            form.add_error(name, error)
