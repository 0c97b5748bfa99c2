"""Checks of the project's own, which may ask its tables."""

from __future__ import annotations

from llmgateway.guardrails import Subject, Verdict, check
from tests.django.project.notes.models import Note


@check("notes.unknown_text", stages=("input",))
def unknown_text(subject: Subject, at_most: int = 0) -> Verdict:
    """Pass when no more than so many notes say the same as the text.

    Args:
        at_most: How many may.
    """
    count = Note.objects.filter(text=subject.text).count()
    return Verdict(count <= at_most, {"count": count})
