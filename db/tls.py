"""TLS to a server elsewhere: what is demanded of a connection, and why a certificate is not trusted.

The server's certificate is checked fully (sslmode=verify-full). A weaker mode in the URL is a person's explicit wish.
"""

import os
import re
import socket
import ssl
import struct
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from sqlalchemy import URL, Connection

from control_room.core.errors import BadOption

FULL = "verify-full"
SYSTEM = "system"
# psycopg brings an OpenSSL of its own, which does not know where this system keeps its authorities
_SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_LOOK_TIMEOUT_S = 3.0
# PostgreSQL's protocol, "SSLRequest": length and code
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_EXPIRED = 10
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^\ufffd]+?-----END CERTIFICATE-----")


def hosts(url: URL) -> tuple[tuple[str, str], ...]:
    """Return (host, port) of every server that the URL names; a port may be empty."""
    if url.host:
        return ((url.host, str(url.port or "")),)
    names = _listed(url, "host")
    ports = _listed(url, "port") or [""]
    return tuple(zip(names, ports if len(ports) > 1 else ports * len(names), strict=True))


def _listed(url: URL, name: str) -> list[str]:
    found = url.query.get(name, ())
    return [one for words in ((found,) if isinstance(found, str) else found) for one in words.split(",")]


def is_this_machine(host: str) -> bool:
    """Return whether the host is loopback or the folder of a Unix socket."""
    if host.startswith(("/", "@")) or host.lower() == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return False


def is_remote(url: URL) -> bool:
    """Return whether any server of the URL is another machine."""
    # libpq takes the address from there, whatever the name says
    return "PGHOSTADDR" in os.environ or not all(is_this_machine(host) for host, _ in hosts(url))


def is_plain(url: URL) -> bool:
    """Return whether a connection to another machine goes without the check of its certificate, or in the clear."""
    return is_remote(url) and url.query.get("sslmode", FULL) != FULL


def is_encrypted(connection: Connection) -> bool:
    """Return whether this very connection is encrypted with TLS."""
    return bool(connection.connection.driver_connection.pgconn.ssl_in_use)  # type: ignore[union-attr]


def protection(url: URL) -> Mapping[str, str]:
    """Return the parameters with which libpq connects safely; none for this machine's server that asks for no TLS."""
    if not is_remote(url) and "sslmode" not in url.query:
        return {}
    mode = str(url.query.get("sslmode", FULL))
    # Kerberos' own encryption would be preferred to TLS and leave the certificate unchecked
    wanted = {"sslmode": mode, "gssencmode": str(url.query.get("gssencmode", "disable"))}
    if mode.startswith("verify-"):
        return wanted | {"sslrootcert": authority_file(str(url.query.get("sslrootcert", "")))}
    # nobody gets a password in the clear of whom it is not known who they are
    return wanted | {"require_auth": str(url.query.get("require_auth", "!password"))}


def authority_file(given: str) -> str:
    """Return the file of the authorities to trust: the given one, libpq's variable, else the system's."""
    named = given or os.environ.get("PGSSLROOTCERT", "") or SYSTEM
    if named != SYSTEM:
        return named
    found = ssl.get_default_verify_paths().cafile
    return next((one for one in (found, *_SYSTEM_FILES) if one and Path(one).is_file()), SYSTEM)


def certificates(path: Path) -> str:
    """Return the certificates in a PEM file, without what else stands there. Raises BadOption where there are none."""
    try:
        found = _CERTIFICATE.findall(path.read_text(encoding="ascii", errors="replace"))
    except OSError as fault:
        raise BadOption(
            f"The file {path} cannot be read: {fault.strerror}.", advice="Name the authority's file with --ca."
        ) from fault
    if not found:
        raise BadOption(f"{path} holds no certificate.", advice="Name the authority's file, in PEM form, with --ca.")
    return "".join(f"{one}\n" for one in found)


def why_untrusted(host: str, address: str, port: str, authority: str) -> tuple[str, str]:
    """Return why the server's certificate is not trusted, and advice: libpq does not say. Looks at the server again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    try:
        if authority == SYSTEM:
            context.load_default_certs()
        else:
            context.load_verify_locations(authority)
        _shake_hands(context, address or host, port)
    except ssl.SSLCertVerificationError as fault:
        if fault.verify_code == _EXPIRED:
            return _what_expired(address or host, port, authority)
        return f"The certificate of {host} is not trusted ({fault.verify_message}).", _advice(authority)
    except (OSError, ValueError) as fault:
        return f"The certificate of {host} is not trusted ({fault}).", _advice(authority)
    return f"The certificate of {host} is not trusted.", _advice(authority)


def _advice(authority: str) -> str:
    return f"Whoever runs the server gives you the file of the authority that signed it: --ca FILE. Trusted now: {authority}."


def _what_expired(host: str, port: str, authority: str) -> tuple[str, str]:
    """Tell the server's certificate from the authority's: different people renew them."""
    from cryptography import x509

    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname = False
    # nothing is sent over this connection: only the certificate is looked at
    blind.verify_mode = ssl.CERT_NONE
    try:
        own = x509.load_der_x509_certificate(_shake_hands(blind, host, port))
    except (OSError, ValueError):
        return f"A certificate of {host} has expired.", "Whoever runs the server renews it."
    if own.not_valid_after_utc < datetime.now(UTC):
        when = f"{own.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        return f"The certificate of {host} expired on {when}.", "Whoever runs the server renews it."
    words = f"The authority's certificate in {authority}, which signed that of {host}, has expired."
    return words, "Get the authority's new certificate from whoever runs the server: --ca FILE."


def _shake_hands(context: ssl.SSLContext, host: str, port: str) -> bytes:
    """Return the server's certificate as DER. Raises OSError, SSLCertVerificationError among them."""
    with socket.create_connection((host, int(port or 5432)), _LOOK_TIMEOUT_S) as plain:
        plain.sendall(_SSL_REQUEST)
        if plain.recv(1) != b"S":
            raise OSError("the server offers no TLS")
        with context.wrap_socket(plain, server_hostname=host) as secured:
            return secured.getpeercert(binary_form=True) or b""
