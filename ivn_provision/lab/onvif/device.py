"""What a simulated camera is and says: its settings, and an answer to each operation that it knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape

from ivn_provision.errors import LabError
from ivn_provision.lab.clock import Clock
from ivn_provision.lab.fault_list import CLOCK_SKEW_SECONDS, ONVIF, names
from ivn_provision.lab.onvif.soap import Fault, Request, Tokens

DEVICE = "http://www.onvif.org/ver10/device/wsdl"
MEDIA = "http://www.onvif.org/ver10/media/wsdl"
DEVICEIO = "http://www.onvif.org/ver10/deviceIO/wsdl"
USERNAME = "onvif"
_OPEN = frozenset({"GetSystemDateAndTime", "GetServices", "GetCapabilities"})
"""What ONVIF lets everybody ask (Core, access class PRE_AUTH)."""
_PATHS = {DEVICE: "/onvif/device_service", MEDIA: "/onvif/media", DEVICEIO: "/onvif/deviceio"}
_ENCODINGS = ("JPEG", "MPEG4", "H264")


@dataclass(slots=True)
class Settings:
    """What `tamper` changes. `encoding`, `resolution` and `fps` are of the main profile."""

    manufacturer: str = "Northcam"
    model: str = "NC-200"
    firmware: str = "2.10.4"
    encoding: str = "JPEG"
    resolution: str = "1280x800"
    fps: int = 8
    inputs: int = 1
    clock_offset_seconds: int = 0
    sources: int = 1


@dataclass(slots=True)
class Device:
    """One camera at `origin` (`https://127.0.0.1:8444`). `asked` counts operations that were answered, `refused` logins."""

    serial: str
    origin: str
    clock: Clock
    tokens: Tokens
    settings: Settings = field(default_factory=Settings)
    faults: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    def fault(self, name: str, *, on: bool) -> None:
        """Switch a fault. Raises LabError for another name."""
        known = names(ONVIF)
        if name not in known:
            raise LabError(f"a camera has no fault {name!r}", next_step=f"faults: {', '.join(sorted(known))}")
        (self.faults.add if on else self.faults.discard)(name)

    def tamper(self, fields: Mapping[str, str]) -> None:
        """Change settings. Raises LabError for a field that is not there or a value that it cannot have."""
        for name, text in fields.items():
            old = getattr(self.settings, name, None)
            if old is None:
                known = ", ".join(Settings.__slots__)
                raise LabError(f"a camera has no field {name!r}", next_step=f"fields: {known}")
            setattr(self.settings, name, _value(name, text, whole=isinstance(old, int)))

    def now(self) -> datetime:
        """By its own clock."""
        skew = CLOCK_SKEW_SECONDS if "onvif-clock-skew" in self.faults else 0
        return self.clock() + timedelta(seconds=self.settings.clock_offset_seconds + skew)

    def answer(self, request: Request) -> str:
        """What is in the body of the answer. Raises Fault."""
        is_open = request.operation in _OPEN or (
            "onvif-refused-later" in self.faults and request.operation == "GetDeviceInformation"
        )
        if not is_open and self.faults & {"onvif-refused", "onvif-refused-later"}:
            self.refused += 1
            raise Fault("NotAuthorized", "Sender not Authorized")
        if not is_open:
            self.tokens.check(request, self.now())
        if "onvif-fault" in self.faults and request.operation not in _OPEN:
            raise Fault("Action", "The camera is busy", "Receiver")
        known: Callable[[Device, Request], str] | None = _ANSWERS.get((request.namespace, request.operation))
        if known is None or (request.operation == "GetServices" and "onvif-old" in self.faults):
            raise Fault("ActionNotSupported", "Optional Action Not Implemented", "Receiver")
        self.asked[request.operation] += 1
        return known(self, request)

    def address(self, namespace: str) -> str:
        """Of a service, as the device names it."""
        origin = "http://192.0.2.66:8899" if "onvif-other-host" in self.faults else self.origin
        return f"{origin}{_PATHS[namespace]}"

    @property
    def services(self) -> tuple[str, ...]:
        return (DEVICE, MEDIA) if "onvif-no-io" in self.faults else (DEVICE, MEDIA, DEVICEIO)


def _value(name: str, text: str, *, whole: bool) -> str | int:
    try:
        if whole:
            return int(text)
    except ValueError:
        raise LabError(f"{name} of a camera is a whole number") from None
    if name == "encoding" and text not in _ENCODINGS:
        raise LabError(f"a camera has no encoding {text!r}", next_step=f"encodings: {', '.join(_ENCODINGS)}")
    if name == "resolution" and not all(each.isdecimal() for each in text.split("x", 1)):
        raise LabError("resolution of a camera is WIDTHxHEIGHT")
    return text


def _time(device: Device, _: Request) -> str:
    now = device.now()
    return (
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
        "<tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>EST5EDT,M3.2.0,M11.1.0</tt:TZ>"
        f"</tt:TimeZone><tt:UTCDateTime><tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
        f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
        f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date></tt:UTCDateTime>"
        "</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def _information(device: Device, _: Request) -> str:
    found = device.settings
    return (
        f"<tds:GetDeviceInformationResponse><tds:Manufacturer>{escape(found.manufacturer)}</tds:Manufacturer>"
        f"<tds:Model>{escape(found.model)}</tds:Model><tds:FirmwareVersion>{escape(found.firmware)}"
        f"</tds:FirmwareVersion><tds:SerialNumber>{device.serial}</tds:SerialNumber>"
        "<tds:HardwareId>1.0</tds:HardwareId></tds:GetDeviceInformationResponse>"
    )


def _services(device: Device, _: Request) -> str:
    listed = "".join(
        f"<tds:Service><tds:Namespace>{each}</tds:Namespace><tds:XAddr>{device.address(each)}</tds:XAddr>"
        "<tds:Version><tt:Major>2</tt:Major><tt:Minor>42</tt:Minor></tds:Version></tds:Service>"
        for each in device.services
    )
    return f"<tds:GetServicesResponse>{listed}</tds:GetServicesResponse>"


def _capabilities(device: Device, _: Request) -> str:
    has_io = DEVICEIO in device.services
    io = f"<tt:IO><tt:InputConnectors>{device.settings.inputs}</tt:InputConnectors></tt:IO>" if has_io else ""
    return (
        f"<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Device><tt:XAddr>{device.address(DEVICE)}</tt:XAddr>"
        f"{io}</tt:Device><tt:Media><tt:XAddr>{device.address(MEDIA)}</tt:XAddr><tt:StreamingCapabilities/>"
        "</tt:Media></tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def _ntp(_: Device, __: Request) -> str:
    return (
        "<tds:GetNTPResponse><tds:NTPInformation><tt:FromDHCP>false</tt:FromDHCP><tt:NTPManual><tt:Type>DNS</tt:Type>"
        "<tt:DNSname>time.example.org</tt:DNSname></tt:NTPManual></tds:NTPInformation></tds:GetNTPResponse>"
    )


def _users(_: Device, __: Request) -> str:
    listed = "".join(
        f"<tds:User><tt:Username>{name}</tt:Username><tt:UserLevel>{level}</tt:UserLevel></tds:User>"
        for name, level in ((USERNAME, "Administrator"), ("recorder", "Operator"))
    )
    return f"<tds:GetUsersResponse>{listed}</tds:GetUsersResponse>"


def _profiles(device: Device, _: Request) -> str:
    main = device.settings
    listed = []
    for source in range(main.sources):
        listed.append(_profile("main", source, main.encoding, main.resolution, main.fps))
        listed.append(_profile("small", source, "H264", "640x400", 15))
    return f"<trt:GetProfilesResponse>{''.join(listed)}</trt:GetProfilesResponse>"


def _profile(name: str, source: int, encoding: str, resolution: str, fps: int) -> str:
    width, _, height = resolution.partition("x")
    extra = "<tt:H264><tt:GovLength>30</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264>"
    return (
        f'<trt:Profiles token="{name}_{source}" fixed="true"><tt:Name>{name}</tt:Name>'
        f'<tt:VideoSourceConfiguration token="vs_{source}"><tt:Name>vs</tt:Name><tt:UseCount>2</tt:UseCount>'
        f'<tt:SourceToken>video_{source}</tt:SourceToken><tt:Bounds x="0" y="0" width="{width}" height="{height}"/>'
        f'</tt:VideoSourceConfiguration><tt:VideoEncoderConfiguration token="ve_{name}_{source}"><tt:Name>{name}'
        f"</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>{encoding}</tt:Encoding><tt:Resolution><tt:Width>{width}"
        f"</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution><tt:Quality>60</tt:Quality><tt:RateControl>"
        f"<tt:FrameRateLimit>{fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>"
        f"<tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl>{extra if encoding == 'H264' else ''}"
        "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration></trt:Profiles>"
    )


def _inputs(device: Device, _: Request) -> str:
    listed = "".join(
        f'<tmd:DigitalInputs token="in_{each}" IdleState="open"/>' for each in range(device.settings.inputs)
    )
    return f"<tmd:GetDigitalInputsResponse>{listed}</tmd:GetDigitalInputsResponse>"


_ANSWERS: Mapping[tuple[str, str], Callable[[Device, Request], str]] = {
    (DEVICE, "GetSystemDateAndTime"): _time,
    (DEVICE, "GetDeviceInformation"): _information,
    (DEVICE, "GetServices"): _services,
    (DEVICE, "GetCapabilities"): _capabilities,
    (DEVICE, "GetNTP"): _ntp,
    (DEVICE, "GetUsers"): _users,
    (MEDIA, "GetProfiles"): _profiles,
    (DEVICEIO, "GetDigitalInputs"): _inputs,
}
