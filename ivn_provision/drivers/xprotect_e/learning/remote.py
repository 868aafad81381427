"""Looking at a recorder between two passes: hashes of all files, then only the contents that changed.

Nothing here writes: the verbs are `facts`, `services`, `processes`, `snapshot` and `read_files`.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ivn_provision.drivers.xprotect_e.agent_link import AgentLink, Answer, Step, failure
from ivn_provision.drivers.xprotect_e.learning.samples import Frame
from ivn_provision.drivers.xprotect_e.learning.structure import Node, tree
from ivn_provision.errors import ProtocolFault, Refused

CONFIGURATION = r"C:\ProgramData\Milestone\Milestone Surveillance\configuration.xml"
FOLDER = r"C:\ProgramData\Milestone"
EDITOR = "ManagementApplication.exe"
SERVICES = "Milestone|VideoOS"
SECRETS = ("Password", "PasswordHash", "EncryptedPassword")
MAX_FILES = 10_000
MAX_FILE = 32 * 1024 * 1024
MAX_REQUEST = 16 * 1024 * 1024
_NO_TEXT = re.compile(
    r"\.(?:log|txt|exe|dll|pdb|jpe?g|png|bmp|ico|avi|mkv|wav|zip|cab|7z|mdf|ldf|sdf|mdb|db|sqlite|tmp|bak|pic|idx|pfx|p12|pem|key|jks|snk)$",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"([^\\/\"]+\.exe)", re.IGNORECASE)
_LOG = re.compile(r"(?P<folder>.+)\\RecordingServer\d{8}\.log", re.IGNORECASE)
_PLACE = re.compile(r"[A-Za-z]:\\(?:[^\\/:*?\"<>|\x00-\x1f]{1,120}\\)*[^\\/:*?\"<>|\x00-\x1f]{1,120}")


@dataclass(slots=True)
class Machine:
    """A recorder as learn mode sees it. One redaction key for the whole session: the same secret looks the same."""

    link: AgentLink
    key: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode("ascii"))
    _hashes: dict[str, str] = field(default_factory=dict)
    _files: dict[str, Node] = field(default_factory=dict)
    _folders: list[str] = field(default_factory=lambda: [FOLDER])
    _watched: frozenset[str] | None = None
    log_folder: str = ""
    """Where the Recording Server keeps its logs (their name: facts/xprotect-e.md, 4.13), "" if none was seen."""

    def frame(self) -> Frame | None:
        """The recorder as it is now; None while the Management Application runs.

        The first call also finds the folders and decides which files are watched: those there now that can
        be text. Raises TargetError.
        """
        services, programs, files = self._look()
        if self._watched is None and self._add_program_folders(services):
            services, programs, files = self._look()
        if programs["running"]:
            return None
        rows = [row for row in files["files"] if self._is_watched(row)]
        self._watched = (
            frozenset(str(row["path"]) for row in rows) if self._watched is None else self._watched
        )
        changed = [row for row in rows if self._hashes.get(row["path"]) != row["sha256"]]
        self._read(changed)
        present = {str(row["path"]) for row in rows}
        return Frame(
            {path: node for path, node in self._files.items() if path in present},
            dict(_started(services["services"])),
        )

    def _look(self) -> list[Answer]:
        steps: list[Step] = [
            {"verb": "services", "path_pattern": SERVICES},
            {"verb": "processes", "names": [EDITOR]},
            {"verb": "snapshot", "folders": self._folders, "max_files": MAX_FILES},
        ]
        answers = self._call(steps)
        if answers[2]["truncated"]:
            raise Refused(
                f"there are more than {MAX_FILES} files below {FOLDER}, or very deep folders",
                where=FOLDER,
                next_step="move recordings and archives out of it: learning needs to see every file",
            )
        logs = (_LOG.fullmatch(str(row["path"])) for row in answers[2]["files"])
        self.log_folder = next((found["folder"] for found in logs if found), self.log_folder)
        return answers

    def _call(self, steps: Sequence[Step]) -> list[Answer]:
        answers = self.link.call(steps).steps
        if error := failure(answers):
            raise error
        return answers

    def _add_program_folders(self, services: Answer) -> bool:
        """`Pipeline` below each service's program (`facts/xprotect-e.md`, 2.1: e-mail sender)."""
        for row in services["services"]:
            found = re.search(r"([A-Za-z]:\\[^\"]*)\\[^\\\"]+\.exe", str(row["path"]), re.IGNORECASE)
            folder = f"{found[1]}\\Pipeline" if found else ""
            if folder and folder not in self._folders:
                self._folders.append(folder)
        return len(self._folders) > 1

    def _is_watched(self, row: Mapping[str, Any]) -> bool:
        path = str(row["path"])
        if self._watched is not None:
            return path in self._watched
        plausible = _PLACE.fullmatch(path) is not None and not _NO_TEXT.search(path)
        return plausible and 0 < int(row["size"]) <= MAX_FILE

    def _read(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for batch in _batches(rows):
            files = [{"path": row["path"], "redact": list(SECRETS)} for row in batch]
            (answer,) = self._call([{"verb": "read_files", "files": files, "redact_key": self.key}])
            for file in answer["files"]:
                self._take(file)

    def _take(self, file: Mapping[str, Any]) -> None:
        """Keep a file's tree if it is clean XML; what is none cannot be described by a layout."""
        path = str(file["path"])
        self._files.pop(path, None)
        if not file["exists"]:
            return
        self._hashes[path] = str(file["sha256"])
        raw = base64.b64decode(str(file["content"]))
        if path.lower() == CONFIGURATION.lower() or _is_xml(raw):
            try:
                self._files[path] = tree(raw, path)
            except ProtocolFault:
                if path.lower() == CONFIGURATION.lower():
                    raise


def _is_xml(raw: bytes) -> bool:
    return raw.lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")[:1] == b"<"


def _batches(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Requests of a bearable size."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        if batch and size + int(row["size"]) > MAX_REQUEST:
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += int(row["size"])
    if batch:
        yield batch


def _started(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for row in rows:
        found = _PROGRAM.search(str(row["path"]))
        if found:
            yield found[1], str(row.get("started_at", ""))
