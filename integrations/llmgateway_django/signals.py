"""What a project may want to hear of, as Django's own signals.

What a receiver raises is logged and stops nothing. Those of keys get `api_key`, never its secret,
and are called once the change is committed. That of requests gets `record`, a
`llmgateway.types.record.Record`; it runs in a thread of its own after the row is stored, or could
not be, and may use the ORM.
"""

from __future__ import annotations

from django.dispatch import Signal

__all__ = ["key_created", "key_revoked", "key_rotated", "request_finished"]

key_created = Signal()
"""An API key was made."""
key_rotated = Signal()
"""An API key was given a new secret."""
key_revoked = Signal()
"""An API key was ended for ever."""
request_finished = Signal()
"""A request of the gateway is over, and its answer is out."""
