"""The narrated demo: from a site file to a proven site, then drift, found and repaired.

Everything runs through the command line, against a lab of its own in a temporary folder and with a copy of
the example sites. `--record FILE` also writes the session as an SVG picture (the one in the README).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE = "harbor-marina"
LINES_IN_PICTURE = 34
PLANTED = ("pre_buffer_seconds: 10", "pre_buffer_seconds: 3")


class Failed(Exception):
    """A step of the demo did not do what it should."""


class Demo:
    """Runs commands in `folder` and keeps what was shown."""

    def __init__(self, folder: Path, *, color: bool) -> None:
        self.folder = folder
        self.color = color
        self.shown: list[str] = []

    def say(self, text: str) -> None:
        line = f"\n\x1b[1;36m# {text}\x1b[0m" if self.color else f"\n# {text}"
        self.show(line)

    def run(self, *arguments: str, expect: int = 0, quiet: bool = False) -> str:
        """Run `ivn-provision ARGUMENTS`; its exit code must be `expect`."""
        if not quiet:
            self.command(*arguments)
        environment = {**os.environ, "COLUMNS": "120"}
        environment.pop("NO_COLOR", None)
        if self.color:
            environment["FORCE_COLOR"] = "1"
        else:
            environment["NO_COLOR"] = "1"
        done = subprocess.run(
            [sys.executable, "-m", "ivn_provision", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        if not quiet or done.returncode != expect:
            self.show(done.stdout.rstrip())
        if done.returncode != expect:
            raise Failed(
                f"`ivn-provision {' '.join(arguments)}` gave exit code {done.returncode}, not {expect}"
            )
        return done.stdout

    def command(self, *arguments: str) -> None:
        line = f"$ ivn-provision {shlex.join(arguments)}"
        self.show(f"\x1b[1m{line}\x1b[0m" if self.color else line)

    def show(self, text: str) -> None:
        text = text.replace(f"{self.folder}/", "")
        print(text, flush=True)
        self.shown.append(text)


def plant(folder: Path, old: str, new: str) -> None:
    path = folder / "sites" / f"{SITE}.yml"
    text = path.read_text(encoding="utf-8")
    if old not in text:
        raise Failed(f"{path.name} is not as the demo expects it")
    path.write_text(text.replace(old, new), encoding="utf-8")


def story(demo: Demo) -> None:
    """The whole of it, in order."""
    demo.say("A site file says what a monitored site should be. One mistake is planted in this one.")
    plant(demo.folder, *PLANTED)
    demo.run("validate", "sites", "--no-cache", expect=1)
    plant(demo.folder, *reversed(PLANTED))
    demo.say("Corrected. What would change on the recorder and the portal?")
    demo.run("validate", "sites", "--no-cache")
    demo.run("plan", SITE)
    demo.say(
        "Make it so: one write on the recorder, one restart, then everything is read again as the proof."
    )
    apply_shortly(demo, expect=4)
    demo.say(
        "Two passwords cannot be read back. A login shows that one is right. For the other a mail is needed."
    )
    demo.say("The operator presses the soft trigger. The recorder mails the portal: is it on the right pin?")
    demo.run("lab", "fire", SITE, "soft", "2")
    demo.show(wait_for_event(demo))
    demo.say("Months later somebody renames a camera on the recorder by hand.")
    demo.run("lab", "tamper", SITE, "camera", "10", "--set", "label=Other")
    demo.run("drift", SITE, expect=2)
    demo.say("Repaired, and proven again.")
    apply_shortly(demo)
    demo.run("drift", SITE)


def learning_story(demo: Demo) -> None:
    """A recorder whose version no layout describes: all by hand, until one change at a time shows its files."""
    demo.say("The recorder is of a version that no layout describes: XProtect's own settings are by hand.")
    demo.run("capabilities", SITE)
    demo.say("Here the lab plays the technician in the Management Application. The tool only looks.")
    demo.run("learn", SITE, "generic_event", "--technician", "lab", "--by", "Eva Lind")
    demo.say("Reviewed and committed, the layout says what can be managed, and on what evidence.")
    demo.run("capabilities", SITE)
    demo.say("The rest is a checklist for a person.")
    demo.run("runbook", SITE)


def apply_shortly(demo: Demo, *, expect: int = 0) -> None:
    """Apply, showing only what stands after the plan, which was seen before."""
    lines = demo.run("apply", SITE, "--auto-approve", quiet=True, expect=expect).rstrip().splitlines()
    demo.command("apply", SITE, "--auto-approve")
    done = next(number for number, line in enumerate(lines) if "Apply complete!" in line)
    demo.show("\n".join(lines[done:]))


def wait_for_event(demo: Demo) -> str:
    """The portal's newest event, in words. Raises Failed if none comes."""
    for _ in range(50):
        status = json.loads(demo.run("lab", "status", "--format", "json", quiet=True))
        for last in status["last_events"][:1]:
            if (last["pin"], last["source"], last["parse_status"]) != (2, "soft", "parsed"):
                raise Failed(f"the event is on the wrong pin: {last}")
            return f"The portal has it: pin {last['pin']} ({last['source']}), camera {last['camera']}, mail {last['parse_status']}."
        time.sleep(0.1)
    raise Failed("no mail reached the portal within 5 s")


def shortened(text: str) -> str:
    """A long output with its middle left out: a picture is to be looked at."""
    lines = text.splitlines()
    if len(lines) <= LINES_IN_PICTURE:
        return text
    left_out = f"\x1b[2m  ... {len(lines) - LINES_IN_PICTURE} more lines ...\x1b[0m"
    return "\n".join([*lines[: LINES_IN_PICTURE - 4], left_out, *lines[-4:]])


def picture(shown: list[str], file: Path) -> None:
    """The session as SVG."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=124, file=io.StringIO())
    for text in shown:
        console.print(Text.from_ansi(shortened(text)))
    svg = console.export_svg(title="ivn-provision")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no fonts from elsewhere
    file.write_text(svg.replace("Fira Code", "DejaVu Sans Mono"), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, help="write the session as an SVG picture")
    parser.add_argument("--story", choices=["site", "learning"], default="site", help="which one to tell")
    options = parser.parse_args()
    tell, more = (story, []) if options.story == "site" else (learning_story, ["--store-b", SITE])
    color = options.record is not None or (sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ivn-demo-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "sites", folder / "sites")
        demo = Demo(folder, color=color)
        try:
            demo.say(
                "The embedded lab: recorders, portal and mail server on loopback, over their real protocols."
            )
            demo.run("lab", "up", "--detach", *more)
            try:
                tell(demo)
            finally:
                demo.run("lab", "down", quiet=True)
        except Failed as error:
            print(f"\nThe demo failed: {error}", file=sys.stderr)
            return 1
        proven = " The site is as declared, and proven." if options.story == "site" else ""
        print(f"\nDone in {time.monotonic() - began:.0f} s.{proven}")
        if options.record:
            picture(demo.shown, options.record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
