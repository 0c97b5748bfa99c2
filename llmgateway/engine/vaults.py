"""The vaults of a call: one for its request, one for its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmgateway.guardrails import Stage
from llmgateway.guardrails.pii import Looked, Vault

_IN_NAMES = Looked(frozenset({"EMAIL_ADDRESS", "SECRET", "IBAN_CODE"}))


@dataclass(slots=True)
class Vaults:
    """What a call's guardrails have masked, for all of its targets; made when it is wanted.

    What was masked in the request is put back into the answer, what in the answer never is.
    """

    request: Vault | None = None
    answer: Vault | None = None

    def of(self, stage: Stage) -> Vault:
        """Return the one in which checks of this stage keep their values."""
        if stage == "input":
            self.request = Vault() if self.request is None else self.request
            return self.request
        self.answer = Vault() if self.answer is None else self.answer
        return self.answer

    @property
    def to_restore(self) -> Vault | None:
        """The request's, if it holds anything."""
        return self.request if self.request is not None and len(self.request) else None

    def scrub(self, value: Any, looked: Looked | None = None) -> Any:
        """Return what the log may keep of a text, or JSON."""
        for vault in (self.request, self.answer):
            if vault is not None:  # one that holds no value has masked for good
                value = vault.scrub(value, looked)
        return value

    def scrub_name(self, text: str) -> str:
        """Return a name, an id or a path likewise; its digits are no telephone's."""
        return str(self.scrub(text, _IN_NAMES))
