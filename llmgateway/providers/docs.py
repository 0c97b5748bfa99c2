"""Write `docs/providers.md` from the rows: `python -m llmgateway.providers.docs docs/providers.md`.

Text about all providers stands here; what is about one of them stands in its row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from llmgateway.codecs.base import Framing
from llmgateway.errors import InvalidRequest
from llmgateway.providers.base import Option, Provider
from llmgateway.providers.planned import PLANNED
from llmgateway.providers.registry import Registry, builtin

_INTRO = """\
# Providers

<!-- Written by `python -m llmgateway.providers.docs docs/providers.md`; change the rows. -->

{count} providers are served, each in OpenAI's own format.
Fields that the gateway does not know go through unchanged, and so do answers.
Where a provider knows a parameter by another name, the gateway sends that name.
A change is named in the response header `x-llmgateway-adjusted-params`, a loss in
`x-llmgateway-dropped-params`.

Any other path below `/v1` is handed on to the provider as it is.
An endpoint that a provider lacks is a 400 with the code `endpoint_not_supported`; a fallback then
goes on to its next target.

An option is a key of the target in a config, or of the provider in the settings, or a request
header: `x-llmgateway-` (or `x-portkey-`) and the name in the table.

| provider | endpoints |
|---|---|
"""

_PLANNED = """\
## Not yet served

The formats of these providers have to be translated, which comes later.
A request that names one gets a 400 that says so: {names}.
"""


def markdown(registry: Registry) -> str:
    """Return the page for all rows of a registry."""
    rows = list(registry.values())
    index = "".join(f"| [{row.name}](#{row.name}) | {_served(row)} |\n" for row in rows)
    sections = "\n".join("\n".join(_section(row)) + "\n" for row in rows)
    planned = _PLANNED.format(names=", ".join(f"`{name}`" for name in sorted(PLANNED)))
    return f"{_INTRO.format(count=len(rows))}{index}\n{sections}\n{planned}"


def _served(row: Provider) -> str:
    return ", ".join(row.endpoints) or "proxy only"


def _section(row: Provider) -> Iterator[str]:
    yield f"## {row.name}"
    yield ""
    yield f"- Base URL: {_base_url(row)}"
    yield f"- Authentication: {row.auth}"
    for header, value in row.headers.items():
        yield f"- Always sent: `{header}: {value}`"
    yield f"- Endpoints: {_endpoints(row)}"
    yield from (f"- {line}" for line in _streams(row))
    for endpoint, tweaks in row.tweaks.items():
        yield f"- Changed in {endpoint}: {'; '.join(map(str, tweaks))}"
    if row.request_id_header:
        yield f"- Trace id: sent as `{row.request_id_header}`"
    if row.note:
        yield f"- Note: {row.note}"
    yield f"- Reference: <{row.docs}>"
    if row.options:
        yield ""
        yield "| option | header | sent as | meaning |"
        yield "|---|---|---|---|"
        yield from map(_option, row.options)


def _base_url(row: Provider) -> str:
    if row.base_url is None:
        return "none; set `custom_host`"
    try:
        url = f"`{row.base_url_for({})}`"
    except InvalidRequest:
        needed = " and ".join(f"`{option.name}`" for option in row.options if option.required)
        return f"formed from {needed}"
    return f"{url} unless an option names another" if callable(row.base_url) else url


def _endpoints(row: Provider) -> str:
    fixed = [f"{n} `{e.path}`" for n, e in row.endpoints.items() if not callable(e.path)]
    formed = [name for name, endpoint in row.endpoints.items() if callable(endpoint.path)]
    if formed:
        fixed.append(f"{', '.join(formed)} (path formed from the request)")
    return ", ".join(fixed) or "none but the proxy"


def _streams(row: Provider) -> Iterator[str]:
    if "chat" not in row.endpoints:
        return
    if row.endpoints["chat"].framing is Framing.SSE_LINES:
        yield "Streams: events may be one line each, without the blank line"
    if row.stream_usage:
        yield "Usage of streams: asked for with `stream_options`"
    else:
        yield "Usage of streams: read if the provider sends it; it is not asked for"


def _option(option: Option) -> str:
    facts = [option.doc.rstrip(".")]
    if option.required:
        facts.append("required")
    if option.default is not None:
        facts.append(f"default `{option.default}`")
    if option.choices:
        facts.append("one of " + ", ".join(f"`{choice}`" for choice in option.choices))
    if option.secret:
        facts.append("secret")
    if option.planned:
        facts.append("not available yet")
    headers = [f"`{option.header_suffix}`"]
    if option.bare_header:
        headers.append(f"or bare `{option.bare_header}`")
    sent_as = f"`{option.send_as}`" if option.send_as else "–"
    return f"| `{option.name}` | {' '.join(headers)} | {sent_as} | {'; '.join(facts)} |"


def main(arguments: Sequence[str]) -> int:
    """Write the page into the named file."""
    if len(arguments) != 1:
        print("usage: python -m llmgateway.providers.docs FILE", file=sys.stderr)
        return 2
    Path(arguments[0]).write_text(markdown(builtin()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
