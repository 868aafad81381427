"""One whole picture from every camera that an account sees, asked of the image server by the agent.

`facts/xprotect-e.md`, 7.2: XML over TCP on the image server's port, in clear text: so only ever on the recorder
itself. `connected=yes` and a JPEG from FF D8 to FF D9 is the verdict. Each camera takes one client place for
a moment.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from ivn_provision.drivers.xprotect_e.agent_link import Answer, Step
from ivn_provision.drivers.xprotect_e.image_server import Login

SECONDS = 4
"""For one camera: eight pictures a second are usual, one is enough."""
NOT_TRIED = "not tried"
MOST_BYTES = 4 * 1024 * 1024
_GUID = r"<guid>\s*\{?([0-9A-Fa-f-]{36})\}?\s*</guid>"
_END = base64.b64encode(b"\r\n\r\n").decode()
_STATUS = base64.b64encode(b"<").decode()
_CONNECT = (
    '<?xml version="1.0" encoding="utf-8"?><methodcall><requestid>0</requestid><methodname>connect</methodname>'
    "<username>{{user}}</username><password>{{password}}</password><cameraid>{{match}}</cameraid>"
    "<alwaysstdjpeg>yes</alwaysstdjpeg></methodcall>\r\n\r\n"
)
_LIVE = (
    '<?xml version="1.0" encoding="utf-8"?><methodcall><requestid>1</requestid><methodname>live</methodname>'
    "<compressionrate>90</compressionrate></methodcall>\r\n\r\n"
)
_FULL = re.compile("too many|maximum|clients", re.IGNORECASE)
_PLAIN = re.compile(r"[^ -~]")


@dataclass(frozen=True, slots=True)
class CameraImage:
    """What a camera showed. `reason` says why there is no whole picture; `jpeg` is empty then."""

    connected: bool
    is_whole: bool = False
    reason: str = ""
    size: int = 0
    jpeg: bytes = field(default=b"", repr=False)

    @property
    def is_full(self) -> bool:
        """Did the image server have no place for another client? By its words, which are not documented."""
        return not self.connected and _FULL.search(self.reason) is not None

    @property
    def is_tried(self) -> bool:
        """False if the time was over before."""
        return self.connected or self.reason != NOT_TRIED


def images_step(login: Login, total_seconds: int) -> Step:
    """For the request that reads: every camera of the account's systeminfo.xml, one after the other, as many as
    `total_seconds` (1 to 120) allow: no more than one is lost to each camera that is silent."""
    connection = [
        {"send": _packed(_CONNECT), "until": _END, "max_bytes": 64 * 1024},
        {
            "send": _packed(_LIVE),
            "until": _END,
            "skip_while": _STATUS,
            "then_header": "Content-Length",
            "then_extra": 4,
            "max_bytes": MOST_BYTES,
        },
    ]
    return {
        "verb": "exchange",
        "port": login.port,
        "timeout_seconds": SECONDS,
        "total_seconds": total_seconds,
        "secrets": {"user": login.name, "password": login.password.reveal()},
        "for_each": {
            "path": "/systeminfo.xml",
            "username": login.name,
            "password": login.password.reveal(),
            "pattern": _GUID,
        },
        "connections": [connection],
    }


def images_of(answer: Answer) -> Mapping[str, CameraImage]:
    """By GUID in small letters; empty where the account's cameras could not be asked for."""
    if not answer.get("ok"):
        return {}
    return {str(each["match"]).lower(): _image(each) for each in answer["connections"]}


def why_not(answer: Answer) -> str:
    """Why no camera was asked."""
    error = answer.get("error") or {}
    return f"the image server's cameras could not be asked for: {error.get('message', 'no answer')}"


def _image(outcome: Answer) -> CameraImage:
    replies: Sequence[Answer] = outcome["replies"]
    error = str(outcome["error"])
    if not replies:
        return CameraImage(connected=False, reason=error)
    connected, reason = _connected(base64.b64decode(str(replies[0]["head"])))
    if not connected:
        return CameraImage(connected=False, reason=reason or error or "no reason is given")
    if len(replies) < 2:
        return CameraImage(connected=True, reason=error)
    return _picture(base64.b64decode(str(replies[1]["body"])))


def _connected(head: bytes) -> tuple[bool, str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        found = etree.fromstring(head.strip(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return False, "the answer is not the image server's"
    reason = _PLAIN.sub("?", (found.findtext("errorreason") or "").strip())[:200]
    return (found.findtext("connected") or "").strip().lower() == "yes", reason


def _picture(body: bytes) -> CameraImage:
    if not body.startswith(b"\xff\xd8"):
        return CameraImage(connected=True, reason="what came is not a JPEG", size=len(body))
    if not body.rstrip(b"\x00").endswith(b"\xff\xd9"):
        return CameraImage(connected=True, reason="the JPEG is cut off", size=len(body))
    return CameraImage(connected=True, is_whole=True, size=len(body), jpeg=body)


def _packed(text: str) -> str:
    return base64.b64encode(text.encode("ascii")).decode("ascii")
