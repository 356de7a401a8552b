"""Whether a host's TLS certificate is refused because of its dates: a Git that is built with GnuTLS does not say."""

from __future__ import annotations

import socket
import ssl
from urllib.parse import urlsplit

# In seconds; Git has just reached the host.
_PATIENCE = 3
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED (X509_STORE_CTX_get_error(3)).
_CLAUSES = {
    9: "the TLS certificate of {} is not valid yet; set this machine's clock, if that is wrong",
    10: "the TLS certificate of {} has expired; set this machine's clock, if that is wrong, or ask whoever runs it",
}


def explain(url: str, authorities: str) -> str:
    """Return one clause, cause and cure, or the empty string; ``authorities`` is a PEM file of Git's, or empty.

    Asks the host itself, past a proxy: where that cannot be done, nothing is known.
    """
    parts = urlsplit(url)
    try:
        context = ssl.create_default_context(cafile=authorities or None)
        with (
            socket.create_connection(
                (parts.hostname, parts.port or 443), timeout=_PATIENCE
            ) as plain,
            context.wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        host = parts.netloc.rpartition("@")[2]
        return _CLAUSES.get(error.verify_code, "").format(host)
    except OSError:
        return ""
