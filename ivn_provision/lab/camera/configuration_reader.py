"""AddActionConfiguration and AddRecipientConfiguration: complete by the template, or refused (facts/axis.md, 5.3)."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from ivn_provision.lab.camera.profile import Profile, Template
from ivn_provision.lab.camera.soap import child, children, named, occurrence, text_of

New = tuple[str, str, dict[str, str]]


def new_configuration(asked: etree._Element, profile: Profile) -> New:
    """Name, template and parameters: all of the template and of its recipient's. Raises Fault."""
    new = child(asked, "NewActionConfiguration")
    token = text_of(new, "TemplateToken")
    template = profile.actions.get(token)
    if template is None:
        raise named("ActionTemplateNotFoundFault", f"action template with id '{token}' not found")
    given = _parameters(new)
    return text_of(new, "Name", ""), token, _complete(given, all_slots(template, profile))


def new_recipient(asked: etree._Element, profile: Profile) -> New:
    """Name, template and parameters. Raises Fault."""
    new = child(asked, "NewRecipientConfiguration")
    token = text_of(new, "TemplateToken")
    template = profile.recipients.get(token)
    if template is None:
        raise named("RecipientTemplateNotFoundFault", f"recipient template with id '{token}' not found")
    return text_of(new, "Name"), token, _complete(_parameters(new), template.slots)


def all_slots(template: Template, profile: Profile) -> tuple[str, ...]:
    """Its own and those of its recipient."""
    recipient = profile.recipients.get(template.recipient)
    return (*template.slots, *(recipient.slots if recipient else ()))


def _parameters(new: etree._Element) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, each in children(child(new, "Parameters")):
        key = each.get("Name")
        if name != "Parameter" or key is None:
            raise occurrence("Parameters")
        found[key] = each.get("Value", "")
    return found


def _complete(given: Mapping[str, str], slots: tuple[str, ...]) -> dict[str, str]:
    for slot in slots:
        if slot not in given:
            raise named("ParametersMissmatchFault", f"Configuration parameter missing: {slot}")
    return {slot: given[slot] for slot in slots}
