"""`param.cgi?action=listdefinitions&listformat=xmlschema` (facts/axis.md, 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from ivn_provision.lab.camera.definitions import Definition

_NAMESPACE = "http://www.axis.com/ParameterDefinitionsSchema"


def definitions_xml(
    model: str, firmware: str, found: Iterable[tuple[str, str, Definition]], charset: str
) -> bytes:
    """The document of (name without root, shown value, definition), in the order of the names."""
    lines: list[str] = []
    here: list[str] = []
    for name, value, definition in found:
        *groups, last = ["root", *name.split(".")]
        _walk(lines, here, groups)
        lines.append(_parameter(last, value, definition))
    _walk(lines, here, [])
    head = f'<?xml version="1.0" encoding="{charset}" ?>\n<parameterDefinitions xmlns="{_NAMESPACE}" version="1.0">'
    about = f"<model>{escape(model)}</model><firmwareVersion>{escape(firmware)}</firmwareVersion>"
    text = "\n".join([head, about, *lines, "</parameterDefinitions>\n"])
    return text.encode(charset, "xmlcharrefreplace")


def _walk(lines: list[str], here: list[str], groups: list[str]) -> None:
    """Close the groups that end, and open those that begin."""
    same = 0
    while same < min(len(here), len(groups)) and here[same] == groups[same]:
        same += 1
    lines.extend("</group>" for _ in here[same:])
    lines.extend(f"<group name={quoteattr(each)}>" for each in groups[same:])
    here[:] = groups


def _parameter(name: str, value: str, definition: Definition) -> str:
    flags = "".join(f' {flag}="true"' for flag in definition.flags)
    nice = quoteattr(name)
    return (
        f'<parameter name={nice} value={quoteattr(value)} securityLevel="{definition.level}" niceName={nice}>'
        f"<type{flags}>{_type(definition)}</type></parameter>"
    )


def _type(definition: Definition) -> str:
    if definition.kind == "bool":
        return '<bool true="yes" false="no" />'
    if definition.kind == "enum":
        entries = (f"<entry value={quoteattr(e)} niceValue={quoteattr(e)} />" for e in definition.choices)
        return f"<enum>{''.join(entries)}</enum>"
    bounds = {"min": definition.low, "max": definition.high, "maxlen": definition.longest}
    said = "".join(f' {name}="{value}"' for name, value in bounds.items() if value is not None)
    return f"<{definition.kind}{said} />"
