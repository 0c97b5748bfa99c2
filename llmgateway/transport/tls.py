"""TLS contexts made from settings: whom an upstream must be vouched for by, and who we are to it.

Reads files, so it belongs in a thread. What a connection does with a context is not said here.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import NamedTuple

from llmgateway.settings import UpstreamTransport


class TLSFileFault(Exception):
    """A file of the settings cannot be used: which key names it, and why. Never its content."""

    def __init__(self, key: str, words: str) -> None:
        super().__init__(words)
        self.key = key
        self.words = words


class Contexts(NamedTuple):
    """What the TLS of one transport is done with."""

    upstream: ssl.SSLContext | None = None
    """None: the machine's trust, which the transport loads itself."""
    proxy: ssl.SSLContext | None = None
    """None: the proxy, if there is one, is spoken to without TLS."""


def trusted_by_system() -> ssl.SSLContext:
    """Return a TLS context that trusts what the machine trusts, else certifi's list.

    Reads files. `SSL_CERT_FILE` and `SSL_CERT_DIR` are OpenSSL's own and count as the machine's.
    """
    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    if context.cert_store_stats()["x509_ca"] or (folder and os.listdir(folder)):
        return context
    # httpx depends on it, so it is there; few machines need it.
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def trusted_by(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the CAs of a PEM file, or with None what the machine trusts.

    A file counts in place of the machine's store, so that a private CA is all that can vouch for
    a private origin. Raises `TLSFileFault`.
    """
    if ca_file is None:
        return trusted_by_system()
    _check_readable("ca_file", ca_file)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as exc:
        raise TLSFileFault("ca_file", "the file has no CA certificate in PEM") from exc


def contexts_for(settings: UpstreamTransport) -> Contexts:
    """Return the contexts that such settings ask for; raises `TLSFileFault`.

    The proxy is vouched for as the origins are, but is shown no client certificate.
    """
    if not settings.needs_contexts:
        return Contexts()
    address = settings.proxy_address
    proxy = address is not None and address.upstream[0] == "https"
    return Contexts(_for_upstream(settings), trusted_by(settings.ca_file) if proxy else None)


def _for_upstream(settings: UpstreamTransport) -> ssl.SSLContext:
    context = trusted_by(settings.ca_file)
    certificate, key = settings.client_certificate, settings.client_key
    if certificate is None:
        return context
    _check_readable("client_certificate", certificate)
    if key is not None:
        _check_readable("client_key", key)
    try:
        # Without a password of our own OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as exc:
        raise TLSFileFault(
            "client_certificate",
            "the file must have a certificate in PEM, and it or the file of client_key the private"
            " key that belongs to it, without a password",
        ) from exc
    return context


def _check_readable(key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as exc:
        raise TLSFileFault(key, f"the file cannot be read: {exc.strerror}") from exc
