"""`tls:` of a connection -> `Tls`."""

from __future__ import annotations

import os

from ivn_provision.spec.shapes_tls import TlsData
from ivn_provision.spec.site import Places
from ivn_provision.spec.values import Tls

_VERIFY = Tls()
_OFF = Tls("off")


def build_tls(data: TlsData, pointer: str, places: Places) -> Tls:
    """A CA's path is relative to the file that says it, and absolute in the result."""
    if isinstance(data, str):
        return _OFF if data == "off" else _VERIFY
    if "ca" in data:
        return Tls("ca", path_beside(data["ca"], f"{pointer}/ca", places))
    digest = data["fingerprint"].removeprefix("sha256:").replace(":", "")
    return Tls("fingerprint", digest.lower())


def path_beside(text: str, pointer: str, places: Places) -> str:
    """The path `text` at `pointer` as an absolute one: it is relative to the file that says it."""
    folder = os.path.dirname(os.path.abspath(places.place(pointer).path))
    return os.path.normpath(os.path.join(folder, os.path.expanduser(text)))
