"""Static rules for a script that has to run on Windows PowerShell 2.0 (facts/winrm.md, parts 7 and 8).

`problems(script, own=...)` gives lines like `12: the operator -in came with 3.0`. What a parser of 7 accepts
and 2.0 does not is found here; whether the script works is shown by running it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import tree_sitter_pwsh
from tree_sitter import Language, Node, Parser

COMMANDS = frozenset({"Add-Type", "Get-WmiObject", "New-Object", "Start-Sleep"})
"""Cmdlets of 2.0 that the agent may use. None of them runs text."""

PARAMETERS = frozenset({"-AssemblyName", "-Class", "-ComObject", "-Milliseconds"})

COM_CLASSES = frozenset({"HNetCfg.FwPolicy2", "HNetCfg.FWRule", "Schedule.Service"})
"""The Windows firewall's objects and the task scheduler (Windows Vista and later); any other class could run text.

The scheduler runs the agent that a revert keeps, by a fixed command line that names its folder."""

TYPES = re.compile(
    r"""(?:System\.)?(?:
        ArgumentException | Array | Convert | Console | DateTime | Enum | Environment | Math | Type | Exception | TimeZone
        | BitConverter | Base64FormattingOptions | StringComparer | StringComparison | StringSplitOptions
        | Collections\.(?:ArrayList|Hashtable|SortedList|IDictionary|IEnumerable)
        | Diagnostics\.(?:FileVersionInfo|Process|ProcessStartInfo) | Globalization\.CultureInfo
        | IO\.(?:Directory|DirectoryInfo|File|FileAccess|FileInfo|FileMode|FileOptions|FileShare|IOException
            |MemoryStream|Path|SeekOrigin|Stream|StreamWriter)
        | IO\.Compression\.(?:CompressionMode|GZipStream)
        | Microsoft\.Win32\.Registry
        | Net\.(?:Dns|IPAddress|WebException|WebRequest)
        | Net\.Security\.(?:RemoteCertificateValidationCallback|SslStream)
        | Net\.Sockets\.(?:SocketException|TcpClient)
        | Security\.Authentication\.SslProtocols
        | Security\.AccessControl\.(?:DirectorySecurity|FileSystemAccessRule)
        | Security\.Cryptography\.(?:CryptoStream|CryptoStreamMode|HMACSHA256|SHA256Managed)
        | Security\.Cryptography\.X509Certificates\.(?:X500DistinguishedNameFlags|X509Certificate2|X509CertificateCollection)
        | Security\.Principal\.SecurityIdentifier
        | ServiceProcess\.ServiceController
        | Text\.Encoding | Text\.RegularExpressions\.RegexOptions
    ) | bool | byte | char | double | int | long | ref | regex | string | void""",
    re.VERBOSE,
)
"""Types of .NET 2.0 and the accelerators of 2.0: all that the agent may name."""

_NEW_NODES = {
    "class_statement": "class came with 5.0",
    "enum_statement": "enum came with 5.0",
    "using_statement": "using came with 5.0",
    "ternary_expression": "the ternary operator came with 7.0",
    "null_coalesce_expression": "?? came with 7.0",
    "pipeline_chain_tail": "&& and || came with 7.0",
    "invocation_foreach_expression": ".ForEach came with 4.0",
    "invocation_where_expression": ".Where came with 4.0",
    "trap_statement": "trap hides failures",
    "command_invocation_operator": "nothing is run by a name that is only known at run time",
}
_NEW_OPERATORS = re.compile(r"-[ci]?(?:not)?in|-sh[lr]", re.IGNORECASE)
_NEW_VARIABLES = re.compile(r"\$(?:PSItem|PSScriptRoot|PSCommandPath|using:.*)", re.IGNORECASE)
_EVALUATING_MEMBERS = frozenset({"create", "invokescript", "invoke", "expandstring", "newscriptblock"})

Rule = Callable[[Node], str | None]


def problems(script: bytes) -> list[str]:
    """Every broken rule with its line."""
    root = Parser(Language(tree_sitter_pwsh.language())).parse(script).root_node
    own = frozenset(_text(each) for each in _walk(root) if each.type == "function_name")
    rules: tuple[Rule, ...] = (
        _syntax,
        _node,
        _operator,
        _variable,
        _member,
        _type,
        _try,
        _duplicate_parameter,
    )
    found = [] if script.isascii() else ["1: not ASCII"]
    found += _param_first(root)
    for node in _walk(root):
        answers = [_command(node, own), *(rule(node) for rule in rules)]
        found += [f"{node.start_point.row + 1}: {answer}" for answer in answers if answer]
    return found


def _walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _syntax(node: Node) -> str | None:
    if node.is_missing:
        return f"{node.type} is missing"
    return f"cannot be parsed: {_text(node)[:40]}" if node.is_error else None


def _node(node: Node) -> str | None:
    if node.type == "function_statement" and not re.match(r"function\b", _text(node)):
        return "workflow, filter and configuration are not functions"
    if node.type == "block_name" and _text(node).lower() == "clean":
        return "clean came with 7.3"
    return _NEW_NODES.get(node.type)


def _operator(node: Node) -> str | None:
    if node.type == "assignment_operator" and _text(node) == "??=":
        return "??= came with 7.0"
    if node.type == "comparison_operator" and _NEW_OPERATORS.fullmatch(_text(node)):
        return f"the operator {_text(node)} came with 3.0"
    return None


def _variable(node: Node) -> str | None:
    if node.type == "variable" and _NEW_VARIABLES.fullmatch(_text(node)):
        return f"{_text(node)} came with 3.0"
    if node.type == "variable" and _text(node).lower() == "$input":
        return "$input belongs to the loader"
    return None


def _member(node: Node) -> str | None:
    if node.type != "member_name":
        return None
    if _text(node).lower() in _EVALUATING_MEMBERS:
        # [IO.File]::Create makes a file, [Net.WebRequest]::Create a request
        return None if _owner(node) in {"[IO.File]", "[Net.WebRequest]"} else f"{_text(node)} may run text"
    return "::new() came with 5.0" if _text(node).lower() == "new" else None


def _owner(node: Node) -> str:
    before = node.parent.children[0] if node.parent else node
    return _text(before)


def _type(node: Node) -> str | None:
    name = ""
    if node.type == "type_literal":
        name = _text(node)[1:-1].removesuffix("[]")
    if node.type == "command" and re.match(r"New-Object\s", _text(node), re.IGNORECASE):
        name = re.split(r"[\s(]", _text(node)[len("New-Object ") :].strip())[0].removesuffix("[]")
    if name.lower() == "-comobject":
        wanted = _text(node).split()[-1]
        return None if wanted in COM_CLASSES else f"the COM class {wanted} is not allowed"
    if name and not TYPES.fullmatch(name):
        return f"the type {name} is not known to be in .NET 2.0"
    return None


def _try(node: Node) -> str | None:
    if node.type != "try_statement":
        return None
    parts = {child.type for child in node.children}
    return None if parts & {"catch_clauses", "finally_clause"} else "try without catch or finally"


def _command(node: Node, own: frozenset[str]) -> str | None:
    if node.type == "command_name" and _text(node) not in own | COMMANDS:
        return f"the command {_text(node)} is not allowed"
    if node.type == "command_parameter" and _text(node) not in PARAMETERS:
        return f"the parameter {_text(node)} is not allowed"
    return None


def _duplicate_parameter(node: Node) -> str | None:
    if node.type != "parameter_list":
        return None
    names = [
        _text(each).lower() for child in node.children for each in _walk(child) if each.type == "variable"
    ]
    return "two parameters of one name" if len(names) != len(set(names)) else None


def _param_first(root: Node) -> list[str]:
    first = next((child for child in root.children if child.type != "comment"), None)
    return [] if first is not None and first.type == "param_block" else ["1: param( ) must come first"]
