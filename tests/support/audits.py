"""Audits that are made up, the same each time: of a few sites or of thousands, or with any text in every place."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ivn_provision.diagnostics import Place
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

AT = datetime(2026, 11, 24, 3, 15, tzinfo=UTC)
_WHERE = (
    "harbor", "old-mill", "airport", "maple-street", "riverside", "north-gate", "quarry", "union-square", "lakeside",
    "stone-bridge", "cedar-hill", "foundry", "east-dock", "main-street", "orchard", "summit", "canal", "westfield",
    "granite", "pine-ridge", "depot", "college", "fairview", "kings-cross", "sandy-point", "green-valley", "iron-works",
    "market", "chapel", "bayview", "mill-pond", "copper-creek", "fox-hollow", "sunset", "pioneer", "eagle-rock",
)  # fmt: skip
_WHAT = (
    "marina", "storage", "parking", "dental", "motors", "school", "substation", "pharmacy", "lumber", "brewery",
    "clinic", "bank", "warehouse", "grocery", "hotel", "recycling", "church", "farm-supply", "jewelers", "hardware",
    "museum", "logistics", "bakery", "library", "garage", "data-center", "cold-store", "scrap-yard", "car-wash", "gym",
)  # fmt: skip
_REGIONS = (
    "northeast", "southeast", "midwest", "southwest", "mountain", "pacific", "gulf", "plains",
)  # fmt: skip
_DEALERS = ("northside", "safe-harbor", "lone-star", "sentry")
_GROUPS = ("retail", "public-buildings", "industry")
_OWNERS = ("A. Moreno", "J. Whitaker", "L. Okafor")
_WAIVERS = (
    Waived("Camera 11 stays on H.264 until the switch is replaced", _OWNERS[0], "2027-01-31"),
    Waived("Dealer tests the new mail template at these sites", _OWNERS[1], "2026-12-15"),
    Waived("Dock is closed for the winter; no pre-buffer wanted", _OWNERS[2], "2027-04-01"),
    Waived("Router is exchanged in October", _OWNERS[1], "2026-10-31", expired=True),
)
_BAD = (
    (SiteState.DRIFT, 46), (SiteState.FAILING, 18), (SiteState.OPEN, 18), (SiteState.WAIVED, 12),
    (SiteState.UNREACHABLE, 10), (SiteState.ERROR, 4), (SiteState.INVALID, 3),
)  # fmt: skip


def audit_of(count: int, *, unwell: float = 0.14, seed: int = 7) -> Audit:
    """So many sites, of which this share is not clean."""
    dice = random.Random(seed)
    names = _names(count, dice)
    sites = tuple(_site(name, unwell, dice) for name in names)
    return Audit(
        at=_time(AT),
        seconds=8.4 + count * 0.021,
        fleet="sites",
        selection="state=live",
        sites=sites,
        revision="4f0c2b9e1d7a",
        base="a81d3f60c2e5",
        trend=_trend(sites, dice),
        unused_waivers=("*-gym/nvr/camera/*", "quarry-hotel/nvr/mail_message/*"),
    )


def hostile_audit(text: str) -> Audit:
    """One site of each state, with this text in every place that holds one."""
    held, expired = Waived(text, text, text), Waived(text, text, text, expired=True)
    findings = tuple(
        Finding(
            text, kind, text, level, text, text, text, (FieldDiff(text, text, text, Cause.BY_HAND),), text, (text,),
            Place(text, 1, 1), Cause.NOT_APPLIED, text, waiver,
        )
        for kind, level, waiver in zip(FindingKind, Level, (None, held, expired), strict=True)
    )  # fmt: skip
    sites = tuple(
        SiteAudit(
            text, text, state, (text,), {text: text}, text, (text,), findings, {text: 3}, 4, 1,
            (Trouble(text, text, text, text),), text, text, 1.5,
        )
        for state in SiteState
    )  # fmt: skip
    plain = SiteAudit(text, text, SiteState.CLEAN, (text,), {text: text}, text, checks={text: 3})
    moments = tuple(Moment(text, {SiteState.DRIFT: 3, SiteState.CLEAN: 1}, 3) for _ in range(2))
    return Audit(text, 1.0, text, text, (*sites, plain), text, True, text, moments, (text,))


def _names(count: int, dice: random.Random) -> list[str]:
    pairs = [f"{where}-{what}" for where in _WHERE for what in _WHAT]
    dice.shuffle(pairs)
    more = [f"{name}-{number}" for number in range(2, 2 + count // len(pairs)) for name in pairs]
    return sorted([*pairs, *more][:count])


def _site(name: str, unwell: float, dice: random.Random) -> SiteAudit:
    region = dice.choices(_REGIONS, (9, 8, 7, 6, 5, 5, 3, 2))[0]
    bad = dice.random() < unwell * (1.8 if region == "gulf" else 1)
    state = (
        dice.choices([each for each, _ in _BAD], [weight for _, weight in _BAD])[0]
        if bad
        else SiteState.CLEAN
    )
    read = state not in (SiteState.UNREACHABLE, SiteState.INVALID)
    days = dice.choice((0, 0, 1, 2, 3, 5, 9, 16, 33, 71))
    site = SiteAudit(
        site=name,
        path=f"sites/{region}/{name}.yml",
        state=state,
        groups=(dice.choice(_GROUPS),),
        labels={"region": region, "dealer": dice.choice(_DEALERS), "state": "live"},
        network=f"vpn-{region[:2]}-{dice.randint(1, 3)}",
        products=("XProtect Professional 2014 8.6a", "I-View Now portal") if read else (),
        checks={"pass": 29, "inconclusive": 2} if read else {},
        as_declared=dice.randint(14, 40) if read else 0,
        attested=dice.randint(0, 2) if read else 0,
        since=_time(AT - timedelta(days=days)),
        read_at=_time(AT + timedelta(seconds=dice.randint(0, 60))) if read else "",
        seconds=round(dice.uniform(0.3, 2.5), 1),
    )
    return replace(site, trouble=_trouble(site, dice), findings=_findings(site, days, dice))


def _trouble(site: SiteAudit, dice: random.Random) -> tuple[Trouble, ...]:
    host = f"198.51.100.{dice.randint(1, 254)}:5986"
    if site.state is SiteState.UNREACHABLE:
        next_step = f"Is the site on line? Is the VPN {site.network} up? `ivn-provision check {site.site} --only network`"
        return (Trouble("unreachable", "no connection to the recorder within 10 s", host, next_step),)
    if site.state is SiteState.ERROR:
        next_step = "Look at the account; it is not tried again in this run."
        return (Trouble("authentication", "the recorder refused the account ivn-provision", host, next_step),)
    if site.state is SiteState.INVALID:
        summary = "IVN005: hardware event names 2 H and 2 H are the same"
        return (Trouble("invalid", summary, f"{site.path}:41:5", "`ivn-provision validate` says more."),)
    return ()


def _findings(site: SiteAudit, days: int, dice: random.Random) -> tuple[Finding, ...]:
    makers = {
        SiteState.DRIFT: (_mail_off, _camera, _alarm_gone, _subject),
        SiteState.FAILING: (_check,),
        SiteState.OPEN: (_password,),
        SiteState.WAIVED: (_camera,),
    }
    chosen = makers.get(site.state, ())
    count = dice.choice((1, 1, 2, 3)) if site.state is SiteState.DRIFT else 1
    found = [make(site, dice) for make in dice.sample(chosen, min(count, len(chosen)))]
    if site.state is SiteState.DRIFT and dice.random() < 0.3:
        found.append(_check(site, dice))
    seen = [
        replace(each, first_seen=_time(AT - timedelta(days=days, hours=at * 7)))
        for at, each in enumerate(found)
    ]
    return tuple(replace(each, waiver=_waiver(site, dice)) for each in seen)


def _waiver(site: SiteAudit, dice: random.Random) -> Waived | None:
    if site.state is SiteState.WAIVED:
        return dice.choice(_WAIVERS[:3])
    return _WAIVERS[3] if site.state is SiteState.DRIFT and dice.random() < 0.12 else None


def _drift(site: SiteAudit, of: str, name: str, title: str, cause: Cause, *fields: FieldDiff) -> Finding:
    address = f"{site.site}/nvr/{of}/{name}" if name else f"{site.site}/nvr/{of}"
    return Finding(
        id=f"drift {address}", kind=FindingKind.DRIFT, what=f"drift/{of}", level=Level.ERROR, title=title,
        address=address, action="update" if fields else "create", fields=fields, cause=cause,
        place=Place(site.path, 20 + len(name) * 3, 5), remedy=f"`ivn-provision apply {site.site}` puts it back.",
    )  # fmt: skip


def _mail_off(site: SiteAudit, dice: random.Random) -> Finding:
    pin = str(dice.randint(2, 9))
    diff = FieldDiff("email", "false", "true", Cause.BY_HAND)
    found = _drift(site, "hardware_event", pin, f'hardware event "{pin}" differs', Cause.BY_HAND, diff)
    return replace(found, refs=("R-51", "row 10"))


def _camera(site: SiteAudit, dice: random.Random) -> Finding:
    number = str(dice.randint(10, 19))
    diffs = (
        FieldDiff("video.codec", "h264", "mjpeg", Cause.BY_HAND),
        FieldDiff("recording.pre_buffer_seconds", "0", "10", Cause.NOT_APPLIED),
    )
    found = _drift(site, "camera", number, f'camera "{number}" differs', Cause.BOTH, *diffs)
    return replace(found, refs=("R-29", "row 17", "row 20"), level=Level.WARNING)


def _alarm_gone(site: SiteAudit, dice: random.Random) -> Finding:
    name = dice.choice(("Front door forced", "Dock gate opened", "Roof hatch"))
    return replace(
        _drift(site, "alarm", name, f'alarm definition "{name}" is missing', Cause.NOT_APPLIED),
        refs=("R-57",),
    )


def _subject(site: SiteAudit, _: random.Random) -> Finding:
    diff = FieldDiff(
        "subject", "Alarm at $CameraName$", "$TriggerName$ $CameraName$ $TriggerTime$", Cause.BY_HAND
    )
    found = _drift(site, "mail_message", "", "mail message differs", Cause.BY_HAND, diff)
    return replace(found, refs=("R-40", "row 11"))


def _check(site: SiteAudit, dice: random.Random) -> Finding:
    title, what, level, refs, remedy = dice.choice(
        (
            ("The recorder's clock is 94 s slow", "recorder-clock", Level.ERROR, ("R-03", "row 18"), "Set the recorder's clock, and look at its time source."),
            ("The portal does not reach the web port", "web-port", Level.ERROR, ("R-76", "row 25"), "Forward the port on the router."),
            ("Drive C: has 3 GiB left", "disk", Level.WARNING, ("row 40",), "Make room on the drive."),
        )
    )  # fmt: skip
    return Finding(
        f"check {site.site} {what}", FindingKind.CHECK, what, level, title, refs=refs, remedy=remedy
    )


def _password(site: SiteAudit, _: random.Random) -> Finding:
    return Finding(
        f"open {site.site}", FindingKind.OPEN, "open/mail_server", Level.NOTE,
        "the password of the mail server was never confirmed", f"{site.site}/nvr/mail_server",
        fields=(FieldDiff("password", "(not shown by reading)", "(sensitive value)"),),
        remedy=f"Type it in Server Properties, then `ivn-provision confirm {site.site}`.", refs=("R-44",),
    )  # fmt: skip


def _trend(sites: Sequence[SiteAudit], dice: random.Random) -> tuple[Moment, ...]:
    """Thirty nights that end with this one: most states slowly get better, and one night a network was away."""
    now = Counter(site.state for site in sites)
    nights = []
    for back in range(29, 0, -1):
        states: dict[SiteState, int] = {
            state: max(0, round(now[state] * (1 + back * 0.035 + dice.uniform(-0.12, 0.12))))
            for state in SiteState
            if state is not SiteState.CLEAN
        }
        if back == 11:
            states[SiteState.UNREACHABLE] += max(1, len(sites) // 18)
        states[SiteState.CLEAN] = max(0, len(sites) - sum(states.values()))
        nights.append(
            Moment(_time(AT - timedelta(days=back)), states, 2 * (len(sites) - states[SiteState.CLEAN]))
        )
    return (*nights, Moment(_time(AT), dict(now), sum(len(site.findings) for site in sites)))


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
