"""`nvr.connect` of a site -> `Connect`."""

from __future__ import annotations

from ivn_provision.spec.build_tls import build_tls, path_beside
from ivn_provision.spec.shapes import ConnectData
from ivn_provision.spec.site import ClientCertificate, Connect, Places

_DEFAULT_PORTS = {"winrm": 5986, "ssh": 22}
_POINTER = "/nvr/connect"


def build_connect(data: ConnectData, places: Places) -> Connect:
    """With the default ports; a path is relative to the file that says it, and absolute in the result."""
    transport = data.get("transport", "winrm")
    return Connect(
        transport=transport,
        host=data["host"],
        port=data.get("port", _DEFAULT_PORTS[transport]),
        username=data["username"],
        password=data.get("password"),
        tls=build_tls(data.get("tls", "verify"), f"{_POINTER}/tls", places),
        auth=data.get("auth", "ntlm"),
        certificate=_certificate(data, places),
        host_key=_fingerprint(data.get("host_key", "")),
        known_hosts=_path(data.get("known_hosts", ""), "known_hosts", places),
        key_file=_path(data.get("key_file", ""), "key_file", places),
        key_passphrase=data.get("key_passphrase"),
        agent=data.get("agent", False),
    )


def _certificate(data: ConnectData, places: Places) -> ClientCertificate | None:
    if "certificate" not in data:
        return None
    found = data["certificate"]
    return ClientCertificate(
        _path(found["file"], "certificate/file", places),
        _path(found["key_file"], "certificate/key_file", places),
    )


def _path(text: str, key: str, places: Places) -> str:
    return path_beside(text, f"{_POINTER}/{key}", places) if text else ""


def _fingerprint(text: str) -> str:
    return f"SHA256:{text[7:].rstrip('=')}" if text else ""
