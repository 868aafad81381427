"""Audits made up: a good one for examples, and hypothesis strategies of hostile ones."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import strategies as st

from ivn_provision.diagnostics import Place
from ivn_provision.run.audit.names import finding_id
from ivn_provision.run.audit.record import (
    Audit,
    Cause,
    FieldDiff,
    Finding,
    FindingKind,
    Level,
    Moment,
    SiteAudit,
    SiteState,
    Trouble,
    Waived,
)
from ivn_provision.spec.waivers import Waiver
from ivn_provision.strict_json import encodable

AT = "2026-11-24T03:00:00Z"
EARLIER = "2026-11-20T03:00:00Z"
TODAY = date(2026, 11, 24)


def drift(site: str = "a", key: str = "10", *fields: str, **more: Any) -> Finding:
    """A camera that differs in these fields."""
    address = f"{site}/nvr/camera/{key}"
    given: dict[str, Any] = {
        "id": finding_id(site, FindingKind.DRIFT, "drift/camera", f"{address} update"),
        "kind": FindingKind.DRIFT,
        "what": "drift/camera",
        "level": Level.ERROR,
        "title": f"camera {key} differs",
        "address": address,
        "action": "update",
        "fields": tuple(FieldDiff(name, "'live'", "'declared'") for name in fields or ("name",)),
        "remedy": "`ivn-provision apply` sets it",
        "refs": ("R-27",),
        "place": Place(f"sites/{site}.yml", 12, 5),
    }
    return Finding(**{**given, **more})


def failed_check(site: str = "a", check: str = "disk", **more: Any) -> Finding:
    """A check of the whole site that failed."""
    given: dict[str, Any] = {
        "id": finding_id(site, FindingKind.CHECK, check, ""),
        "kind": FindingKind.CHECK,
        "what": check,
        "level": Level.ERROR,
        "title": "0.5 GiB are free on C:",
    }
    return Finding(**{**given, **more})


def open_field(site: str = "a", **more: Any) -> Finding:
    """A password that nobody confirmed."""
    address = f"{site}/nvr/mail_server"
    given: dict[str, Any] = {
        "id": finding_id(site, FindingKind.OPEN, "open/mail_server", f"{address} password"),
        "kind": FindingKind.OPEN,
        "what": "open/mail_server",
        "level": Level.NOTE,
        "title": "password of mail server is not confirmed: never attested",
        "address": address,
        "fields": (FieldDiff("password", "not shown", "(sensitive value)"),),
    }
    return Finding(**{**given, **more})


def site_audit(
    name: str = "a", state: SiteState = SiteState.DRIFT, *findings: Finding, **more: Any
) -> SiteAudit:
    return SiteAudit(name, f"sites/{name}.yml", state, findings=findings, since=AT, read_at=AT, **more)


def audit(*sites: SiteAudit, **more: Any) -> Audit:
    return Audit(at=AT, seconds=3.2, fleet="sites", selection="", sites=sites, **more)


def example() -> Audit:
    """A site in most states."""
    waived = Waived("the router is replaced", "Ada", "2026-12-31")
    over = Waived("the lens was ordered", "Bo", "2026-11-01", expired=True)
    return audit(
        site_audit(
            "b",
            SiteState.UNREACHABLE,
            trouble=(Trouble("Unreachable", "no connection", "b 10.0.0.1:5986", "look"),),
        ),
        site_audit(
            "a",
            SiteState.DRIFT,
            drift(first_seen=EARLIER),
            drift("a", "11", waiver=over),
            failed_check(waiver=waived),
        ),
        site_audit("c", SiteState.OPEN, open_field("c")),
        site_audit("d", SiteState.CLEAN, failed_check("d", "dormant-pins", level=Level.WARNING)),
        site_audit("e", SiteState.CLEAN, as_declared=16),
        trend=(Moment(EARLIER, {SiteState.CLEAN: 5}, 0), Moment(AT, {SiteState.DRIFT: 1}, 5)),
        unused_waivers=("x/*",),
        notes=("a note",),
    )


def waiver(address: str, until: date = date(2026, 12, 31), **more: Any) -> Waiver:
    return Waiver(address, "known", "Ada", until, **more)


HOSTILE = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</code><img src=x onerror=alert(1)>",
        "@everyone @org/team",
        "`x` ``` | a | b |\n|--|--|",
        "](javascript:alert(1)) [x](http://evil)",
        "=cmd|' /C calc'!A0",
        "+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        " =1",
        "\x1b[31mred\x1b[0m\r\n",
        "\u202egnp.exe",
        "a\ud800b",
        "]]>&lt;&#0;\x00\ufffe",
        '","=1',
        "# head\n- item\n\n    code",
        "https://evil.example www.evil.example #1 :tada:",
        "\\[x\\]\\",
    ]
)
TEXT = HOSTILE | st.text(max_size=40)
PATHS = TEXT.filter(lambda path: "\0" not in path and encodable(path))
_TIMES = st.sampled_from(["", AT, EARLIER])


def _findings() -> st.SearchStrategy[Finding]:
    waivers = st.none() | st.builds(
        Waived, TEXT, TEXT, st.sampled_from(["2026-12-31", "2026-01-01"]), expired=st.booleans()
    )
    places = st.none() | st.builds(Place, PATHS, st.integers(1, 99), st.integers(1, 99))
    return st.builds(
        Finding,
        id=st.from_regex(r"[0-9a-f]{16}(\.[0-9a-f]{6})?", fullmatch=True),
        kind=st.sampled_from(FindingKind),
        what=st.sampled_from(["drift/camera", "open/user", "disk"]),
        level=st.sampled_from(Level),
        title=TEXT,
        address=TEXT,
        action=st.sampled_from(["", "create", "update", "replace", "delete"]),
        fields=st.lists(st.builds(FieldDiff, TEXT, TEXT, TEXT, st.sampled_from(Cause)), max_size=3).map(
            tuple
        ),
        remedy=TEXT,
        refs=st.lists(TEXT, max_size=2).map(tuple),
        place=places,
        cause=st.sampled_from(Cause),
        first_seen=_TIMES,
        waiver=waivers,
    )


def _sites() -> st.SearchStrategy[SiteAudit]:
    return st.builds(
        SiteAudit,
        site=TEXT,
        path=PATHS,
        state=st.sampled_from(SiteState),
        groups=st.lists(TEXT, max_size=2).map(tuple),
        labels=st.dictionaries(TEXT, TEXT, max_size=2),
        network=TEXT,
        products=st.lists(TEXT, max_size=2).map(tuple),
        findings=st.lists(_findings(), max_size=3).map(tuple),
        checks=st.dictionaries(st.sampled_from(["pass", "warn", "fail"]), st.integers(0, 9), max_size=2),
        trouble=st.lists(st.builds(Trouble, TEXT, TEXT, TEXT, TEXT), max_size=2).map(tuple),
        since=_TIMES,
        read_at=_TIMES,
    )


def audits() -> st.SearchStrategy[Audit]:
    """Every text in them may be anything."""
    return st.builds(
        Audit,
        at=st.just(AT),
        seconds=st.floats(0, 1000),
        fleet=TEXT,
        selection=TEXT,
        sites=st.lists(_sites(), max_size=3).map(tuple),
        revision=st.sampled_from(["", "0" * 40]),
        unused_waivers=st.lists(TEXT, max_size=2).map(tuple),
        notes=st.lists(TEXT, max_size=2).map(tuple),
    )
