"""Runs the commands of a page as its reader would, in a folder with a copy of the example sites.

`lab up` gets a lab in this process, on loopback addresses of its own and with the ports that the pages show, so that
tests run beside each other and beside a lab of yours. Addresses are put back in what is compared.
"""

from __future__ import annotations

import io
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path

from ivn_provision.cli import lab_control
from ivn_provision.cli.lab import up
from ivn_provision.cli.main import main
from ivn_provision.lab.lab import Lab
from ivn_provision.lab.sites import default_sites, generated_sites, with_axis, with_onvif, with_store_b
from tests.support.doc_pages import ROOT

SECONDS = 60
_VOLATILE = (
    (re.compile(r"(?<![\w/])/\S*?/(?=\.ivn/)"), "/PATH/"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b"), "ID"),
    (re.compile(r"\(process \d+\)"), "(process N)"),
    (re.compile(r"\bwaived until \d{4}-\d\d-\d\d\b"), "waived until DAY"),
    (re.compile(r"\((new|for \d+ (min|h|d))\)"), "(AGE)"),
    (re.compile(r" +\d+\.\d s\b"), " N s"),
    (re.compile(r"a JPEG of \d+ bytes"), "a JPEG of N bytes"),
    (re.compile(r"\bin \d+ s\b"), "in N s"),
    (re.compile(r"(milestone-xp-p-)[0-9a-f]{8}"), r"\1ID"),
)
_PROGRESS = re.compile(
    r"[\w-]+: (writing|written|reading again|fires|has arrived)\b.*"
)  # a terminal clears it
_PLAIN = re.compile(
    r"ivn-provision [^|&;<>()$`\\*?~#\n]*"
)  # needs no shell: runs in this process, which is faster


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    lines: tuple[str, ...]


class Session:
    """One page's commands, in order. `echo $?` shows the exit code of the command before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        shutil.copytree(ROOT / "sites", self.folder / "sites")
        shutil.copytree(ROOT / "schemas", self.folder / "schemas")
        shutil.copytree(ROOT / "playbooks", self.folder / "playbooks")
        self._bin = folder / "bin"
        self._bin.mkdir()
        program = self._bin / "ivn-provision"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ivn_provision "$@"\n')
        program.chmod(0o755)
        self._code = 0
        self._lab: _LabThread | None = None

    def run(self, command: str) -> Done:
        if command.startswith("ivn-provision lab up"):
            done = Done(0, tuple(self._lab_up(shlex.split(command)[3:])))
        elif _PLAIN.fullmatch(command):
            done = self._done(*_here(self.folder, shlex.split(command)))
        else:
            done = self._bash(command)
        self._code = done.code
        return done

    def close(self) -> None:
        if self._lab is not None:
            self._lab.stop()

    def _bash(self, command: str) -> Done:
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        path = os.pathsep.join([str(self._bin), os.environ.get("PATH", os.defpath)])
        done = subprocess.run(
            ["bash", "-c", f"(exit {self._code})\n{command}"],
            cwd=self.folder,
            env={**kept, "PATH": path, "HOME": str(self.folder), "COLUMNS": "110"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return self._done(done.returncode, done.stdout)

    def _done(self, code: int, printed: str) -> Done:
        lines = self._put_back(printed).splitlines()
        return Done(code, tuple(line for line in lines if not _PROGRESS.fullmatch(line)))

    def _lab_up(self, arguments: Sequence[str]) -> list[str]:
        given = up.make_context("lab up", list(arguments)).params
        assert given["detach"], "a lab in front of the shell would never give it back"
        store_b = None if given["store"] == "b" else given["store_b"]
        self._lab = _LabThread(
            self.folder / given["directory"],
            given["count"],
            given["latency"] / 1000,
            store_b,
            onvif=given["onvif"],
            axis=given["axis"] or "",
        )
        if given["sites_directory"]:
            self._lab.lab.write_sites(self.folder / given["sites_directory"])
        for file in (self.folder / "sites").rglob("*.yml"):
            file.write_text(self._lab.moved(file.name, file.read_text("utf-8")), "utf-8")
        status = self._lab.lab.status()
        end = f"The lab runs in the background (process {os.getpid()}); `ivn-provision lab down` stops it."
        return [self._put_back(line) for line in [*lab_control.endpoint_lines(status), end]]

    def _put_back(self, text: str) -> str:
        return self._lab.put_back(text) if self._lab else text


def _here(folder: Path, words: list[str]) -> tuple[int, str]:
    """Run the command line in this process: exit code, and stdout and stderr as they come."""
    printed = io.StringIO()
    colours = {name: os.environ.pop(name) for name in ("NO_COLOR", "FORCE_COLOR") if name in os.environ}
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = words, io.StringIO()
    try:
        with chdir(folder), redirect_stdout(printed), redirect_stderr(printed):
            main()
    except SystemExit as stop:
        return int(stop.code or 0), printed.getvalue()
    finally:
        sys.argv, sys.stdin = before
        os.environ.update(colours)


class _LabThread:
    """A lab with its control API, until it is stopped or `lab down` is run."""

    def __init__(
        self,
        directory: Path,
        count: int | None,
        latency: float,
        store_b: Sequence[str] | None,
        *,
        onvif: bool = False,
        axis: str = "",
    ) -> None:
        prefix = f"127.{random.randint(2, 250)}"
        self._portal_host = f"{prefix}.251.9"
        wanted = generated_sites(count, prefix) if count else default_sites()
        wanted = with_onvif(wanted) if onvif else wanted
        wanted = with_axis(wanted, axis) if axis else wanted
        self._hosts = {} if count else {each.host: f"{prefix}.251.{each.host[-1]}" for each in wanted}
        sites = [
            replace(each, host=self._hosts.get(each.host, each.host))
            for each in with_store_b(wanted, store_b)
        ]
        self._home = {} if not count else {f"{prefix}.": "127.1."}
        self.lab = Lab(directory, sites, portal_host=self._portal_host, mail_port=0)
        self._directory = directory
        self._stop, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(latency,), daemon=True)
        self._thread.start()
        assert self._ready.wait(SECONDS), "the lab did not start"

    def _serve(self, latency: float) -> None:
        try:
            with self.lab as lab, lab.control(self._stop.set):
                lab.set_latency(latency)
                self._ready.set()
                self._stop.wait()
        finally:
            lab_control.forget(self._directory, os.getpid())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(SECONDS)

    def moved(self, name: str, text: str) -> str:
        """A file of the example fleet for this lab."""
        if name == "fleet.yml":
            text = text.replace("//127.0.0.1:8443", f"//{self._portal_host}:8443")
            return text.replace("port: 2525", f"port: {self.lab.mail_port}")
        return re.sub(r"127\.0\.0\.[123]\b", lambda found: self._hosts.get(found[0], found[0]), text)

    def put_back(self, text: str) -> str:
        """Addresses and ports as in a lab on the default ones."""
        for shown, real in {**self._hosts, "127.0.0.1": self._portal_host}.items():
            text = re.sub(rf"\b{re.escape(real)}\b", shown, text)
        for shown, real in self._hosts.items():
            text = re.sub(rf"\b{re.escape(real)}\b", shown, text)
        for real, shown in self._home.items():
            text = re.sub(rf"\b{re.escape(real)}", shown, text)
        return re.sub(rf"\b{self.lab.mail_port}\b", "2525", text)


@contextmanager
def session(folder: Path) -> Iterator[Session]:
    """A reader's folder, shell and lab; the lab is stopped at the end."""
    running = Session(folder)
    try:
        yield running
    finally:
        running.close()


def first_difference(shown: Sequence[str], real: Sequence[str]) -> str | None:
    """None if `real` is what is shown. A line that begins with `...` stands for any number of lines."""
    wanted, found = _trimmed(shown), _trimmed(real)
    position, free = 0, False
    for line in wanted:
        if line.lstrip().startswith("..."):
            free = True
            continue
        places = range(position, len(found)) if free else range(position, min(position + 1, len(found)))
        at = next((place for place in places if found[place] == line), None)
        if at is None:
            seen = found[position] if position < len(found) else "(the end)"
            return f"the page shows {line!r}, the command printed {seen!r}"
        position, free = at + 1, False
    if position < len(found) and not free:
        return f"the page shows nothing more, the command printed {found[position]!r}"
    return None


def _trimmed(lines: Sequence[str]) -> list[str]:
    """Without blank lines at both ends, and with what differs from run to run made equal."""
    text = "\n".join(line.rstrip() for line in lines)
    for pattern, constant in _VOLATILE:
        text = pattern.sub(constant, text)
    return text.strip("\n").splitlines()
