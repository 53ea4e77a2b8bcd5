"""Who may take part in a fleet: a certificate authority of its own, made on first use, and what it signs.

A *bundle* is one file with all that one machine needs: its key, its certificate, and the authority's. The
certificate names the role (`scheduler`, `worker` or `client`), which the other side checks, so that a bundle
for tuners cannot pose as a device or as the scheduler.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import platformdirs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from distributed import Security

from xpiler.errors import Refusal
from xpiler.files import write_atomically

Role = Literal["scheduler", "worker", "client"]

_AUTHORITY_LASTS = timedelta(days=3650)
_BUNDLE_LASTS = timedelta(days=730)
_SKEW = timedelta(hours=1)  # by which another machine's clock may be behind


def folder() -> Path:
    """Where the authority and this user's bundles are."""
    return platformdirs.user_data_path("xpiler") / "fleet"


@dataclass(frozen=True)
class Bundle:
    """A key with its certificate and the authority's, each in PEM. `file` is where it was read from."""

    file: Path
    key: str
    certificate: str
    authority: str

    @classmethod
    def read(cls, file: Path) -> Bundle:
        """Raises Refusal for a file that is missing, is no bundle, or has expired."""
        try:
            text = file.read_text(encoding="utf-8")
            own, authority = x509.load_pem_x509_certificates(text.encode())
            key = text[: text.index("-----BEGIN CERTIFICATE-----")]
            serialization.load_pem_private_key(key.encode(), None)
        except OSError as error:
            raise Refusal(
                "fleet-certificate",
                f"{file} cannot be read: {error.strerror or error}",
                remedy="have one made where the scheduler runs: xpiler certificate ROLE NAME -o FILE",
            ) from error
        except (ValueError, TypeError) as error:
            raise Refusal(
                "fleet-certificate",
                f"{file} is no bundle of a key and two certificates: {error}",
                remedy="have one made where the scheduler runs: xpiler certificate ROLE NAME -o FILE",
            ) from error
        if own.not_valid_after_utc < datetime.now(UTC):
            raise Refusal(
                "fleet-certificate",
                f"{file} expired on {own.not_valid_after_utc:%Y-%m-%d}",
                remedy="have another made where the scheduler runs: xpiler certificate ROLE NAME -o FILE",
            )
        return cls(file, key, _pem(own), _pem(authority))

    def security(self) -> Security:
        """TLS in both directions: nobody is talked to whose certificate is not of the same authority."""
        roles = {f"tls_{role}_{part}": value for role in get_args(Role) for part, value in self._parts()}
        return Security(
            require_encryption=True,
            tls_ca_file=self.authority,
            tls_min_version=ssl.TLSVersion.TLSv1_3,
            **roles,
        )

    def _parts(self) -> tuple[tuple[str, str], ...]:
        return ("key", self.key), ("cert", self.certificate)


def role_of(peer: Mapping[str, Any] | None) -> str:
    """The role in a peer's certificate, as `ssl` decodes it; "" where there is none."""
    for entry in (peer or {}).get("subject", ()):
        for name, value in entry:
            if name == "organizationalUnitName":
                return str(value)
    return ""


def own_bundle(role: Role, where: Path | None = None) -> Bundle:
    """This machine's bundle for a role, signed now if there is none. Only the scheduler's machine can."""
    where = where or folder()
    file = where / f"{role}.pem"
    if not file.exists():
        issue(role, role, file, where)
    return Bundle.read(file)


def issue(role: Role, name: str, file: Path, where: Path | None = None) -> None:
    """Writes a bundle for a machine called `name`; the authority is made if there is none."""
    authority_key, authority = _authority(where or folder())
    key = ec.generate_private_key(ec.SECP256R1())
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if role != "client":
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
    certificate = (
        _draft(name, role, authority.subject, key.public_key(), _BUNDLE_LASTS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False)
        .sign(authority_key, hashes.SHA256())
    )
    _write_secret(file, _key_pem(key) + _pem(certificate) + _pem(authority))


def _authority(where: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """The authority's key and certificate; of several processes that make it at once one does."""
    file = where / "authority.pem"
    if not file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Xpiler fleet", "authority")
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"), False
        ) | dict.fromkeys(("key_agreement", "encipher_only", "decipher_only"), False)
        certificate = (
            _draft("Xpiler fleet", "authority", name, key.public_key(), _AUTHORITY_LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        fresh = where / f".authority.{os.getpid()}"
        _write_secret(fresh, _key_pem(key) + _pem(certificate))
        with suppress(FileExistsError):
            os.link(fresh, file)
        fresh.unlink()
    text = file.read_bytes()
    loaded = serialization.load_pem_private_key(text, None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    return loaded, x509.load_pem_x509_certificates(text)[0]


def _draft(
    name: str, role: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name, role))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + lasts)
    )


def _name(name: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _write_secret(file: Path, text: str) -> None:
    """Nobody but the user may read a key, at no time."""
    previous = os.umask(0o077)
    try:
        write_atomically(file, text)
    finally:
        os.umask(previous)
