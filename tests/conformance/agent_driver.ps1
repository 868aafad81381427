# Runs many cases in one process. Each line of the jobs file: base64 of the request, of the machine's JSON and
# of the root directory. For case n: <Out>/n.stdout, and <Out>/n.services with "base64(name) state" lines.
param([string]$AgentPath, [string]$JobsPath, [string]$Out)

$ErrorActionPreference = 'Stop'
$agent = [ScriptBlock]::Create([IO.File]::ReadAllText($AgentPath))
$console = [Console]::Out
$number = 0

function ConvertFrom-Job([string]$text) {
    return [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($text))
}

foreach ($line in [IO.File]::ReadAllLines($JobsPath)) {
    $job = $line.Split(' ')
    $IvnCase = @{ 'windows' = (ConvertFrom-Job $job[1]); 'root' = (ConvertFrom-Job $job[2]); 'parsed' = $null }
    $captured = New-Object IO.StringWriter
    [Console]::SetOut($captured)
    try {
        & $agent (ConvertFrom-Job $job[0])
    } finally {
        [Console]::SetOut($console)
    }
    [IO.File]::WriteAllText([IO.Path]::Combine($Out, "$number.stdout"), $captured.ToString())
    $states = New-Object Text.StringBuilder
    if ($null -ne $IvnCase['parsed'] -and $null -ne $IvnCase['parsed']['services']) {
        foreach ($service in $IvnCase['parsed']['services']) {
            $name = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($service['name']))
            [void]$states.AppendLine($name + ' ' + $service['state'])
        }
    }
    [IO.File]::WriteAllText([IO.Path]::Combine($Out, "$number.services"), $states.ToString())
    $number++
}
