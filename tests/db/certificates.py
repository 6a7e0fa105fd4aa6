"""Certificates for tests: an authority, and what it signs for servers and people."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


def _name(words: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority whose certificate lies in `path`."""

    path: Path
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, path: Path, *, days: int = 30) -> "Authority":
        """Make an authority; a negative number of days: one that expired then."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(path.stem)
        builder = _builder(name, name, key, days).add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = builder.add_extension(usage, True).sign(key, hashes.SHA256())
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return cls(path, key)

    def sign(self, path: Path, host: str, *, days: int = 30) -> None:
        """Write a certificate and key for `host` to path.crt and path.key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(host), _name(self.path.stem), key, days)
        try:
            shown: x509.GeneralName = x509.IPAddress(ip_address(host))
        except ValueError:
            shown = x509.DNSName(host)
        certificate = (
            builder.add_extension(x509.SubjectAlternativeName([shown]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
            .sign(self.key, hashes.SHA256())
        )
        path.with_suffix(".crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        path.with_suffix(".key").write_bytes(_pem(key))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 60 * DAY)
        .not_valid_after(now + days * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
