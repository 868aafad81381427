"""Sites for property tests: hypothesis strategies over the spec's own values."""

from __future__ import annotations

from typing import Any, Literal

from hypothesis import strategies as st

from ivn_provision.secret import SecretRef
from ivn_provision.spec.site import (
    Alarm,
    Camera,
    GenericEvent,
    Hardware,
    HardwareEvent,
    Mail,
    MailMessage,
    MailServer,
    Nvr,
    Places,
    Recording,
    ServerAccess,
    Services,
    Site,
    Video,
)
from ivn_provision.spec.values import Computed

NUMBERS = st.integers(min_value=1, max_value=999)
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"], exclude_characters="\ufffe\uffff\u2013")
    | st.sampled_from("<>&'\"$`;]"),
    min_size=1,
    max_size=20,
)
PASSWORD = SecretRef("env", "PASSWORD")
ADDRESSES = ("192.168.10.61", "192.168.10.62", "192.168.10.63", "192.168.10.64")


def connect() -> Any:
    from ivn_provision.spec.site import Connect
    from ivn_provision.spec.values import Tls

    return Connect("winrm", "127.0.0.1", 5986, "u", PASSWORD, Tls(), "ntlm")


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """A site over up to four devices, with everything that the lab's layout manages."""
    addresses = draw(st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=4))
    numbers = draw(st.lists(NUMBERS, min_size=len(addresses), max_size=len(addresses), unique=True))
    cameras = tuple(
        draw(_camera(number, address)) for number, address in zip(numbers, addresses, strict=True)
    )
    pins = draw(st.lists(NUMBERS, max_size=len(cameras), unique=True))
    events = tuple(draw(_event(pin, camera.number)) for pin, camera in zip(pins, cameras, strict=False))
    soft = tuple(draw(_generic(pin)) for pin in draw(st.lists(NUMBERS, max_size=3, unique=True)))
    names = draw(st.lists(TEXT, max_size=len(events), unique=True))
    alarms = tuple(
        Alarm(name, event.pin, None, "Always", draw(st.booleans()), f"/alarms/{index}")
        for index, (name, event) in enumerate(zip(names, events, strict=False))
    )
    access = ServerAccess(80, draw(st.booleans()), draw(st.integers(1, 65535)), draw(st.integers(0, 50)))
    return Site(
        name="generated",
        path="generated.yml",
        places=Places({}, "generated.yml"),
        nvr=Nvr("xprotect-professional-2014", connect(), access, Services(draw(st.integers(1, 65535)), 81)),
        cameras=cameras,
        hardware_events=events,
        generic_events=soft,
        mail=draw(_mail()),
        alarms=alarms,
    )


@st.composite
def _camera(draw: st.DrawFn, number: int, address: str) -> Camera:
    names: tuple[Literal["always", "event", "motion", "motion_and_event", "never"], ...]
    names = ("always", "event", "motion", "motion_and_event", "never")
    modes = st.sampled_from(names)
    seconds = st.none() | st.integers(0, 60)
    return Camera(
        number=number,
        label=draw(TEXT),
        hardware=Hardware(address),
        enabled=draw(st.one_of(st.none(), st.booleans())),
        video=Video(
            draw(st.one_of(st.none(), st.sampled_from(("mjpeg", "h264")))),
            draw(st.one_of(st.none(), TEXT)),
            draw(st.none() | st.integers(1, 30)),
        ),
        recording=Recording(draw(st.one_of(st.none(), modes)), draw(seconds), draw(seconds)),
        axis=None,
        pointer=f"/cameras/{number}",
    )


@st.composite
def _event(draw: st.DrawFn, pin: int, camera: int) -> HardwareEvent:
    return HardwareEvent(
        pin,
        draw(st.just("") | TEXT),
        camera,
        draw(st.integers(1, 4)),
        draw(st.sampled_from(("rising", "falling"))),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from(("all", "none"))),
        f"/hardware_events/{pin}",
    )


@st.composite
def _generic(draw: st.DrawFn, pin: int) -> GenericEvent:
    rules: tuple[Literal["match", "search"], ...] = ("match", "search")
    rule = draw(st.sampled_from(rules))
    return GenericEvent(
        pin, draw(st.booleans()), draw(st.booleans()), rule, f"{pin} S", f"/generic_events/{pin}"
    )


@st.composite
def _mail(draw: st.DrawFn) -> Mail:
    account = Computed("portal.smtp_account_id")
    lines = draw(st.lists(TEXT, min_size=1, max_size=3))
    message = MailMessage(draw(st.booleans()), (account,), draw(TEXT), "\n".join(lines))
    securities: tuple[Literal["none", "starttls", "tls"], ...] = ("none", "starttls", "tls")
    security = draw(st.sampled_from(securities))
    server = MailServer(account, draw(TEXT), draw(st.integers(1, 65535)), security, draw(TEXT), PASSWORD)
    return Mail(draw(st.none() | st.just(message)), draw(st.none() | st.just(server)))
