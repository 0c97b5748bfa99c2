"""Workspaces, and who belongs to them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from llmgateway_django.models.fields import GuardrailsField

__all__ = ["Membership", "Workspace"]


class Workspace(models.Model):
    """What keys and logs belong to, and what its members see of them."""

    name = models.CharField(_("name"), max_length=200)
    slug = models.SlugField(_("slug"), max_length=64, unique=True)
    input_guardrails = GuardrailsField(
        _("input guardrails"), help_text=_("What runs over each request of the workspace.")
    )
    output_guardrails = GuardrailsField(
        _("output guardrails"), help_text=_("What runs over each answer.")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("workspace")
        verbose_name_plural = _("workspaces")
        ordering = ["slug"]

    def __str__(self) -> str:
        return str(self.name)


class Membership(models.Model):
    """A user's or a group's place in a workspace."""

    class Role(models.TextChoices):
        """What a member may do, from most to least."""

        ADMIN = "admin", _("admin")
        MANAGER = "manager", _("manager")
        MEMBER = "member", _("member")

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="memberships", verbose_name=_("workspace")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="llmgateway_memberships",
        verbose_name=_("user"),
    )
    group = models.ForeignKey(
        "auth.Group",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="llmgateway_memberships",
        verbose_name=_("group"),
    )
    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.MEMBER)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user"], name="llmgateway_membership_user"
            ),
            models.UniqueConstraint(
                fields=["workspace", "group"], name="llmgateway_membership_group"
            ),
            models.CheckConstraint(
                name="llmgateway_membership_one",
                condition=models.Q(user__isnull=True) ^ models.Q(group__isnull=True),
                violation_error_message=_("Name a user or a group, not both."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.group}: {self.role}"
