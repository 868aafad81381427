"""Names that the recorder shows and the portal reads out of mails: `10 Lobby`, `2 H Door`, `2 S`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivn_provision.diagnostics import Severity
from ivn_provision.spec.rules.context import Context
from ivn_provision.spec.rules.registry import Finding, rule, show
from ivn_provision.spec.site import Camera, GenericEvent, HardwareEvent

# facts/portal.md, part 5; control characters and line breaks would break the mail's lines
_TEXT = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
_CAMERA_NAME = re.compile(rf"[1-9][0-9]{{0,2}} (?=\S){_TEXT}*")
_EVENT_NAME = re.compile(rf"[1-9][0-9]{{0,2}} [HS](?: (?=\S){_TEXT}*)?")

# facts/xprotect-e.md, part 4, certain for events; for camera names it is only recalled
RESERVED = re.compile(r"""[<>&'"\\/:*?|\[\]]""")
_NAME_AGAIN = re.compile(r"(?:\d{1,3} )?[HS](?: |$)")
_NAME_FIRST = frozenset("HS0123456789")
LONG_NAME = 64


@rule(
    "IVN001",
    "camera-name",
    Severity.ERROR,
    title="A camera's name is a number from 1 to 999, one space, and a text",
    requirements=("R-27", "R-79", "portal row 1", "portal check S1"),
)
def camera_name(context: Context) -> Iterator[Finding]:
    """The portal finds the camera of an alarm by the number at the start of the camera's name in the mail.

    The tool writes the name as `NUMBER LABEL`, so the label may not be empty, may not begin or end with a
    space, and may not hold line breaks or control characters.
    """
    for camera in context.cameras:
        number, label = camera.number, camera.label
        if 1 <= number <= 999 and _plain(label):
            continue
        if not _CAMERA_NAME.fullmatch(camera.name) or label[-1].isspace():
            yield Finding(
                f"{camera.pointer}/label" if 1 <= number <= 999 else f"{camera.pointer}/number",
                f"{show(camera.name)} is not a camera name that the portal can read",
                "write a number from 1 to 999 and a label such as 'Lobby Main Entrance',"
                " without spaces around it or line breaks in it",
            )


@rule(
    "IVN002",
    "camera-number-unique",
    Severity.ERROR,
    title="A camera number is used once per recorder",
    requirements=("R-27", "C-09", "portal row 2", "portal check S1"),
)
def camera_number_unique(context: Context) -> Iterator[Finding]:
    """The number is what the portal calls the camera: two cameras with one number give clips of the wrong door.

    The manual's own examples use 10 twice; the decision (C-09) is that numbers are unique per recorder.
    """
    if len(context.camera_by_number) == len(context.cameras):
        return
    for camera in context.cameras:
        first = context.camera_by_number[camera.number]
        if first is not camera:
            yield Finding(
                f"{camera.pointer}/number",
                f"camera number {camera.number} is used twice",
                "give each camera of the site a number of its own",
                ((f"{first.pointer}/number", "first used here"),),
            )


@rule(
    "IVN003",
    "camera-label-characters",
    Severity.WARNING,
    title="A camera's label has no characters that XProtect reserves",
    requirements=("xprotect-e part 4",),
)
def camera_label_characters(context: Context) -> Iterator[Finding]:
    """XProtect refuses `< > & ' " \\ / : * ? | [ ]` in event names.

    That the same holds for camera names is recalled, not found in a public text: so this only warns.
    """
    for camera in context.cameras:
        if found := RESERVED.search(camera.label):
            yield Finding(
                f"{camera.pointer}/label",
                f"the label {show(camera.label)} has the character {found[0]}, which XProtect may refuse",
                "use letters, digits, spaces, commas and hyphens",
            )


@rule(
    "IVN004",
    "event-name",
    Severity.ERROR,
    title="An event's name is a number from 1 to 999, one space, `H` or `S`, and for `H` an optional text",
    requirements=("R-50", "R-59", "portal row 3", "portal check S2"),
)
def event_name(context: Context) -> Iterator[Finding]:
    """The portal reads the pin and the kind out of the event's name in the mail.

    The tool writes `PIN H LABEL` and `PIN S`; a pin outside 1 to 999, a label that begins with a space or
    holds a line break gives a name that the portal cannot read.
    """
    suspects: list[HardwareEvent | GenericEvent] = [
        each
        for each in context.hardware
        if not (1 <= each.pin <= 999 and (not each.label or _plain(each.label)))
    ]
    suspects += [each for each in context.generic if not 1 <= each.pin <= 999]
    for event in suspects:
        if not _EVENT_NAME.fullmatch(event.name):
            yield Finding(
                f"{event.pointer}/label" if 1 <= event.pin <= 999 else f"{event.pointer}/pin",
                f"{show(event.name)} is not an event name that the portal can read",
                "write a pin from 1 to 999 and a label without a space before it or line breaks in it",
            )


@rule(
    "IVN005",
    "event-name-characters",
    Severity.ERROR,
    title="An event's name has no characters that XProtect reserves",
    requirements=("xprotect-e part 4", "portal row 4", "portal check S5"),
)
def event_name_characters(context: Context) -> Iterator[Finding]:
    """XProtect's manuals forbid `< > & ' " \\ / : * ? | [ ]` in the names of input and generic events."""
    for event in context.hardware:
        if found := RESERVED.search(event.label):
            yield Finding(
                f"{event.pointer}/label",
                f"the label {show(event.label)} has the character {found[0]}, which XProtect reserves",
                "leave it out: < > & ' \" \\ / : * ? | [ ] are not allowed in event names",
            )


@rule(
    "IVN006",
    "event-name-length",
    Severity.WARNING,
    title="An event's name is at most 64 characters long",
    requirements=("xprotect-e part 4", "portal row 4", "portal check S5"),
)
def event_name_length(context: Context) -> Iterator[Finding]:
    """No maximum is documented, but some cameras restrict the length of event names.

    64 is this project's own line, so this only warns.
    """
    for event in context.hardware:
        if len(event.label) > LONG_NAME - len("999 H ") and len(event.name) > LONG_NAME:
            yield Finding(
                f"{event.pointer}/label",
                f"the event's name is {len(event.name)} characters long;"
                " no maximum is documented, but some cameras restrict it",
                f"shorten the label so that the name has at most {LONG_NAME} characters",
            )


@rule(
    "IVN007",
    "ascii-name",
    Severity.WARNING,
    title="Names that appear in mails are plain ASCII",
    requirements=("C-11", "portal row 4", "portal check S14"),
)
def ascii_name(context: Context) -> Iterator[Finding]:
    """The manual prints an en dash in its examples; in a mail it needs MIME encoding.

    Whether every reader on the way decodes it is not known, so write an ASCII hyphen. The tool reads both.
    """
    named: tuple[Camera | HardwareEvent, ...] = (*context.cameras, *context.hardware)
    for item in named:
        if not item.label.isascii():
            odd = next(character for character in item.label if not character.isascii())
            yield Finding(
                f"{item.pointer}/label",
                f"the label {show(item.label)} is not plain ASCII (U+{ord(odd):04X})",
                "write an ASCII hyphen '-'" if odd in "–—‐‑−" else "use ASCII letters",
            )


@rule(
    "IVN008",
    "label-repeats-number",
    Severity.WARNING,
    title="A label does not repeat the number that the tool puts in front of it",
    requirements=("R-27", "R-50"),
)
def label_repeats_number(context: Context) -> Iterator[Finding]:
    """The tool writes `10 Lobby` from `number: 10, label: Lobby` and `2 H Door` from `pin: 2, label: Door`.

    A label `10 Lobby` would become `10 10 Lobby`.
    """
    for camera in context.cameras:
        if camera.label[:1].isdigit() and camera.label.startswith(f"{camera.number} "):
            yield Finding(
                f"{camera.pointer}/label",
                f"the camera would be named {show(camera.name)}",
                "leave the number out of the label: the tool puts it in front",
            )
    for event in context.hardware:
        if event.label[:1] in _NAME_FIRST and _NAME_AGAIN.match(event.label):
            yield Finding(
                f"{event.pointer}/label",
                f"the event would be named {show(event.name)}",
                "leave the pin and the letter out of the label: the tool puts them in front",
            )


def _plain(label: str) -> bool:
    """Certainly good, without the cost of the grammar: printable, with no space at either end."""
    return label.isprintable() and label[:1] not in {"", " "} and label[-1] != " "
