"""A recorder's file made by the tests themselves, and the pure way from changes to the next file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ivn_provision.drivers.xprotect_e.edit import splices_for
from ivn_provision.drivers.xprotect_e.layout import CONFIGURATION, Layout
from ivn_provision.drivers.xprotect_e.layout_set import Layouts
from ivn_provision.drivers.xprotect_e.live import resources_of
from ivn_provision.drivers.xprotect_e.store import Store
from ivn_provision.drivers.xprotect_e.xml_document import parse
from ivn_provision.drivers.xprotect_e.xml_edit import apply_splices
from ivn_provision.model.desired import Desired
from ivn_provision.model.live import Facts, Live
from ivn_provision.plan.build import Reading, build_plan
from ivn_provision.plan.plan import SitePlan, Work

PATH = CONFIGURATION


def layout() -> Layout:
    found = Layouts.packaged().choose("XProtect Professional 2014", "8.6a", lab=True)
    assert found is not None
    return found


def store(raw: bytes) -> Store:
    """The one file of the lab's layout."""
    return Store.of({PATH: parse(raw, path=PATH)})


def configuration(
    cameras: Sequence[str], *, newline: str = "\r\n", bom: bool = True, extra: str = ""
) -> bytes:
    """A file with one single-channel device for each of `cameras` (addresses)."""
    devices = "".join(_device(index, address) for index, address in enumerate(cameras))
    text = _FILE.replace("@DEVICES@", devices).replace("@EXTRA@", extra).replace("\n", newline)
    return (b"\xef\xbb\xbf" if bom else b"") + text.encode()


def _device(index: int, address: str) -> str:
    return f"""    <Device{index}>
      <DisplayName>AXIS</DisplayName><Guid>device-{index}</Guid>
      <IPAddress>{address}</IPAddress> <MAC>00408C00{index:04X}</MAC>
      <Password>0123456789abcdef</Password>
      <Cameras>
        <Camera0>
          <DisplayName>Camera {index + 1}</DisplayName>
          <Guid>camera-{index}</Guid>
          <Disabled>0</Disabled><DeviceIndex>0</DeviceIndex>
          <Storage><DbSaveMode>2</DbSaveMode><SaveOnEvent>0</SaveOnEvent><SaveOnMotion>1</SaveOnMotion>
            <EnableDbPreSecs>0</EnableDbPreSecs><EnableDbPostSecs>0</EnableDbPostSecs>
            <DbPreSecs>0</DbPreSecs><DbPostSecs>0</DbPostSecs></Storage>
          <FrameRateSettings><FPS>8</FPS></FrameRateSettings>
          <VideoFormat><Codec>H264</Codec><Resolution>640x480</Resolution></VideoFormat>
        </Camera0>
      </Cameras>
    </Device{index}>
"""


_FILE = """<?xml version="1.0" encoding="utf-8"?>
<!-- a comment with <tags> & ampersands -->
<config>
  <ProductInfo><ProductName>XProtect Professional 2014</ProductName><ProductVersion>8.6a</ProductVersion></ProductInfo>
  <Devices>
@DEVICES@  </Devices>
  <Events>
    <HardwareInputEvents/>
    <GenericEvents>
      <GenericEvent>
        <Guid>foreign-1</Guid>
        <Name>Gate open by guard</Name>
        <Enabled>1</Enabled>
        <Substring>GATE</Substring><RuleType>Search</RuleType><SendEmail>0</SendEmail>
      </GenericEvent>
    </GenericEvents>
    <Handling><AlertPort>1234</AlertPort></Handling>
  </Events>
  <Notifications>
    <Email><Enabled>0</Enabled><Recipients/><Subject /><Message></Message></Email>
    <EmailServer><Sender/><Host/><Port>25</Port><Security>None</Security><Login>0</Login><UserName/></EmailServer>
  </Notifications>
  <AlarmDefinitions></AlarmDefinitions>@EXTRA@
  <ServerAccess><LocalPort>80</LocalPort><InternetAccess>0</InternetAccess><InternetPort>80</InternetPort><MaxClients>10</MaxClients></ServerAccess>
  <RegisteredServices><LogServerPort>81</LogServerPort></RegisteredServices>
  <Users><User><Name>ivnview</Name><Kind>Basic</Kind><Administrator>1</Administrator></User></Users>
</config>
"""


@dataclass
class Recorder:
    """A file in memory that is planned against and edited like the real one."""

    raw: bytes
    made: int = 0

    def plan(self, desired: Desired) -> SitePlan:
        live = Live(
            resources_of(store(self.raw), layout(), desired.site),
            {"portal.smtp_account_id": "id@portal.example"},
        )
        facts = Facts("XProtect Professional 2014", "8.6a", layout().capabilities())
        return build_plan(desired, {"nvr": Reading(facts, live, "memory")})

    def apply(self, plan: SitePlan) -> None:
        work = Work(plan.workable, plan.desired, plan.references)
        splices = splices_for(store(self.raw), layout(), work, guid=self._guid)
        self.raw = apply_splices(self.raw, splices.get(PATH, []))

    def _guid(self) -> str:
        self.made += 1
        return f"made-{self.made}"
