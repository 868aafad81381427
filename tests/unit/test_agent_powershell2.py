"""The agent keeps to Windows PowerShell 2.0 and .NET 2.0, and runs no text of a request."""

from __future__ import annotations

import re

import pytest

from ivn_provision.drivers.xprotect_e.bootstrap import agent_text
from tests.unit.powershell2 import problems

GOOD = "param([string]$a)\nfunction Get-One($x) { return $x }\n"


def found(snippet: str) -> str:
    return "\n".join(problems((GOOD + snippet + "\n").encode()))


def test_the_agent_has_no_problem() -> None:
    assert problems(agent_text().encode()) == []


def test_the_rules_accept_what_2_0_has() -> None:
    assert found("try { Get-One 'Get-Content -in $PSItem && ??' } catch { throw } # [ordered]@{}") == ""
    assert (
        found(
            "$b = New-Object IO.MemoryStream(,[Convert]::FromBase64String($a))\n$c = [IO.File]::Create('x')"
        )
        == ""
    )


@pytest.mark.parametrize(
    ("snippet", "problem"),
    [
        ("if ($a) { Get-One 1", "MISSING|missing|cannot be parsed"),
        ("$a = 'open", "MISSING|missing|cannot be parsed"),
        ("try { Get-One 1 }", "try without catch"),
        ("Get-One 1 && Get-One 2", "&& and"),
        ("Get-One 1 || Get-One 2", "&& and"),
        ("$b = $a ?? 1", r"\?\? came"),
        ("$a ??= 1", r"\?\?= came"),
        ("$b = $a ? 1 : 2", "ternary"),
        ("$b = $a?.Length", "cannot be parsed"),
        ("$b = $a -in 1, 2", "operator -in"),
        ("$b = $a -notin 1, 2", "operator -notin"),
        ("$b = $a -cin 1, 2", "cin|cannot be parsed"),
        ("$b = $a -shl 2", "operator -shl"),
        ("$b = [IO.MemoryStream]::new(1)", "::new"),
        ("class A { }", "class came"),
        ("enum A { B }", "enum came"),
        ("using namespace System", "using came|cannot be parsed|using is not allowed"),
        ("workflow A { }", "workflow"),
        ("function A { clean { } }", "clean came"),
        ("$b = [ordered]@{ 'a' = 1 }", "type ordered"),
        ("$b = [pscustomobject]@{ 'a' = 1 }", "type pscustomobject"),
        ("$b = [System.Net.Http.HttpClient]", "type System.Net.Http.HttpClient"),
        ("$b = New-Object System.Collections.Generic.HashSet[string]", "type System.Collections.Generic"),
        ("$b = $PSItem", "PSItem came"),
        ("$b = $using:a", "using:a came"),
        ("$b = $a.ForEach({ 1 })", "came with 4.0"),
        ("$b = $a.Where({ 1 })", "came with 4.0"),
        ("$b = @($input)", "input belongs"),
        ("} esle {", "cannot be parsed|not allowed"),
        ("try { Get-One 1 } cathc { }", "cathc is not allowed|try without"),
        ("Get-Contnet x", "command Get-Contnet is not allowed"),
        ("$b = ConvertFrom-Json $a", "command ConvertFrom-Json is not allowed"),
        ("Get-FileHash x", "command Get-FileHash is not allowed"),
        ("Invoke-Expression $a", "command Invoke-Expression is not allowed"),
        ("iex $a", "command iex is not allowed"),
        ("& $a", "only known at run time"),
        (". $a", "only known at run time"),
        ("$b = [ScriptBlock]::Create($a)", "Create may run text"),
        ("$b = $a.Invoke()", "Invoke may run text"),
        ("$b = $ExecutionContext.InvokeCommand.ExpandString($a)", "ExpandString may run text"),
        ("Start-Sleep -Duration 1", "parameter -Duration is not allowed"),
        ("New-Object Exception -ErrorAction Ignore", "parameter -ErrorAction is not allowed"),
        ("$b = New-Object -ComObject WScript.Shell", "COM class WScript.Shell is not allowed"),
        ("function Get-Two($x, $X) { }", "two parameters"),
        ("trap { }", "trap"),
        ("# caf\u00e9", "not ASCII"),
    ],
)
def test_a_rule_finds(snippet: str, problem: str) -> None:
    assert re.search(problem, found(snippet)), found(snippet) or "nothing was found"


def test_param_must_come_first() -> None:
    assert any("must come first" in each for each in problems(b"$a = 1\nparam($b)\n"))


def test_a_dropped_brace_anywhere_in_the_agent_is_found() -> None:
    text = agent_text()
    places = [match.start() for match in re.finditer(r"[{}]\n", text)]
    for place in places[:: len(places) // 12]:
        assert problems((text[:place] + text[place + 1 :]).encode()), text[place - 60 : place + 1]
