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

function Save-CaseFiles([string]$when) {
    # what somebody else on the machine writes then
    $files = (Get-CaseWindows)[$when]
    if ($null -ne $files) {
        foreach ($entry in $files.GetEnumerator()) {
            [IO.File]::WriteAllBytes((ConvertTo-IvnDiskPath $entry.Key), [Convert]::FromBase64String($entry.Value))
        }
    }
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

function Get-IvnUtcNow {
    $invariant = [Globalization.CultureInfo]::InvariantCulture
    return [DateTime]::ParseExact((Get-CaseWindows)['facts']['utc_now'], 'yyyy-MM-ddTHH:mm:ss\Z', $invariant)
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
    if ($state -ceq 'Stopped') {
        Save-CaseFiles 'saved_at_stop'
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

function New-IvnRevertFolder([string]$diskPath) {
    [void][IO.Directory]::CreateDirectory($diskPath)
}

function Get-CaseTask([string]$name) {
    if ((Get-CaseList 'refuses').Contains($name)) {
        throw 'refused'
    }
    $folder = [IO.Path]::Combine($IvnCase['root'], 'tasks')
    [void][IO.Directory]::CreateDirectory($folder)
    return [IO.Path]::Combine($folder, $name + '.xml')
}

function New-IvnTask([string]$name, [string]$xml) {
    [IO.File]::WriteAllText((Get-CaseTask $name), $xml)
}

function Remove-IvnTask([string]$name) {
    [IO.File]::Delete((Get-CaseTask $name))
}

function Get-IvnNetstat {
    # as netstat prints it, in German; "netstat" of a case is taken as it stands
    $given = (Get-CaseWindows)['netstat']
    if ($null -ne $given) {
        return $given
    }
    $text = "`r`nAktive Verbindungen`r`n`r`n  Proto  Lokale Adresse   Remoteadresse   Status   PID`r`n"
    foreach ($row in (Get-CaseList 'listening')) {
        $address = $row['address']
        $far = '0.0.0.0:0'
        if ($address.Contains(':')) {
            $address = '[' + $address + ']'
            $far = '[::]:0'
        }
        $word = 'ABH' + [char]0xd6 + 'REN'
        if ($row['protocol'] -ceq 'udp') {
            $far = '*:*'
            $word = ''
        }
        $near = $address + ':' + [string]$row['port']
        $text += '  ' + $row['protocol'].ToUpperInvariant() + '    ' + $near + '    ' + $far + '    ' + $word
        $text += '    ' + [string]$row['process_id'] + "`r`n"
    }
    return $text
}

function Get-IvnProgramTable {
    $table = @{}
    foreach ($row in (Get-CaseList 'listening')) {
        $table[[string]$row['process_id']] = $row['program']
    }
    return $table
}

function Get-CaseFirewall([string]$name, $otherwise) {
    $firewall = (Get-CaseWindows)['firewall']
    if ($null -eq $firewall) {
        throw 'no firewall'
    }
    if ($firewall.ContainsKey($name)) {
        return ,$firewall[$name]
    }
    return ,$otherwise
}

function Get-IvnFirewallState {
    return @{
        'enabled' = (Get-CaseFirewall 'enabled' 7)
        'active' = (Get-CaseFirewall 'active' 1)
        'overridden' = (Get-CaseFirewall 'overridden' $false)
    }
}

function Get-IvnFirewallTable {
    $table = New-Object System.Collections.ArrayList
    foreach ($rule in (Get-CaseFirewall 'rules' (New-Object System.Collections.ArrayList))) {
        $row = @{
            'enabled' = $true
            'allow' = $true
            'profiles' = 2147483647
            'program' = ''
            'service' = ''
            'remote' = '*'
        }
        foreach ($entry in $rule.GetEnumerator()) {
            $row[$entry.Key] = $entry.Value
        }
        [void]$table.Add($row)
    }
    return ,$table
}

function Add-IvnFirewallRule($wanted) {
    [void](Get-CaseFirewall 'rules').Add($wanted)
}

function Remove-IvnFirewallRule([string]$name) {
    if ((Get-CaseList 'refuses').Contains($name)) {
        throw 'refused'
    }
    $rules = Get-CaseFirewall 'rules'
    for ($at = 0; $at -lt $rules.Count; $at++) {
        if ([string]::Equals($rules[$at]['name'], $name, [StringComparison]::OrdinalIgnoreCase)) {
            $rules.RemoveAt($at)
            return
        }
    }
}

function Set-IvnStartMode([string]$name, [string]$mode) {
    if ((Get-CaseList 'refuses').Contains($name)) {
        return $false
    }
    $services = Get-CaseList 'services'
    for ($at = 0; $at -lt $services.Count; $at++) {
        if ($services[$at]['name'] -ceq $name) {
            # a copy: an answer that was made before keeps what it said
            $services[$at] = $services[$at].Clone()
            $services[$at]['start_mode'] = @{ 'Automatic' = 'Auto'; 'Manual' = 'Manual'; 'Disabled' = 'Disabled' }[$mode]
        }
    }
    return $true
}

function Get-CaseAbout([string]$name, $otherwise) {
    $about = (Get-CaseWindows)['about']
    if ($null -ne $about -and $about.ContainsKey($name)) {
        return ,$about[$name]
    }
    return ,$otherwise
}

function Get-IvnDotNetTable {
    return ,(Get-CaseAbout 'dotnet' (New-Object System.Collections.ArrayList))
}

function Get-IvnTimeTable {
    return @{
        'type' = (Get-CaseAbout 'time_type' '')
        'servers' = (Get-CaseAbout 'time_servers' '')
        'state' = (Get-CaseAbout 'time_service' '')
    }
}

function Get-IvnDiskTable {
    return ,(Get-CaseAbout 'disks' (New-Object System.Collections.ArrayList))
}

function Get-IvnStartTable {
    $table = @{}
    foreach ($service in (Get-CaseList 'services')) {
        $table[[string]$service['process_id']] = [string]$service['started_at']
    }
    return $table
}

function Wait-Ivn([int]$milliseconds) {
    # what happens on the machine while the agent waits
    foreach ($service in (Get-CaseList 'services')) {
        if ((Get-CaseList 'restarting').Contains($service['name'])) {
            $service['process_id']++
        }
        if ((Get-CaseList 'stopping').Contains($service['name'])) {
            $service['state'] = 'Stopped'
            $service['process_id'] = 0
        }
    }
    Save-CaseFiles 'meanwhile'
    Start-Sleep -Milliseconds ([Math]::Min($milliseconds, 200))
}

function Open-IvnDiskFile([string]$diskPath, [string]$path) {
    if (-not [IO.File]::Exists($diskPath)) {
        Stop-Ivn 'missing' 'the file does not exist' $path
    }
    if ((Get-CaseList 'locked').Contains($path)) {
        Stop-Ivn 'locked' 'another process holds the file' $path
    }
    return [IO.File]::Open($diskPath, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::ReadWrite)
}

function Move-IvnFileInPlace([string]$from, [string]$target, [string]$old) {
    foreach ($path in (Get-CaseList 'unwritable')) {
        if ((ConvertTo-IvnDiskPath $path) -ceq $target) {
            throw 'unwritable'
        }
    }
    [IO.File]::Replace($from, $target, $old)
}

$RealTestIvnOwnAddress = ${function:Test-IvnOwnAddress}

function Test-IvnOwnAddress($address) {
    # in a case that says "far" no address is the machine's own
    if ((Get-CaseWindows)['far'] -eq $true) {
        return $false
    }
    return (& $RealTestIvnOwnAddress $address)
}
