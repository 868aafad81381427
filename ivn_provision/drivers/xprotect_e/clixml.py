"""What Windows PowerShell writes to a redirected standard error: CLIXML mixed with plain text.

Source: facts/winrm.md, part 7. Read with plain patterns: no entity is ever expanded.
"""

from __future__ import annotations

import re

MAX_BYTES = 64 * 1024
"""What is read of standard error; the rest is dropped. No pattern below is worse than linear all the same."""

_HEADER = "#< CLIXML"
_OBJECTS = re.compile(r"<Objs\b(?:[^<>]*/>|.*?(?:</Objs\s*>|\Z))", re.DOTALL)
_MESSAGE = re.compile(r"<S\b(?P<attributes>[^<>]*?)>(?P<text>[^<]*)</S\s*>")
_STREAM = re.compile(r"""\bS\s*=\s*["'](?:Error|Warning)["']""", re.IGNORECASE)
_ESCAPED = re.compile(r"(?:_x[0-9A-Fa-f]{4}_)+")
_ENTITY = re.compile(r"&(?:(lt|gt|amp|quot|apos)|#(\d{1,7})|#x([0-9A-Fa-f]{1,6}));")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DECLARATION = re.compile(r"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_REFUSED = "(standard error is XML with a document type declaration and is not shown)"


def clixml_errors(stderr: bytes) -> str:
    """The error and warning texts, and whatever native programs wrote beside them; progress is dropped.

    Never raises: standard error only explains a failure, it does not decide about one. Colours and control
    characters are gone, so that the text can be shown on a terminal.
    """
    text = stderr[:MAX_BYTES].replace(b"\x00", b"").decode("utf-8", "replace").replace("\ufeff", "")
    if _DECLARATION.search(text):
        return _REFUSED
    return _shown("\n".join(part for part in (_plain(text), _messages(text)) if part))


def _shown(text: str) -> str:
    lines = _CONTROL.sub("", _COLOUR.sub("", text)).split("\n")
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _plain(text: str) -> str:
    return _OBJECTS.sub("", text).replace(_HEADER, "").strip()


def _messages(text: str) -> str:
    found = [
        _decoded(message["text"])
        for objects in _OBJECTS.finditer(text)
        for message in _MESSAGE.finditer(objects.group())
        if _STREAM.search(message["attributes"])
    ]
    return "".join(each if each.endswith("\n") else each + "\n" for each in found).strip()


def _decoded(text: str) -> str:
    return _ESCAPED.sub(_units, _ENTITY.sub(_character, text))


def _character(entity: re.Match[str]) -> str:
    name, decimal, hexadecimal = entity.groups()
    if name:
        return _NAMED[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"


def _units(escaped: re.Match[str]) -> str:
    # a run of _xHHHH_ is UTF-16: two of them may be one character
    codes = re.findall(r"_x(....)_", escaped.group())
    return b"".join(int(code, 16).to_bytes(2, "little") for code in codes).decode("utf-16-le", "replace")
