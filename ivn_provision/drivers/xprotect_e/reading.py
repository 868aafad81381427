"""One reading of a recorder: the steps of its request, and what the answers mean."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ivn_provision.drivers.xprotect_e.agent_link import Answer, Step, failure
from ivn_provision.drivers.xprotect_e.image_server import LoggedIn, Login, logged_in, login_steps
from ivn_provision.drivers.xprotect_e.layout import CONFIGURATION, FIELDS, Layout
from ivn_provision.drivers.xprotect_e.layout_set import Layouts
from ivn_provision.drivers.xprotect_e.store import Store
from ivn_provision.drivers.xprotect_e.windows_seen import WindowsSeen
from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.errors import ProtocolFault, Refused
from ivn_provision.model.live import Ability, Capabilities, Capability, Facts

EDITOR = "ManagementApplication.exe"
SERVICES = "Milestone|VideoOS"
SECRET_ELEMENTS = ("Password", "PasswordHash", "EncryptedPassword")
IDLE_SECONDS = 45


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading gave. `hashes` are those of the real files, whose documents are redacted.

    `layout` is None where no layout is known; `answers` are those of the request, by verb.
    """

    store: Store
    hashes: Mapping[str, str]
    layout: Layout | None
    services: tuple[Mapping[str, Any], ...]
    logins: tuple[LoggedIn, ...]
    facts: Facts
    answers: Mapping[str, Answer]
    windows: WindowsSeen | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a reading asks for. `files` always begins with configuration.xml; `key` is fresh for each."""

    product: str
    files: tuple[str, ...]
    logins: tuple[Login, ...]
    key: str

    def steps(self) -> list[Step]:
        """The request. Logins stand last: a failed step skips those behind it."""
        files = [{"path": path, "redact": list(SECRET_ELEMENTS)} for path in self.files]
        return [
            {"verb": "wait_idle", "timeout_seconds": IDLE_SECONDS},
            {"verb": "facts"},
            {"verb": "services", "path_pattern": SERVICES},
            {"verb": "processes", "names": [EDITOR]},
            {"verb": "read_files", "files": files, "redact_key": self.key},
            *login_steps(self.logins),
        ]


def question_of(product: str, layouts: Layouts, logins: Sequence[Login], key: str, *, lab: bool) -> Question:
    """Asks for the files of every layout that the declared product may turn out to have."""
    files = {CONFIGURATION.lower(): CONFIGURATION}
    for layout in layouts.candidates(product):
        if lab or not layout.lab_only:
            files |= {path.lower(): path for path in layout.files if path.lower() not in files}
    return Question(product, tuple(files.values()), tuple(each for each in logins if each.is_sent), key)


def understood(
    question: Question, answers: Sequence[Answer], layouts: Layouts, *, is_loopback: bool
) -> Reading:
    """The answers as a reading. Raises TargetError."""
    count = len(answers) - len(question.logins)
    if error := failure(answers[:count]):
        raise error
    named = {str(answer["verb"]): answer for answer in answers[:count]}
    _idle(named["wait_idle"])
    files = {str(each["path"]): each for each in named["read_files"]["files"] if each["exists"]}
    if CONFIGURATION not in files:
        raise Refused(
            "there is no XProtect Professional or Enterprise configuration on this machine",
            where=CONFIGURATION,
            next_step="check nvr.connect.host and nvr.product",
        )
    store = Store.of({path: parse(_content(each), path=path) for path, each in files.items()})
    services = tuple(named["services"]["services"])
    product, version = _identity(store, services)
    agree(question.product, product)
    lab = is_loopback and _says_lab(store, str(named["facts"]["computer_name"]))
    layout = layouts.choose(product, version, lab=lab)
    return Reading(
        store=store,
        hashes={path.lower(): str(each["sha256"]) for path, each in files.items()},
        layout=layout,
        services=services,
        logins=logged_in(question.logins, answers[count:]),
        facts=Facts(
            product,
            version,
            capabilities_of(layout, store) if layout else unknown(product, version),
            _notes(layout, named["processes"], product, version),
        ),
        answers=named,
    )


def unknown(product: str, version: str) -> Capabilities:
    """What can be done where no layout is known: nothing, and nothing can be seen either."""
    name = f"{product} {version or '(no version)'}"
    reason = f"no layout is known for {name}: learn one (`ivn-provision learn`) or do it by hand"
    return Capabilities({}, default=Capability(Ability.MANUAL, reason), unread=frozenset(FIELDS))


def capabilities_of(layout: Layout, store: Store) -> Capabilities:
    """The layout's; objects of a kind whose file is not there yet are made by a person first."""
    found = layout.capabilities()
    missing = {
        (kind.kind, ""): Capability(
            Ability.MANUAL, f"there is no {kind.file} yet: make and save one in the Management Application"
        )
        for kind in layout.kinds.values()
        if store.document(kind.file) is None
    }
    return Capabilities({**found.table, **missing}, found.default, found.unread)


def _idle(answer: Answer) -> None:
    if not answer["idle"]:
        raise Refused(
            "another run of the agent is still at work on the recorder",
            next_step="wait until it is done, then run the command again",
        )


def _content(file: Mapping[str, Any]) -> bytes:
    raw = base64.b64decode(str(file["content"]))
    if len(raw) != file["size"]:
        raise ProtocolFault("the agent sent a cut file", where=str(file["path"]), next_step="try again")
    return raw


def _identity(store: Store, services: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Product and version as configuration.xml says them, else as the recording server's program does."""
    document = store.document(CONFIGURATION)
    assert document is not None
    product = (document.root.value("ProductInfo/ProductName") or "").strip()
    version = (document.root.value("ProductInfo/ProductVersion") or "").strip()
    program = next((each for each in services if "\\recordingserver.exe" in str(each["path"]).lower()), {})
    return product or str(program.get("product_name", "")), version or str(program.get("product_version", ""))


def _says_lab(store: Store, computer: str) -> bool:
    document = store.document(CONFIGURATION)
    return (
        computer.startswith("IVN-LAB-")
        and document is not None
        and document.root.value("ProductInfo/LabLayout") == "1"
    )


def agree(declared: str, found: str) -> None:
    """The probe must agree with `nvr.product`: the wrong recorder is the worst mistake.

    How a real one spells its name is not known in full (facts/xprotect-e.md, 2.2): its edition must be there,
    and its year if it says one. A name with a plus sign is another product line.
    """
    edition, year = _edition(declared)
    years = re.findall(r"\b(?:19|20)\d\d\b", found)
    agrees = re.search(rf"\b{edition}\b(?!\s*\+)", found, re.IGNORECASE) and (not years or year in years)
    if not agrees:
        raise Refused(
            f"the recorder is {found or 'of an unknown product'}, the site file says {declared}",
            where=CONFIGURATION,
            next_step="check nvr.connect.host, or correct nvr.product",
        )


def _edition(slug: str) -> tuple[str, str]:
    """`xprotect-professional-2014` -> (`professional`, `2014`)."""
    words = slug.removeprefix("xprotect-").split("-")
    return words[0], words[-1]


def _notes(layout: Layout | None, programs: Answer, product: str, version: str) -> tuple[str, ...]:
    notes = []
    if layout is None:
        notes.append(
            f"no layout is known for {product} {version or '(no version)'}: nothing in its own files can be "
            "compared or written, so all of that is by hand"
        )
    elif layout.lab_only:
        notes.append("embedded lab: its file layout is partly assumed, see `ivn-provision lab status`")
    elif layout.learned:
        notes.append(f"layout {layout.name}: learned on {layout.learned.site}, {layout.learned.on}")
    if layout and layout.logs is None:
        notes.append(f"layout {layout.name} names no logs: after a write nobody looks for errors there")
    if programs["running"]:
        notes.append(
            "the Management Application is open on the recorder: apply will refuse until it is closed"
        )
    return tuple(notes)
