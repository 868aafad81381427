"""Discovery, device information, system ready and time of a camera (facts/axis.md, 4)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from ivn_provision.lab.camera.json_api import Json, Method
from ivn_provision.lab.camera.params import Parameters
from ivn_provision.lab.camera.profile import Profile

_BRAND = ("Brand", "ProdFullName", "ProdNbr", "ProdShortName", "ProdType", "ProdVariant", "WebURL")
_FIRMWARE = {"Version": "Properties.Firmware.Version", "BuildDate": "Properties.Firmware.BuildDate"}
_SYSTEM = {
    "SerialNumber": "Properties.System.SerialNumber",
    "HardwareID": "Properties.System.HardwareID",
}
_RESTRICTED = {"Architecture": "Properties.System.Architecture", "Soc": "Properties.System.Soc"}


def discovery(profile: Profile) -> dict[str, Method]:
    """`getApiList`; there is no entry for the SOAP services."""

    def listed(_: Json) -> Json:
        rows = []
        for each in profile.apis.values():
            row = {"id": each.id, "version": each.version, "name": each.id.replace("-", " ").title()}
            row["docLink"] = "https://www.axis.com/vapix-library/"
            rows.append(row | ({"status": each.state} if each.state else {}))
        return {"apiList": rows}

    return {"getApiList": listed}


def device_info(params: Parameters) -> dict[str, Method]:
    """`getAllProperties` and `getAllUnrestrictedProperties`."""

    def open_to_all(_: Json) -> Json:
        found = {name: params.get(f"Brand.{name}") for name in _BRAND}
        found |= {name: params.get(path) for name, path in {**_FIRMWARE, **_SYSTEM}.items()}
        return {"propertyList": found}

    def everything(given: Json) -> Json:
        restricted = {name: params.get(path) for name, path in _RESTRICTED.items()}
        restricted["SocSerialNumber"] = ""
        return {"propertyList": {**open_to_all(given)["propertyList"], **restricted}}

    return {"getAllProperties": everything, "getAllUnrestrictedProperties": open_to_all}


def system_ready(profile: Profile, uptime: Callable[[], float]) -> dict[str, Method]:
    """`systemready`; how much it tells depends on the version."""
    boot = secrets.token_hex(16)

    def ready(_: Json) -> Json:
        minor = int(profile.systemready.partition(".")[2] or 0)
        found = {"systemready": "yes", "needsetup": "no"}
        if minor >= 4:
            found |= {"uptime": str(int(uptime())), "bootid": boot}
        return found | ({"passphrasepolicy": "none"} if minor >= 5 else {})

    return {"systemready": ready}


def time_service(params: Parameters, local_now: Callable[[], datetime]) -> dict[str, Method]:
    """`getDateTimeInfo`."""

    def told(_: Json) -> Json:
        now = local_now()
        return {
            "dateTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "localDateTime": now.strftime("%Y-%m-%dT%H:%M:%S"),
            "dstEnabled": params.get("Time.DST.Enabled") == "yes",
            "posixTimeZone": params.get("Time.POSIXTimeZone"),
        }

    return {"getDateTimeInfo": told}
