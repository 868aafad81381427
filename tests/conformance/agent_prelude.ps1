# Stands in for what only Windows has, so that the real agent runs on a PowerShell elsewhere.
# $IvnCase: 'root' a directory, 'windows' the machine of a case as JSON text. Goes before the agent's last line.

function Get-CaseWindows {
    if ($null -eq $IvnCase['parsed']) {
        $IvnCase['parsed'] = ConvertFrom-IvnJson $IvnCase['windows']
    }
    return $IvnCase['parsed']
}

function Get-CaseList([string]$name) {
    $list = (Get-CaseWindows)[$name]
    if ($null -eq $list) {
        $list = New-Object System.Collections.ArrayList
    }
    return ,$list
}

function ConvertTo-IvnDiskPath([string]$path) {
    # <root>/C/x/y, each part without regard to case as on Windows; a missing part keeps its spelling
    $place = [IO.Path]::Combine($IvnCase['root'], $path.Substring(0, 1).ToUpperInvariant())
    foreach ($part in $path.Substring(3).Split([char[]]'\', [StringSplitOptions]::RemoveEmptyEntries)) {
        $next = [IO.Path]::Combine($place, $part)
        if (-not [IO.File]::Exists($next) -and [IO.Directory]::Exists($place)) {
            foreach ($entry in [IO.Directory]::GetFileSystemEntries($place)) {
                if ([string]::Equals([IO.Path]::GetFileName($entry), $part, [StringComparison]::OrdinalIgnoreCase)) {
                    $next = $entry
                }
            }
        }
        $place = $next
    }
    return $place
}

function Get-IvnFactTable {
    $facts = @{}
    foreach ($entry in (Get-CaseWindows)['facts'].GetEnumerator()) {
        $facts[$entry.Key] = $entry.Value
    }
    return $facts
}

function Get-IvnServiceTable {
    return ,(Get-CaseList 'services')
}

function Get-IvnProcessTable {
    return ,(Get-CaseList 'processes')
}

function Get-IvnVersionTable([string]$diskPath) {
    $known = (Get-CaseWindows)['file_versions']
    if ($null -ne $known) {
        foreach ($entry in $known.GetEnumerator()) {
            if ((ConvertTo-IvnDiskPath $entry.Key) -ceq $diskPath) {
                return $entry.Value
            }
        }
    }
    return @{ 'product_name' = ''; 'product_version' = '' }
}

function Set-IvnServiceState([string]$name, [string]$state, [int]$seconds) {
    if ((Get-CaseList 'stuck').Contains($name)) {
        return $false
    }
    foreach ($service in (Get-CaseList 'services')) {
        if ($service['name'] -ceq $name) {
            $service['state'] = $state
        }
    }
    return $true
}

function New-IvnBackupFolder([string]$diskPath) {
    [void][IO.Directory]::CreateDirectory($diskPath)
}
