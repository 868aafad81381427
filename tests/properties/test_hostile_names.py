"""Names of users, paths and events are data: none breaks out of the agent's script, of an XML file or of a page."""

from __future__ import annotations

import base64
import json
import re
import socketserver
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ivn_provision.drivers.xprotect_e.layout import CONFIGURATION
from ivn_provision.drivers.xprotect_e.layout_file import read_layout
from ivn_provision.drivers.xprotect_e.screens import screens_of
from ivn_provision.drivers.xprotect_e.xml_document import Element, parse
from ivn_provision.errors import Refused, SpecError
from ivn_provision.model.resource import Address
from ivn_provision.plan.plan import Action, Change, FieldChange, SitePlan, TargetFacts, Unverified
from ivn_provision.plan.runbook import open_runbook
from ivn_provision.report import runbook_form, runbook_html, runbook_markdown
from ivn_provision.run.attestation_entries import read_entries
from tests.conformance.agent_powershell import Job, find_pwsh, reply_bytes, run_jobs, run_pwsh
from tests.unit.test_runbook import Tags
from tests.unit.test_store_of_many_files import EVENTS, LAYOUT, Files, update

FOUND = find_pwsh()
PWSH = FOUND or ""
needs_powershell = pytest.mark.skipif(
    FOUND is None, reason="no PowerShell: neither IVN_PWSH, nor on the path, nor beside the checkout"
)
MARKER = "Marker0123456789ab"
MARKS = "\"'`$(){}[]<>&|;%!@#^~\\/:*?=,.- \n\r\t\x00\x1b\x7f\u2018\u2019\u201c\u201d\u2028\u202e\ufeffé日\U0001f3a5"
DRAWN = st.one_of(
    st.text(st.sampled_from(MARKS + "aZ0"), min_size=1, max_size=40),
    st.text(min_size=1, max_size=30),
    st.text(st.sampled_from("x日`$'\""), min_size=300, max_size=300),
)


def payloads(canary: Path) -> list[str]:
    """Ways out of a string of PowerShell, each of which makes a file where the text is run."""

    def made(number: int) -> str:
        return f"[IO.File]::WriteAllText([string][char]47 + '{str(canary)[1:]}/{number}', 'x')"

    ways = (
        "$({})",
        '"; {}; "',
        "'; {}; '",
        "x\n{}\n",
        "x\r\n{}\r\n#",
        "`$({})`",
        "\u2019; {}; \u2018",  # PowerShell takes typographic quotes for plain ones
        "\u201d; {}; \u201c",
        "x | % {{ {} }}",
        "(?{{ {} }})",
        "'@\n{}\n@'",
        '"@\n{}\n@"',
        "$$; {} #",
    )
    return [way.format(made(number)) for number, way in enumerate(ways)]


# The agent's arguments, on a real PowerShell


@dataclass
class Web:
    """A web server of the test; `heads` are the requests as they came, up to the blank line."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)


@contextmanager
def web() -> Iterator[Web]:
    seen = Web()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines: list[bytes] = []
            while (line := self.rfile.readline()) not in {b"\r\n", b""}:
                lines.append(line)
            seen.heads.append(b"".join(lines))
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        seen.port = server.server_address[1]
        yield seen
        server.shutdown()


def asked(name: str, port: int) -> list[dict[str, Any]]:
    """Every argument of every verb that takes text, with this name in it."""
    place = f"C:\\M\\{name}"
    request: dict[str, Any] = {"port": port, "method": "GET", "path": "/", "headers": {}, "body": ""}
    request |= {"username": "", "password": "", "timeout_seconds": 1, "max_bytes": 9}
    log = {"folder": "C:\\M", "pattern": name}
    control = {"verb": "service_control", "action": "stop", "timeout_seconds": 0}
    rule = {"verb": "firewall_rule", "action": "add", "protocol": "tcp", "port": 80}
    file = {"path": place, "base_sha256": name, "result_sha256": name, "splices": [[0, 0, name]]}
    return [
        {"verb": name},
        {"verb": "file_versions", "paths": [place, name]},
        {"verb": "read_files", "redact_key": "a2V5", "files": [{"path": place, "redact": [name]}]},
        {"verb": "read_files", "redact_key": "a2V5", "files": [{"path": "C:\\M\\a.xml", "redact": [name]}]},
        {"verb": "read_files", "redact_key": name, "files": []},
        {"verb": "services", "path_pattern": name},
        {"verb": "processes", "names": [name]},
        {"verb": "require_not_running", "names": [name]},
        {"verb": "require_running", "names": [name], "stable_seconds": 0},
        {"verb": "require_unchanged", "files": [{"path": place, "sha256": name}]},
        {"verb": "backup", "to": f"C:\\B\\{name}", "paths": [], "folders": []},
        {"verb": "backup", "to": name, "paths": [], "folders": []},
        {"verb": "backup", "to": "C:\\B\\n", "paths": [place], "folders": [place]},
        {"verb": "restore", "from": place},
        {"verb": "write_files", "files": [file]},
        {"verb": "write_files", "files": [{**file, "splices": []}]},
        {**control, "names": [name]},
        {**control, "action": name, "names": []},
        {"verb": "service_config", "name": name, "start_mode": "Auto"},
        {"verb": "service_config", "name": "known", "start_mode": name},
        {"verb": "snapshot", "folders": [place], "max_files": 5},
        {"verb": "mark_logs", **log},
        {"verb": "require_clean_logs", **log, "error_pattern": name},
        {"verb": "mark_logs", "folder": place, "pattern": "x"},
        {**rule, "name": name},
        {**rule, "name": f"ivn-provision {name}"},
        {"verb": "firewall", "ports": [{"protocol": name, "port": 80}]},
        {"verb": "http", **request, "path": name},
        {"verb": "http", **request, "path": f"/{name}"},
        {"verb": "http", **request, "method": name},
        {"verb": "http", **request, "headers": {name: "x"}},
        {"verb": "http", **request, "headers": {"X-Ivn": name}},
        {"verb": "http", **request, "username": name, "password": name},
        {"verb": "require_http", **request, "timeout_seconds": 1, "status": 200, "contains": []},
    ]


def machine(name: str) -> dict[str, Any]:
    """A machine on which things bear this name too."""
    service = {"name": name, "display_name": name, "state": "Running", "start_mode": "Manual", "path": name}
    return {
        "services": [{**service, "process_id": 7}, {**service, "name": "known", "process_id": 8}],
        "processes": [name],
        "firewall": {"rules": [{"name": name, "protocol": 6, "local_ports": name, "program": name}]},
    }


def everything_below(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*")}


@needs_powershell
def test_the_canary_sings_where_a_name_is_run(tmp_path: Path) -> None:
    """The payloads are alive: put where text is run, each in the quotes it is made for, they make their file."""
    inside = payloads(tmp_path)
    lines = [
        f'$a = "{inside[0]}"', f'$a = "{inside[1]}"', f"$a = '{inside[2]}'", f"$a = 'x'; {inside[3]}",
        f"$a = '{inside[6]}'", f'$a = "{inside[7]}"',
    ]  # fmt: skip
    script = base64.b64encode("\n".join(lines).encode("utf-16-le")).decode()
    run_pwsh([PWSH, "-NoProfile", "-NonInteractive", "-EncodedCommand", script])
    assert everything_below(tmp_path) == {"0", "1", "2", "3", "6", "7"}


@needs_powershell
@settings(
    max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None
)
@given(st.lists(DRAWN, min_size=4, max_size=4, unique=True))
def test_no_argument_of_the_agent_is_run_or_leaves_its_place(drawn: list[str]) -> None:
    with tempfile.TemporaryDirectory() as directory, web() as server:
        top = Path(directory)
        canary, root = top / "canary", top / "root"
        canary.mkdir()
        (root / "C" / "M").mkdir(parents=True)
        (root / "C" / "M" / "a.xml").write_bytes(b"<a><Password>hunter2</Password></a>")
        names = [*payloads(canary), "..\\..\\..\\canary\\x", "../../../canary/x", "x:stream", "con", *drawn]
        texts = [{"protocol": 1, "marker": MARKER, "always": asked(each, server.port)} for each in names]
        jobs = [Job(json.dumps(text), machine(name), root) for text, name in zip(texts, names, strict=True)]
        outside = everything_below(top)
        ran = run_jobs(PWSH, jobs, top / "run")
        for name, result, text in zip(names, ran, texts, strict=True):
            check_answers(name, text["always"], reply_bytes(result.stdout)[1])
        assert not list(canary.iterdir())
        left = {each for each in everything_below(top) if not each.startswith(("root/C/", "run"))}
        assert left == {each for each in outside if not each.startswith("root/C/")}
        assert (root / "C" / "M" / "a.xml").read_bytes() == b"<a><Password>hunter2</Password></a>"
        check_requests(server.heads)


def check_answers(name: str, steps: object, reply: bytes) -> None:
    assert isinstance(steps, list)
    answers = json.loads(reply)["always"]
    assert [each["verb"] for each in answers] == [each["verb"] for each in steps]
    for answer, step in zip(answers, steps, strict=True):
        assert answer["ok"] or answer["error"]["code"] != "internal", (step, answer)
    by_verb = {each["verb"]: each for each in answers}
    assert by_verb["processes"]["running"] == [name], "the name came through unchanged"
    assert b"hunter2" not in base64.b64decode(answers[3]["files"][0]["content"])


def check_requests(heads: Sequence[bytes]) -> None:
    """Each request is one line and the headers that the agent sends, whatever the name."""
    assert heads
    for head in heads:
        first, *rest = head.decode("ascii").split("\r\n")[:-1]
        assert re.fullmatch(r"(GET|POST) /[!-~]* HTTP/1\.1", first), head
        for line in rest:
            assert re.fullmatch(
                r"(Host|Authorization|Connection|Accept|User-Agent|[Xx]-[\w-]+): ?[ -~]*", line
            ), head


# Plan -> splices -> the file parsed again


def values(name: str) -> str:
    """As XML gives a text back, without the white space around it (facts: the product's names have none)."""
    return name.replace("\r\n", "\n").replace("\r", "\n").strip()


def shape(element: Element) -> tuple[str, tuple[str, ...], tuple[Any, ...]]:
    """Tags and names of attributes, without any text."""
    return element.tag, tuple(element.attributes), tuple(map(shape, element.children))


def shapes(files: Files) -> dict[str, Any]:
    return {path: shape(parse(raw, path=path).root) for path, raw in files.raw.items()}


def with_name(name: str) -> Files | None:
    """A camera, an event and an alarm of this name; None where it was refused and nothing is written."""
    files = Files()
    before = dict(files.raw)
    camera, desired = update(files.live("camera")["10 Gate"], name=name)
    event, more = update(files.live("hardware_event")["2 H Gate"], name=f"2 H {name}")
    alarm = Address("s", "nvr", "alarm", name)
    wanted = {**desired, **more, alarm: {"source": "hardware_event/2"}}
    try:
        files.apply(camera, event, Change(alarm, Action.CREATE, ()), desired=wanted)
    except Refused:
        assert files.raw == before
        return None
    return files


PLAIN = with_name("plain")


@settings(max_examples=80, deadline=None)
@given(DRAWN)
@example("]]><x/><![CDATA[")
@example("\"/><Event id='x'/>")
@example("</DisplayName></C><C><Guid>9</Guid>")
@example("' or '1'='1")
@example("Devices/*/Cameras/../@id")
@example("<!--")
@example("&#0;&lt;&x;")
@example("x" * 300)
def test_a_name_is_one_text_of_the_file_and_nothing_else(name: str) -> None:
    files = with_name(name)
    if files is None:
        assert re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", name), ascii(name)
        return
    assert PLAIN is not None
    assert shapes(files) == shapes(PLAIN), "the same elements and attributes as for a plain name"
    config = parse(files.raw[CONFIGURATION], path="config").root
    assert (config.value("Devices/D1/Cameras/C/DisplayName") or "").strip() == values(name)
    store = parse(files.raw[EVENTS], path="store").root
    assert (store.value("Store/Event/Mail/Camera") or "").strip() == values(name), "what points at it by name"
    for path, wanted in (("Store/Event/@name", f"2 H {name}"), ("Store/Alarms/Alarm/@name", name)):
        assert store.value(path) == wanted, "an attribute keeps its white space"


@settings(max_examples=80, deadline=None)
@given(DRAWN)
@example("' or '1'='1")
@example("*")
@example("../..")
def test_an_object_is_found_by_its_name_alone(name: str) -> None:
    """Two alarms, one of them hostile: a change of the other touches only that one."""
    files = Files()
    first, other = Address("s", "nvr", "alarm", name), Address("s", "nvr", "alarm", "other")
    both = (Change(first, Action.CREATE, ()), Change(other, Action.CREATE, ()))
    assume(name.strip() not in {"", "other"})
    try:
        files.apply(*both, desired={each: {"source": "hardware_event/2"} for each in (first, other)})
    except Refused:
        return
    live = files.live("alarm")
    assert set(live) == {name.strip(), "other"}
    assert live[name.strip()].address.key == name.strip()
    gone = live["other"]
    files.apply(Change(gone.address, Action.DELETE, (), handle=gone.handle, digest=gone.digest), desired={})
    assert set(files.live("alarm")) == {name.strip()}


STEP = re.compile(r"[A-Za-z_][\w.:-]*\Z")


@settings(max_examples=80, deadline=None)
@given(DRAWN)
@example("Name\n")
@example("Name | //x")
@example("x' or '1'='1")
@example("A/../../B")
@example("A[1]")
@example("@a/@b")
@example("@name x='1'")
def test_a_path_of_a_layout_is_steps_or_refused(path: str) -> None:
    """A layout is data of others: its paths are names, slashes and one `@`, or it is not taken."""
    text = LAYOUT.replace("name: '@name'", f"name: {json.dumps(path)}", 1)
    assert text != LAYOUT
    try:
        layout = read_layout("layouts/x.yml", text.encode("utf-8", "surrogatepass"))
    except SpecError:
        return
    steps = [each for each in re.split(r"[/]|(?=@)", layout.kinds["hardware_event"].name) if each]
    assert all(STEP.match(each.removeprefix("@")) for each in steps), path


# A person's pages


def book_plan(name: str) -> SitePlan:
    # an address is names of one line, as the site file's reader sees to
    key = name.replace("/", "|")
    address = Address("s", "nvr", "camera", key)
    fields = (FieldChange("name", name, name, reason=name),)
    return SitePlan(
        "s",
        (Change(address, Action.UPDATE, fields, manual=True, title=name, reason=name),),
        unverified=(Unverified(address, "name", name, name),),
        facts=(TargetFacts("nvr", name, name, name),),
        notes=(name,),
    )


SCREENS = screens_of("xprotect-professional-2014")
PAGE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | DRAWN


def tokens(page: str) -> list[str]:
    """What Markdown makes of a page, without texts."""
    kinds = [each.type for token in MarkdownIt().parse(page) for each in (token, *(token.children or ()))]
    return [each for each in kinds if each not in {"text", "code_inline", "text_special", "softbreak"}]


@settings(max_examples=40, deadline=None)
@given(PAGE)
@example("<img src=x onerror=y>")
@example("` <b> `` {{7*7}}")
@example("`" * 40)
@example("`a`` <b> ``b`")
@example("```` <b>")
@example("\n- [x] done\n# head")
@example("[a](javascript:x) ![b](http://c) <http://d>")
def test_a_name_makes_no_tag_and_no_mark_of_a_page(name: str) -> None:
    assume(not any("\ud800" <= each <= "\udfff" for each in name))
    book = open_runbook(book_plan(name), SCREENS)
    plain = open_runbook(book_plan("name"), SCREENS)
    tags, usual = Tags(), Tags()
    tags.feed(runbook_html.render(book))
    usual.feed(runbook_html.render(plain))
    assert tags.seen <= usual.seen | {"br", "pre"}
    assert tags.attributes <= usual.attributes
    active = {"html_block", "html_inline", "link_open", "image", "em_open", "fence", "code_block"}
    assert not active & set(tokens(runbook_markdown.render(book)))


@settings(max_examples=40, deadline=None)
@given(PAGE)
@example("x\n  by: evil")
@example('" by: "evil')
@example("# &a *a !!python/object {x: y}")
def test_a_name_is_one_entry_of_the_form(name: str) -> None:
    assume(not any("\ud800" <= each <= "\udfff" for each in name))
    plan = book_plan(name)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "form.yml"
        text = runbook_form.render(plan)
        path.write_text(text, "utf-8")
        assert read_entries(str(path), form=True).blank == 1
        path.write_text(text.replace('by: ""', 'by: "J"').replace('when: ""', 'when: "2026-11-01"'), "utf-8")
        (entry,) = read_entries(str(path), form=True).entries
    assert (entry.address, entry.field, entry.by) == (plan.unverified[0].address, "name", "J")
