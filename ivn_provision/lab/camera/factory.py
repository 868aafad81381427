"""The rules that a camera has before anybody makes one."""

from __future__ import annotations

from ivn_provision.lab.camera.book import Book, Rule
from ivn_provision.lab.camera.configuration_reader import all_slots
from ivn_provision.lab.camera.events import EventFilter
from ivn_provision.lab.camera.profile import FactoryRule, Profile
from ivn_provision.lab.camera.topics import well_known


def factory_book(profile: Profile) -> Book:
    """A book with the factory rules of the profile, each with a configuration of its own."""
    book = Book()
    for each in profile.rules:
        slots = dict.fromkeys(all_slots(profile.actions[each.action], profile), "")
        action = book.add_configuration(each.name, each.action, slots).id
        book.add_rule(lambda number, each=each, action=action: _rule(number, each, action))  # type: ignore[misc]
    return book


def _rule(number: int, each: FactoryRule, action: int) -> Rule:
    wanted = EventFilter(well_known(each.topic), each.content)
    unlimited = ".unlimited." in each.action
    return Rule(
        number,
        each.name,
        each.enabled,
        None if unlimited else wanted,
        (wanted,) if unlimited else (),
        "",
        action,
    )
