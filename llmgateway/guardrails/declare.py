"""Checks declared by function: the signature is the parameters' schema, the docstring their page.

@check("acme.no_names", stages=("output",))
def no_names(subject: Subject, names: list[str], not_: bool = False) -> Verdict:
    \"\"\"Pass when none of the names stands in the text.\"\"\"
    return Verdict(not any(name in subject.text for name in names) != not_)
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmgateway.guardrails.base import Scope, Services, Stage, Subject, Verdict
from llmgateway.guardrails.parameters import Parameters, described, parameters_of
from llmgateway.types import JSON

if TYPE_CHECKING:
    from llmgateway.guardrails.pii import StreamMask, Vault

_ID = re.compile(r"[a-z0-9][a-z0-9-]*\.[A-Za-z0-9_-]+", re.IGNORECASE)

Arguments = Mapping[str, Any]
Cut = Callable[[Arguments, str, int], int]
WindowLimit = int | None | Callable[[Arguments], int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A check as declared, before any config has given it parameters."""

    id: str
    function: Callable[..., Any] = field(repr=False)
    parameters: Parameters = field(repr=False)
    doc: str = field(repr=False, default="")
    """The docstring without its section `Args:`."""
    stages: tuple[Stage, ...] = ("input", "output")
    window_limit: WindowLimit = None
    changes: bool | Callable[[Arguments], bool] = False
    """Whether its verdicts may change texts or bodies; may depend on the parameters."""
    blocking: bool | Callable[[Arguments], bool] = False
    """Whether it runs in the pool of threads, since it may wait or work for long; may depend on
    the parameters."""
    is_async: bool = False
    wants_services: bool = False
    wants_vault: bool = False
    """Whether it takes a keyword `vault`: the request's, where its values are kept."""
    stream_mask: Callable[[Arguments, Vault, bool], StreamMask] | None = field(
        repr=False, default=None
    )
    """Of arguments, vault and whether the text is JSON: what masks one text of a stream exactly as
    the check masks the whole of it, holding back less than `window_limit`."""
    cut: Cut | None = field(repr=False, default=None)
    """Of arguments, a text and a place in it: the first place from there on that none of its finds
    goes across. Without it a stream is cut where a cut shows no change, which may be chance."""
    scope: Scope | None = None
    """The texts that it looks at where no config says; None: `last`."""
    needs_text: bool = True
    """Whether its verdict depends on the texts; else on the request alone."""

    def bind(self, parameters: Any) -> Bound:
        """Validate a config's parameters, once; raises `ParameterFault`."""
        arguments = self.parameters.read(parameters)
        limit, changes, blocking = self.window_limit, self.changes, self.blocking
        return Bound(
            self,
            arguments,
            limit(arguments) if callable(limit) else limit,
            changes(arguments) if callable(changes) else changes,
            blocking(arguments) if callable(blocking) else blocking,
        )

    def schema(self) -> JSON:
        """Return the JSON schema of its parameters, for admin forms and docs."""
        schema = self.parameters.schema()
        return {"title": self.id, "description": self.doc, **schema}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as it was written, for tests of it."""
        return self.function(*args, **kwargs)


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A check with its parameters, ready to run."""

    check: Check
    arguments: Arguments = field(repr=False)
    window_limit: int | None = None
    """Characters of overlap at which windows of a stream give the whole text's verdict and mask."""
    may_change: bool = False
    blocking: bool = False
    """Whether `run` belongs in the pool of threads; never where it is async."""

    def run(
        self, subject: Subject, services: Services, vault: Vault | None = None
    ) -> Verdict | Awaitable[Verdict]:
        """Run it; what comes must be awaited where `check.is_async`.

        Raises `CheckFailed`, and whatever a user's function raises.
        """
        handed: dict[str, Any] = {}
        if self.check.wants_services:
            handed["services"] = services
        if self.check.wants_vault:
            handed["vault"] = vault
        found: Verdict | Awaitable[Verdict] = self.check.function(
            subject, **self.arguments, **handed
        )
        return found

    def stream_mask(self, vault: Vault, is_json: bool = False) -> StreamMask | None:
        """Return what masks one text of a stream; None where this check has no such thing."""
        make = self.check.stream_mask
        return make(self.arguments, vault, is_json) if make and self.may_change else None


_declared: dict[str, Check] = {}


def check(
    id: str,
    *,
    stages: Iterable[Stage] = ("input", "output"),
    window_limit: WindowLimit = None,
    changes: bool | Callable[[Arguments], bool] = False,
    blocking: bool | Callable[[Arguments], bool] | None = None,
    scope: Scope | None = None,
    needs_text: bool = True,
    stream_mask: Callable[[Arguments, Vault, bool], StreamMask] | None = None,
    cut: Cut | None = None,
) -> Callable[[Callable[..., Any]], Check]:
    """Make a check of a function `(subject, <parameters>, *, services=…) -> Verdict`.

    - `id`: `group.name`; `default` and the groups of this package's other checks are taken.
    - `window_limit`: how many characters of what went before (or come after) a window of a stream
      needs so that windows give the whole text's verdict and mask; a number or a function of the
      arguments. None: only the whole text will do.
    - `blocking`: run it in a thread. A plain function is run so unless this says False; one that
      neither waits nor works for long is cheaper without.

    Raises `TypeError` for a signature that no config can fill, `ValueError` for an id that another
    function has.
    """
    if not _ID.fullmatch(id):
        raise ValueError(f"{id!r} is no id of a check: write group.name")

    def declare(function: Callable[..., Any]) -> Check:
        is_async = inspect.iscoroutinefunction(function)
        parameters, wants_services = parameters_of(function)
        made = Check(
            id=id,
            function=function,
            parameters=parameters,
            doc=described(inspect.getdoc(function) or "")[0],
            stages=tuple(stages),
            window_limit=window_limit,
            changes=changes,
            blocking=not is_async and (True if blocking is None else blocking),
            is_async=is_async,
            wants_services=wants_services,
            wants_vault="vault" in inspect.signature(function).parameters,
            stream_mask=stream_mask,
            cut=cut,
            scope=scope,
            needs_text=needs_text,
        )
        _declare(made)
        return made

    return declare


def _declare(made: Check) -> None:
    known = _declared.get(made.id)
    # A module that is read again (an autoreloader, a test) declares its checks again.
    if known is not None and _where(known) != _where(made):
        raise ValueError(f"{_where(known)} already declares the check {made.id!r}")
    _declared[made.id] = made


def _where(made: Check) -> str:
    return f"{made.function.__module__}.{made.function.__qualname__}"


def declared() -> tuple[Check, ...]:
    """Return every check that a module of this process has declared, ours among them."""
    return tuple(_declared.values())
