"""Every fault that `lab fault PLACE NAME` switches on, in words: for `lab faults`, the docs and the tests.

`row` is the row of the failure table (facts/portal.md, part 4) that a fault makes come true; 0 where it has
none. The lab's code asks for a fault by its name; this is the one place that says what each of them does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a place; `text` says what happens."""

    name: str
    text: str
    row: int = 0


CLOCK_SKEW_SECONDS = 300
SLOW_MAIL_SECONDS = 4.0
MAIL_INTERVAL_SECONDS = 60.0
RATE_PER_SECOND = 5.0

MACHINE = (
    Fault("disk-full", "nothing can be written; 1 % of each disk is free"),
    Fault("file-locked", "the configuration can be neither read nor written"),
    Fault("service-start-fails", "the Recording Server does not start"),
    Fault("service-start-fails-once", "the Recording Server does not start the next time"),
    Fault("gui-opens-mid-apply", "the Management Application is open from when an apply stops a service", 42),
    Fault("changed-mid-apply", "the product changes its configuration right after an apply's backup", 42),
    Fault("rewritten-after-start", "the Recording Server rewrites its configuration when it starts", 42),
    Fault("log-error-after-start", "the Recording Server logs an error when it starts"),
    Fault("camera-missing-after-start", "the image server shows a camera less from its next start on"),
)
"""Of a recorder's machine, for those who change it."""

RECORDER = (
    Fault("clock-skew", "the machine's clock is five minutes ahead, and so are HTTP dates and mails", 18),
    Fault("no-picture", "the image server connects, but sends status packages only", 17),
    Fault("picture-cut", "every JPEG ends in its middle", 17),
    Fault("login-refused", "the image server refuses every login", 21),
    Fault("clients-full", "the image server has no place for a further client", 41),
    Fault("web-port-closed", "the router closes the web port; the machine itself still reaches it", 25),
    Fault("event-port-closed", "the router closes the port of generic events", 29),
    Fault("event-port-open", "the router lets strangers (127.0.0.253) reach the port of generic events", 30),
    Fault("mail-swallowed", "an event sends no mail until its box was saved without the tick once (R-54)", 7),
    Fault("mail-twice", "the camera mails too when its input raises an event", 16),
    Fault("mail-interval", "a mail within 60 s of the last one is not sent", 13),
    Fault("service-dead", "the Event Server has stopped; it can be started again", 40),
)
"""Of a recorder, for those who test it."""

MAIL = (
    Fault("refuse-connection", "every connection is closed at once", 12),
    Fault("stall", "connections are taken, and nothing is said", 12),
    Fault("no-starttls", "STARTTLS is neither offered nor taken", 12),
    Fault("refuse-login", "every login is refused (535)", 12),
    Fault("refuse-recipient", "every recipient is refused (550)", 12),
    Fault("lose", "mails are taken (250) and go nowhere", 10),
    Fault("slow", "mails are delivered 4 s late"),
    Fault("duplicate", "each mail is delivered twice", 16),
    Fault("footer", "a relay appends a footer to the text, and changes nothing else", 11),
    Fault("translate", "a relay puts the words before the colons into German", 11),
)
"""Of the mail server."""

CAMERA = (
    Fault("cut-before-rule", "AddActionRule is not carried out: its connection ends"),
    Fault("cut-after-rule", "AddActionRule is carried out, and its connection ends without an answer"),
    Fault("cut-before-remove", "nothing is removed by SOAP: the connection ends instead"),
    Fault("cut-after-writes=N", "after N changes every connection ends without an answer"),
    Fault("lose-write=N", "the Nth change is carried out and not answered, once"),
    Fault("http-401", "every login is refused"),
    Fault("http-401-after-writes=N", "after N changes every login is refused"),
    Fault("http-503", "every request is answered with 503"),
    Fault("https-only", "HTTP answers with 302 to HTTPS"),
    Fault("nonce-once", "each nonce is good for one request"),
    Fault("slow", "every answer takes 2 s more"),
    Fault("one-connection", "a second request at the same time is not answered"),
    Fault("parallel", "requests at the same time are answered, also where the profile would not"),
    Fault("dead", "every connection is closed at once"),
)
"""Of a camera that the lab plays."""

PORTAL = (
    Fault("rate-limit", "more than 5 requests a second are refused: 429, with Retry-After"),
    Fault("http_429", "every request is refused: 429, Retry-After: 1"),
    Fault("http_503", "every request is refused: 503, Retry-After: 1"),
)
"""Of the portal's HTTP API; its other faults say by their names what they are."""

ONVIF = (
    Fault("onvif-clock-skew", "its clock is five minutes ahead", 18),
    Fault("onvif-refused", "every login is refused"),
    Fault("onvif-refused-later", "it tells everybody what it is, and refuses every login"),
    Fault("onvif-http-login", "it wants an HTTP login (Digest) beside the token in the envelope"),
    Fault("onvif-fault", "what needs a login is answered with a SOAP fault"),
    Fault("onvif-old", "it does not know GetServices"),
    Fault("onvif-no-io", "it has no device I/O service"),
    Fault("onvif-other-host", "it names another host (192.0.2.66) as its own"),
    Fault("onvif-redirect", "it redirects every request to another host"),
    Fault("onvif-garbled", "every answer ends in its middle"),
    Fault("onvif-dtd", "every answer has a DTD with entities"),
    Fault("onvif-huge", "every answer is 16 MiB long"),
    Fault("onvif-slow", "every answer comes with one byte a second"),
)
"""Of a camera that speaks ONVIF (`SITE/ADDRESS`)."""


def names(faults: Iterable[Fault]) -> frozenset[str]:
    """Only their names."""
    return frozenset(each.name for each in faults)
