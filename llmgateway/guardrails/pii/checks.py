"""Checks for personal data and secrets: to deny them, or to mask them and put them back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator

from llmgateway.guardrails.base import ParameterFault, Subject, Verdict
from llmgateway.guardrails.declare import Arguments, Check, check
from llmgateway.guardrails.parameters import did_you_mean
from llmgateway.guardrails.pii.find import Looked, find
from llmgateway.guardrails.pii.phones import is_region, library
from llmgateway.guardrails.pii.recognise import recogniser
from llmgateway.guardrails.pii.restore import StreamMask
from llmgateway.guardrails.pii.shapes import KINDS, OTHER_KINDS, known_kind, window_limit
from llmgateway.guardrails.pii.vault import Found, Vault
from llmgateway.guardrails.pii.vendors import CONTEXTS, VENDORS
from llmgateway.guardrails.regexp import compile_own

_VENDORS = sorted({*(row.name for row in VENDORS), *(row.name for row in CONTEXTS), "private-key"})
_SECRETS = frozenset({"SECRET"})


def _category(name: str) -> str:
    known = known_kind(name)
    if known is None:
        hint = did_you_mean(name, [*KINDS, *OTHER_KINDS])
        raise ParameterFault(f"There is no category {name[:100]!r}{hint}")
    return known


def _region(code: str) -> str:
    if not is_region(code.upper()):
        raise ParameterFault(f"{code[:10]!r} is no region: two letters, such as US")
    return code.upper()


def _vendor(name: str) -> str:
    if name not in _VENDORS:
        raise ParameterFault(f"There is no vendor {name[:100]!r}{did_you_mean(name, _VENDORS)}")
    return name


Categories = Annotated[
    tuple[Annotated[str, AfterValidator(_category)], ...],
    "What to look for; all but names if none.",
]
Regions = Annotated[
    tuple[Annotated[str, AfterValidator(_region)], ...],
    "Regions whose telephone numbers count without a plus sign.",
]
Allowed = Annotated[
    tuple[Annotated[str, AfterValidator(_vendor)], ...], "Vendors whose keys may stand in texts."
]
Redact = Annotated[bool, "Put placeholders in the place of what is found, and pass."]
Reversible = Annotated[bool, "Put the values back in the answer, where its placeholders stand."]
Not = Annotated[bool, "Turn the verdict round."]


def _looked(categories: tuple[str, ...], regions: tuple[str, ...]) -> Looked:
    kinds = frozenset(categories or KINDS)
    return Looked(kinds, regions, frozenset(), None if kinds <= KINDS.keys() else recogniser())


def _pii_looked(arguments: Arguments) -> Looked:
    return _looked(arguments["categories"], arguments.get("regions", ("US",)))


def _secrets_looked(arguments: Arguments) -> Looked:
    return Looked(_SECRETS, (), frozenset(arguments["allowed"]))


def _limit(looked_of: Callable[[Arguments], Looked]) -> Callable[[Arguments], int | None]:
    """Return what tells the window of a check, and refuses what cannot run when it is bound."""

    def limit(arguments: Arguments) -> int | None:
        looked = looked_of(arguments)
        compile_own("x")
        if "PHONE_NUMBER" in looked.kinds:
            library()
        if arguments.get("not_") and not _redacts(arguments):
            return None  # what must be found may stand anywhere in the whole
        return window_limit(looked.kinds)

    return limit


def _masker(
    looked_of: Callable[[Arguments], Looked],
) -> Callable[[Arguments, Vault, bool], StreamMask]:
    def masker(arguments: Arguments, vault: Vault, is_json: bool) -> StreamMask:
        return StreamMask(vault, is_json, looked=looked_of(arguments), is_reversible=False)

    return masker


def _redacts(arguments: Arguments) -> bool:
    return bool(arguments["redact"])


def _verdict(
    subject: Subject,
    looked: Looked,
    redact: bool,
    reversible: bool,
    not_: bool,
    vault: Vault | None,
) -> Verdict:
    is_json = subject.is_json or (False,) * len(subject.texts)
    found = Found()
    if not redact:
        for text, json in zip(subject.texts, is_json, strict=True):
            found.add(find(text, looked, json))
        return Verdict((not found.counts) != not_, _data(found))
    # What an answer says is not put back into it.
    is_reversible = reversible and vault is not None and subject.stage == "input"
    vault = Vault() if vault is None else vault  # one without values counts too
    vault.look_for(looked)
    for text in subject.texts:
        vault.reserve(text)
    texts = tuple(
        vault.mask(text, json, looked=looked, is_reversible=is_reversible, found=found)
        for text, json in zip(subject.texts, is_json, strict=True)
    )
    return Verdict(True, _data(found), texts if found.counts else None)


def _data(found: Found) -> dict[str, Any]:
    """Return kinds and counts, never a value."""
    data: dict[str, Any] = {"detected": found.counts}
    return {**data, "secrets": found.details} if found.details else data


@check(
    "default.pii",
    scope="all",
    changes=_redacts,
    window_limit=_limit(_pii_looked),
    stream_mask=_masker(_pii_looked),
)
def pii(
    subject: Subject,
    categories: Categories = (),
    redact: Redact = False,
    reversible: Reversible = True,
    regions: Regions = ("US",),
    not_: Not = False,
    *,
    vault: Vault | None = None,
) -> Verdict:
    """Pass when the texts hold no personal data or secrets, or once these are masked.

    The model then sees `[EMAIL_ADDRESS_1]`; where it says so in its answer, the caller gets the
    address. What an answer says by itself is masked for good.
    """
    return _verdict(subject, _looked(categories, regions), redact, reversible, not_, vault)


@check(
    "portkey.pii",
    scope="all",
    changes=_redacts,
    window_limit=_limit(_pii_looked),
    stream_mask=_masker(_pii_looked),
)
def portkey_pii(
    subject: Subject,
    categories: Categories = (),
    redact: Redact = False,
    not_: Not = False,
    *,
    vault: Vault | None = None,
) -> Verdict:
    """Do what `default.pii` does, under the name of Portkey's hosted check; nothing is sent there.

    The categories NAME and LOCATION_ADDRESS need a recogniser.
    """
    return _verdict(subject, _looked(categories, ("US",)), redact, True, not_, vault)


@check(
    "default.secrets",
    scope="all",
    changes=_redacts,
    window_limit=_limit(_secrets_looked),
    stream_mask=_masker(_secrets_looked),
)
def secrets(
    subject: Subject,
    allowed: Allowed = (),
    redact: Redact = False,
    reversible: Reversible = True,
    not_: Not = False,
    *,
    vault: Vault | None = None,
) -> Verdict:
    """Pass when the texts hold no keys, tokens and passwords, or once these are masked."""
    looked = Looked(_SECRETS, (), frozenset(allowed))
    return _verdict(subject, looked, redact, reversible, not_, vault)


CHECKS: tuple[Check, ...] = (pii, portkey_pii, secrets)
