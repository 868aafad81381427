"""onvif-zeep-async, which the extra `onvif` brings: found, loaded once, and kept from what it does beside its work.

Its WSDL files are in its package; nothing is fetched from the network. Of it we take the services (SOAP by zeep,
types that forgive what devices get wrong, the WS-UsernameToken with a clock difference), and give them a wire of ours:
its own verifies no TLS, follows redirects and believes every address that a device names.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ivn_provision.errors import Refused

NEEDED = ("devicemgmt", "media", "deviceio")
_LOADING = threading.Lock()


def library() -> ModuleType:
    """The library with the documents of all services in its memory. Raises Refused where it is not installed."""
    with _LOADING:
        return _loaded()


def namespace_of(name: str) -> str:
    """The XML namespace by which a device names a service."""
    return str(library().definition.SERVICES[name]["ns"])


async def service(
    name: str, address: str, wire: object, *, username: str, password: str, ahead: timedelta | None
) -> Any:
    """A service of a device at `address`, over `wire`. `ahead`: by how much the device's clock is. Close it."""
    made = _service(library(), name, address, username=username, password=password, ahead=ahead)
    made.transport = wire
    await made.setup()
    return made


def _service(
    onvif: ModuleType,
    name: str,
    address: str,
    *,
    username: str = "",
    password: str = "",
    ahead: timedelta | None = None,
) -> Any:
    known = onvif.definition.SERVICES[name]
    return onvif.ONVIFService(
        address,
        username,
        password,
        str(Path(str(onvif.__file__)).parent / "wsdl" / known["wsdl"]),
        no_cache=True,  # its cache is a database in the home folder
        dt_diff=ahead,
        binding_name=f"{{{known['ns']}}}{known['binding']}",
    )


@cache
def _loaded() -> ModuleType:
    onvif = _imported()
    asyncio.run(_load(onvif))
    return onvif


def _imported() -> ModuleType:
    """When it is imported it sets up logging for the whole process, unless somebody has done so before."""
    root, nowhere = logging.getLogger(), logging.NullHandler()
    root.addHandler(nowhere)
    try:
        import onvif
    except ModuleNotFoundError as error:
        raise Refused(
            f"cameras over ONVIF need a package that is not installed ({error.name})",
            next_step="pip install 'ivn-provision[onvif]'",
        ) from None
    finally:
        root.removeHandler(nowhere)
    module: ModuleType = onvif
    return module


async def _load(onvif: ModuleType) -> None:
    """Its documents are kept by file for the whole process: half a second, once."""
    for name in NEEDED:
        made = _service(onvif, name, "http://127.0.0.1")
        await made.setup()
        await made.close()
