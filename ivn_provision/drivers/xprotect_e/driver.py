"""The `xprotect_e` driver: XProtect Professional / Enterprise, read and written through the agent.

Reading is one remote process. Writing is one more: refuse while the Management Application runs, back
up, stop services, compare-and-swap, start services again on every path.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ivn_provision.drivers.base import Outcome
from ivn_provision.drivers.xprotect_e.agent_link import AgentLink, Answer, Step, failure
from ivn_provision.drivers.xprotect_e.edit import splices_for
from ivn_provision.drivers.xprotect_e.layout import Layout, choose
from ivn_provision.drivers.xprotect_e.live import resources_of
from ivn_provision.drivers.xprotect_e.xml_document import Document, Splice, apply_splices, parse
from ivn_provision.errors import PartlyApplied, ProtocolFault, Refused
from ivn_provision.model.live import Facts, Live
from ivn_provision.plan.plan import Observation, Unverified, Work

CONFIGURATION = r"C:\ProgramData\Milestone\Milestone Surveillance\configuration.xml"
BACKUPS = r"C:\ProgramData\ivn-provision\backups"
EDITOR = "ManagementApplication.exe"
SERVICES = "Milestone|VideoOS"
SECRET_ELEMENTS = ("Password", "PasswordHash", "EncryptedPassword")
SERVICE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class _Read:
    """What one reading gave: the file's real hash, its redacted document, services, facts."""

    sha256: str
    document: Document
    layout: Layout
    services: tuple[Mapping[str, Any], ...]
    facts: Facts


class XProtectReader:
    """Reads a recorder. `product` is what the site file says it is."""

    target = "nvr"

    def __init__(self, site: str, product: str, link: AgentLink) -> None:
        self.site = site
        self.endpoint = link.endpoint
        self._product = product
        self._link = link
        self._seen: _Read | None = None

    def probe(self) -> Facts:
        return self._reading().facts

    def read(self) -> Live:
        reading = self._reading()
        return Live(resources_of(reading.document, reading.layout, self.site), {})

    def observe(self, questions: Sequence[Unverified]) -> tuple[Observation, ...]:
        del questions
        return ()

    def close(self) -> None:
        self._seen = None

    def _reading(self) -> _Read:
        if self._seen is None:
            self._seen = self._read_once()
        return self._seen

    def _read_once(self) -> _Read:
        key = base64.b64encode(secrets.token_bytes(32)).decode("ascii")
        files = [{"path": CONFIGURATION, "redact": list(SECRET_ELEMENTS)}]
        answers = self._link.call(
            [
                {"verb": "facts"},
                {"verb": "services", "path_pattern": SERVICES},
                {"verb": "processes", "names": [EDITOR]},
                {"verb": "read_files", "files": files, "redact_key": key},
            ]
        ).steps
        if error := failure(answers):
            raise error
        return self._understood(*answers)

    def _understood(self, facts: Answer, services: Answer, programs: Answer, files: Answer) -> _Read:
        file = files["files"][0]
        if not file["exists"]:
            raise Refused(
                "there is no XProtect Professional or Enterprise configuration on this machine",
                where=CONFIGURATION,
                next_step="check nvr.connect.host and nvr.product",
            )
        document = parse(_content(file), path=CONFIGURATION)
        product = (document.root.value("ProductInfo/ProductName") or "").strip()
        version = (document.root.value("ProductInfo/ProductVersion") or "").strip()
        _agree(self._product, product)
        layout = self._layout(document, str(facts["computer_name"]), product, version)
        notes = _notes(layout, programs)
        return _Read(
            sha256=str(file["sha256"]),
            document=document,
            layout=layout,
            services=tuple(services["services"]),
            facts=Facts(product, version, layout.capabilities(), notes),
        )

    def _layout(self, document: Document, computer: str, product: str, version: str) -> Layout:
        lab = (
            self._link.is_loopback
            and computer.startswith("IVN-LAB-")
            and document.root.value("ProductInfo/LabLayout") == "1"
        )
        layout = choose(product, version, lab=lab)
        if layout is None:
            raise Refused(
                f"no layout is known for {product or 'this product'} {version or '(no version)'}: "
                "nothing on it can be compared or managed yet",
                next_step="a layout is learned from the machine itself; until then configure it by hand",
            )
        return layout


class XProtectWriter(XProtectReader):
    """Reads and writes a recorder."""

    def __init__(self, site: str, product: str, link: AgentLink, *, run_id: Callable[[], str]) -> None:
        super().__init__(site, product, link)
        self._run_id = run_id
        self._writes = 0

    def apply(self, work: Work) -> tuple[Outcome, ...]:
        """One remote process for all changes. Raises before any write if the file is not the one read."""
        reading = self._reading()
        splices = splices_for(reading.document, reading.layout, work)
        if splices:
            parse(apply_splices(reading.document.raw, splices), path=CONFIGURATION)  # never write broken XML
            self._seen = None
            self._write(reading, splices)
        return tuple(Outcome(change.address, "done") for change in work.changes)

    def _write(self, reading: _Read, splices: Sequence[Splice]) -> None:
        self._writes += 1
        folder = f"{BACKUPS}\\{self._run_id()}-{self._writes}"
        services = _to_restart(reading.layout, reading.services)
        steps: list[Step] = [
            {"verb": "require_not_running", "names": [EDITOR]},
            {"verb": "backup", "to": folder, "paths": [CONFIGURATION]},
            _control("stop", services),
            {"verb": "write_files", "files": [_write_request(reading.sha256, splices)]},
        ]
        reply = self._link.call(steps, [_control("start", services[::-1])], writes=True)
        if error := failure(reply.steps):
            raise error
        if error := failure(reply.always):
            raise PartlyApplied(
                f"the configuration was written, but not all services run again: {error.summary}",
                where=error.where,
                next_step=f"start the Milestone services on the recorder now. The backup is in {folder}",
            )


def _write_request(base: str, splices: Sequence[Splice]) -> dict[str, Any]:
    return {
        "path": CONFIGURATION,
        "base_sha256": base,
        "splices": [
            [each.offset, each.length, base64.b64encode(each.data).decode("ascii")] for each in splices
        ],
    }


def _control(action: str, names: Sequence[str]) -> Step:
    return {
        "verb": "service_control",
        "action": action,
        "names": list(names),
        "timeout_seconds": SERVICE_SECONDS,
    }


def _to_restart(layout: Layout, services: Sequence[Mapping[str, Any]]) -> list[str]:
    """Running services in the order of stopping, found by their program, never by a fixed name."""
    found = []
    for program in layout.restart:
        found += [
            str(each["name"])
            for each in services
            if program.lower() in str(each["path"]).lower() and each["state"] == "Running"
        ]
    return found


def _content(file: Mapping[str, Any]) -> bytes:
    raw = base64.b64decode(str(file["content"]))
    if len(raw) != file["size"]:
        raise ProtocolFault("the agent sent a cut file", where=CONFIGURATION, next_step="try again")
    return raw


def _agree(declared: str, found: str) -> None:
    """The probe must agree with `nvr.product`: the wrong recorder is the worst mistake."""
    slug = "-".join(found.lower().split())
    if slug != declared:
        raise Refused(
            f"the recorder is {found or 'of an unknown product'}, the site file says {declared}",
            where=CONFIGURATION,
            next_step="check nvr.connect.host, or correct nvr.product",
        )


def _notes(layout: Layout, programs: Answer) -> tuple[str, ...]:
    notes = []
    if layout.lab_only:
        notes.append("embedded lab: its file layout is partly assumed, see `ivn-provision lab status`")
    if programs["running"]:
        notes.append(
            "the Management Application is open on the recorder: apply will refuse until it is closed"
        )
    return tuple(notes)
