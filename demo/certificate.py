"""A TLS certificate that nobody trusts, for the case of a host whose certificate is refused."""

import subprocess
from pathlib import Path


def self_signed_certificate(folder: Path, *names: str) -> Path:
    """Write a key and a self-signed certificate, valid for a day, to one PEM file in `folder`.

    It is for 127.0.0.1 and for the host names in `names`.

    Raises FileNotFoundError where there is no `openssl` program.
    """
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "host.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    alternatives = ",".join(["IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    subject = ["-subj", "/CN=127.0.0.1", "-addext", f"subjectAltName={alternatives}"]
    # uv takes no authority's certificate for a host's.
    subject += ["-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(
        [*command, *subject, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
