"""Any mail is read without an error, ours exactly, and no slip of a character is taken for another alarm."""

from __future__ import annotations

import base64
import quopri
import unicodedata
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ivn_provision.verify.mail.mime import MAX_BYTES
from ivn_provision.verify.mail.problem import TOLERATED, Problem, caret
from ivn_provision.verify.mail.profile import XPROTECT
from ivn_provision.verify.mail.reading import MailReading, read_mail
from ivn_provision.verify.mail.scan import EVENT
from ivn_provision.verify.mail.strict import written
from ivn_provision.verify.mail.times import FORMATS, TimeFormat, read_time, time_stop

ACCOUNT = "milestone-xp-p@ivnview.example"
ZONES = st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])

LATIN = "ABCxyz 0189.,-–é€Ü()#"
TEXTS = st.text(alphabet=LATIN, max_size=40).map(str.strip)
PINS = st.integers(1, 999)
EVENTS = st.tuples(PINS, st.sampled_from("HS"), TEXTS).map(lambda one: " ".join(map(str, one)).strip())
CAMERAS = st.tuples(st.integers(1, 999), TEXTS.filter(bool)).map(lambda one: f"{one[0]} {one[1]}")
MOMENTS = st.datetimes(min_value=datetime(2014, 1, 1), max_value=datetime(2030, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)
PRINTED = (
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d.%m.%Y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%d-%m-%Y %H:%M",
)
ENCODINGS = st.sampled_from(
    [
        ("utf-8", "8bit"),
        ("utf-8", "base64"),
        ("utf-8", "quoted-printable"),
        ("windows-1252", "8bit"),
        ("windows-1252", "quoted-printable"),
        ("utf-16", "base64"),
        ("utf-16-le", "base64"),
        ("utf-32", "base64"),
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])

PIECES = st.sampled_from(
    [
        *(line.text for line in XPROTECT.lines),
        *(line.before for line in XPROTECT.lines),
        *(
            "2 H",
            "10 Lobby",
            "11/12/2026 3:05:33 PM",
            "\n",
            "\r",
            "\r\n",
            "\0",
            "--b",
            "--b--",
            "<p>",
            "&#0;",
            " ",
        ),
        *("Content-Type: ", "text/plain", "text/html", "multipart/mixed; boundary=b", "; charset=", "utf-7"),
        *(
            "Content-Transfer-Encoding: base64",
            "quoted-printable",
            "message/rfc822",
            "From: ",
            "To: ",
            "Subject: ",
        ),
        *(
            "=?utf-8?b?",
            "?=",
            "Received: from [1.2.3.4] by x",
            "<![x",
            "=0D=0A",
            "Ã¼",
            "\u2028",
            "idna",
            "hex",
        ),
    ]
)
SOUP = st.lists(PIECES | st.text(max_size=6), max_size=40).map("".join)


def mail_of(body: str, charset: str = "utf-8", transfer: str = "8bit", end: str = "\r\n") -> bytes:
    raw = body.replace("\n", "\r\n").encode(charset)
    payload = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(transfer, bytes)(
        raw
    )
    head = "\n".join(
        [
            f"From: {ACCOUNT}",
            f"To: {ACCOUNT}",
            f"Subject: {XPROTECT.subject}",
            f"Content-Type: text/plain; charset={charset}",
            f"Content-Transfer-Encoding: {transfer}",
            "",
            "",
        ]
    )
    return head.replace("\n", end).encode() + payload


def body_of(event: str, camera: str, time: str) -> str:
    values = {"trigger": event, "camera": camera, "time": time}
    return "".join(f"{line.before}{values[line.field]}\n" for line in XPROTECT.lines)


def check_places(reading: MailReading) -> None:
    """Every problem lies in the body or is of the whole mail, and its caret is under its character."""
    lines = reading.body.split("\n")
    for problem in reading.problems:
        if problem.part == "mail":
            assert (problem.line, problem.column, caret(problem)) == (0, 0, "")
            continue
        assert 1 <= problem.line <= len(lines)
        assert problem.text == lines[problem.line - 1]
        assert 1 <= problem.column <= len(problem.text) + 1
        assert problem.expected
        check_caret(problem)


def check_caret(problem: Problem) -> None:
    shown, under = caret(problem).split("\n")
    assert shown.isprintable()
    assert under.lstrip(" ") == "^"
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in shown)
    assert len(shown) + wide <= 100 + sum(unicodedata.category(char) in {"Mn", "Me"} for char in shown)
    assert len(under) <= 100


@settings(max_examples=500, deadline=None)
@given(raw=st.binary(max_size=400) | SOUP.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read(raw: bytes) -> None:
    reading = read_mail(raw, XPROTECT)
    check_places(reading)
    assert reading.is_read == all(problem.code in TOLERATED for problem in reading.problems)
    assert reading.is_read <= (reading.pin is not None)


@settings(max_examples=300, deadline=None)
@given(body=SOUP)
def test_any_body_is_read(body: str) -> None:
    check_places(read_mail(mail_of(body, transfer="base64"), XPROTECT))


@settings(max_examples=300, deadline=None)
@given(
    event=EVENTS,
    camera=CAMERAS,
    moment=MOMENTS,
    printed=st.sampled_from(PRINTED),
    encoding=ENCODINGS,
    end=ENDS,
    blank=st.integers(0, 2),
)
def test_what_the_template_gives_is_read_back(
    event: str,
    camera: str,
    moment: datetime,
    printed: str,
    encoding: tuple[str, str],
    end: str,
    blank: int,
) -> None:
    time = moment.strftime(printed)
    body = body_of(event, camera, time).replace("\n", "\n" * (1 + blank))
    reading = read_mail(mail_of(body, *encoding, end), XPROTECT)
    assert reading.problems == ()
    assert (reading.trigger, reading.camera, reading.time_text) == (event, camera, time)
    assert (reading.sender, reading.recipients, reading.subject) == (ACCOUNT, (ACCOUNT,), XPROTECT.subject)
    assert f"{reading.pin} {'H' if reading.source == 'hardware' else 'S'}" == " ".join(event.split(" ")[:2])
    assert str(reading.camera_number) == camera.split(" ", maxsplit=1)[0]


@settings(max_examples=200, deadline=None)
@given(event=EVENTS, camera=CAMERAS, charset=st.sampled_from(["utf-8", "windows-1252"]))
def test_what_the_standard_library_writes_is_read_back(event: str, camera: str, charset: str) -> None:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = message["To"] = ACCOUNT
    message["Subject"] = XPROTECT.subject
    message.set_content(body_of(event, camera, "11/12/2026 3:05:33 PM"), charset=charset, cte="base64")
    message.add_attachment(b"\xff\xd8", maintype="image", subtype="jpeg")
    reading = read_mail(message.as_bytes(), XPROTECT)
    assert (reading.problems, reading.trigger, reading.camera) == ((), event, camera)


@settings(max_examples=600, deadline=None)
@given(event=EVENTS, camera=CAMERAS, data=st.data())
def test_one_wrong_character_is_never_another_alarm(event: str, camera: str, data: st.DataObject) -> None:
    body = body_of(event, camera, "11/12/2026 3:05:33 PM")
    first = body.index("\n")
    at = data.draw(st.integers(0, first - 1))
    char = data.draw(st.characters() | st.sampled_from(" 0123456789HSh:\t\n\r\0$"))
    changed = body[:at] + char + body[at + 1 :]
    assume(char < "\ud800" or char > "\udfff")
    before = read_mail(mail_of(body), XPROTECT)
    after = read_mail(mail_of(changed), XPROTECT)
    check_places(after)
    # `Trigger Event :11 H` for `Trigger Event : 1 H` is read as pin 11, but not in silence: its spacing is off
    if not after.problems and (after.pin, after.source) != (before.pin, before.source):
        given_text = changed[len(XPROTECT.lines[0].before) : changed.index("\n")].strip()
        valid = EVENT.match(given_text)
        assert valid is not None
        assert int(valid["pin"]) == after.pin


@settings(max_examples=300, deadline=None)
@given(
    moment=MOMENTS, printed=st.sampled_from(PRINTED), zone=ZONES, fold=st.booleans(), late=st.integers(0, 300)
)
def test_a_printed_time_is_read_near_its_receipt(
    moment: datetime, printed: str, zone: str, fold: bool, late: int
) -> None:
    place = ZoneInfo(zone)
    true = moment.replace(tzinfo=place, fold=int(fold)).astimezone(UTC)
    local = true.astimezone(place)
    time = read_time(local.strftime(printed), place, true + timedelta(seconds=late))
    assert time is not None
    if time.moment != true.replace(second=0 if "%S" not in printed else true.second):
        # another reading is allowed only if it is nearer
        assert time.ambiguous
        received = true + timedelta(seconds=late)
        assert abs(time.moment - received) <= timedelta(seconds=late + time.precision_seconds)


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet="0123456789/.-: TZapmAPM+,\t\u202fx", max_size=30))
def test_a_time_is_read_or_has_a_wrong_character(text: str) -> None:
    stop = time_stop(text)
    time = read_time(text, UTC, datetime(2026, 1, 1, tzinfo=UTC))
    assert (stop is None) == (time is not None)
    if stop:
        assert 0 <= stop.index <= len(text)
        assert stop.expected


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_template_with_another_character_is_found_out(data: st.DataObject) -> None:
    body = XPROTECT.body
    at = data.draw(st.integers(0, len(body) - 1))
    char = data.draw(st.characters(exclude_characters="\r\n") | st.sampled_from("$: e"))
    assume(char != body[at] and body[at] != "\n")
    (problem,) = written(XPROTECT, XPROTECT.subject, body[:at] + char + body[at + 1 :])
    line, column = body[:at].count("\n") + 1, at - (body.rfind("\n", 0, at) + 1) + 1
    assert (problem.code, problem.line, problem.column) == ("body-differs", line, column)
    check_caret(problem)


def test_a_mail_that_is_too_large_is_refused() -> None:
    small = mail_of(body_of("2 H", "10 Lobby", "11/12/2026 3:05:33 PM"))
    (problem,) = read_mail(small.ljust(MAX_BYTES + 1), XPROTECT).problems
    assert problem.code == "too-large"
    assert str(MAX_BYTES) in problem.message


@pytest.mark.parametrize("one", FORMATS, ids=[form.name for form in FORMATS])
def test_every_format_is_read(one: TimeFormat) -> None:
    parts = {"m": "11", "d": "25", "y": "2026"}
    text = one.separators[0].join(parts[each] for each in one.order) + " 15:05:33"
    time = read_time(text, UTC, datetime(2026, 1, 1, tzinfo=UTC))
    assert time is not None
    assert (time.moment, time.ambiguous) == (datetime(2026, 11, 25, 15, 5, 33, tzinfo=UTC), False)
    assert time.format.startswith(one.name)
