"""What a product's notification mail looks like, as the portal wants it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ivn_provision.errors import IvnError
from ivn_provision.spec.build import BODY, SUBJECT
from ivn_provision.verify.mail.times import FORMATS, TimeFormat

Field = Literal["trigger", "camera", "time"]
_FIELDS: dict[str, Field] = {"TriggerName": "trigger", "CameraName": "camera", "TriggerTime": "time"}
_TEMPLATE_LINE = re.compile(r"(?P<before>(?P<label>\S.*?) ?: ?)\$(?P<variable>\w+)\$")
_PRODUCT = re.compile(r"xprotect-(?:professional|enterprise)(?:-.*)?")


@dataclass(frozen=True, slots=True)
class TemplateLine:
    """One line of the body: `Trigger Event : $TriggerName$`.

    `label` is `Trigger Event`, `before` all that stands before the value, `variable` the name without `$`.
    """

    field: Field
    text: str
    label: str
    before: str
    variable: str

    @property
    def shown(self) -> str:
        """The label with its colon, for messages."""
        return self.before.rstrip()


@dataclass(frozen=True, slots=True)
class MailProfile:
    """How a product's mail is written (R-40) and read. `lines` and `times` are in order."""

    name: str
    subject: str
    lines: tuple[TemplateLine, ...]
    times: tuple[TimeFormat, ...]
    camera_may_be_empty: frozenset[str]
    """Sources (`soft`, `hardware`) whose mails need not name a camera: inferred, facts/portal.md, part 5."""

    @property
    def body(self) -> str:
        """The template, lines joined by LF, without blank lines (C-14)."""
        return "\n".join(line.text for line in self.lines)


def profile_of(product: str) -> MailProfile:
    """The profile of a product as the site file names it, such as `xprotect-professional-2014`.

    Enterprise has the same template (C-08). Raises IvnError for a product whose mail is not known: the portal's
    rules for other families are unknown.
    """
    if not _PRODUCT.fullmatch(product):
        raise IvnError(
            f"the mail that {product!r} sends is not known",
            next_step="Mails are judged for xprotect-professional-* and xprotect-enterprise-* only.",
        )
    return XPROTECT


def _template_line(text: str) -> TemplateLine:
    found = _TEMPLATE_LINE.fullmatch(text)
    assert found is not None, text
    return TemplateLine(_FIELDS[found["variable"]], text, found["label"], found["before"], found["variable"])


XPROTECT = MailProfile(
    name="xprotect",
    subject=SUBJECT,
    lines=tuple(_template_line(text) for text in BODY.split("\n")),
    times=FORMATS,
    camera_may_be_empty=frozenset({"soft"}),
)
