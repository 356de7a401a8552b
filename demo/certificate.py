"""A TLS certificate that nobody trusts, for the case of a host whose certificate is refused."""

import subprocess
from pathlib import Path


def self_signed_certificate(folder: Path) -> Path:
    """Write a key and a self-signed certificate for 127.0.0.1, valid for a day, to one PEM file in `folder`.

    Raises FileNotFoundError where there is no `openssl` program.
    """
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "host.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(
        [*command, *names, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
