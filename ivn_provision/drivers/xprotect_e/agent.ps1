# ivn-provision agent 1.2.0
#
# Runs on the recorder: one JSON request in, one framed JSON reply out (docs/reference/agent-protocol.md).
# Written for Windows PowerShell 2.0 and .NET 2.0 (facts/winrm.md, part 7), plain ASCII. No text of the
# request is ever run: it is data for .NET calls only.
# -ceq compares as a language does and overlooks characters without weight, such as NUL: text of a request
# is compared by [string]::Equals and [Array]::IndexOf.
# Functions return dictionaries, or lists and byte arrays behind a comma: PowerShell would take those apart.

param([string]$RequestText)

$ErrorActionPreference = 'Stop'
$AgentVersion = '1.2.0'
$LargestFile = 64 * 1024 * 1024
$LockFile = 'C:\ProgramData\ivn-provision\agent.lock'
$LeaseFile = 'C:\ProgramData\ivn-provision\lease.json'
$RevertFolder = 'C:\ProgramData\ivn-provision\reverts'
$TaskName = 'ivn-provision-revert-'
# this script itself: a revert keeps it, for the time when nobody sends it
$AgentText = [string]$MyInvocation.MyCommand.ScriptBlock

# what one request remembers: its lock, why no step may run, what it wrote (disk path, sha256), sizes of logs
$IvnRun = @{
    'lock' = $null
    'barred' = $null
    'written' = (New-Object System.Collections.Hashtable([StringComparer]::OrdinalIgnoreCase))
    'marks' = (New-Object System.Collections.Hashtable([StringComparer]::Ordinal))
}


# ---- Windows: each thing that only Windows has, behind one small function ----------------------------

function ConvertTo-IvnDiskPath([string]$path) {
    return $path
}

function Get-IvnUtcNow {
    return [DateTime]::UtcNow
}

function Get-IvnFactTable {
    $system = Get-WmiObject -Class Win32_OperatingSystem
    $engine = $PSVersionTable['PSVersion']
    $now = Get-IvnUtcNow
    return @{
        'computer_name' = [Environment]::MachineName
        'os_caption' = ([string]$system.Caption).Trim()
        'os_version' = [string]$system.Version
        'service_pack' = [int]$system.ServicePackMajorVersion
        'powershell_version' = [string]$engine.Major + '.' + [string]$engine.Minor
        'utc_now' = $now.ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
        'utc_offset_minutes' = [int][TimeZone]::CurrentTimeZone.GetUtcOffset($now.ToLocalTime()).TotalMinutes
    }
}

function Get-IvnServiceTable {
    $table = New-Object System.Collections.ArrayList
    foreach ($service in @(Get-WmiObject -Class Win32_Service)) {
        [void]$table.Add(@{
            'name' = [string]$service.Name
            'display_name' = [string]$service.DisplayName
            'state' = [string]$service.State
            'start_mode' = [string]$service.StartMode
            'path' = [string]$service.PathName
            'process_id' = [int]$service.ProcessId
        })
    }
    return ,$table
}

function Get-IvnProcessTable {
    $table = New-Object System.Collections.ArrayList
    foreach ($process in @(Get-WmiObject -Class Win32_Process)) {
        [void]$table.Add([string]$process.Name)
    }
    return ,$table
}

function Get-IvnStartTable {
    # process id -> when it started, UTC; WMI writes 20261123190000.000000+060
    $table = @{}
    foreach ($process in @(Get-WmiObject -Class Win32_Process)) {
        $parts = [regex]::Match([string]$process.CreationDate, '^([0-9]{14})\.[0-9]{6}([+-][0-9]{3})\z')
        if ($parts.Success) {
            $invariant = [Globalization.CultureInfo]::InvariantCulture
            $local = [DateTime]::ParseExact($parts.Groups[1].Value, 'yyyyMMddHHmmss', $invariant)
            $utc = $local.AddMinutes(-[int]$parts.Groups[2].Value)
            $table[[string]$process.ProcessId] = $utc.ToString('yyyy-MM-ddTHH:mm:ssZ', $invariant)
        }
    }
    return $table
}

function Wait-Ivn([int]$milliseconds) {
    Start-Sleep -Milliseconds $milliseconds
}

function Get-IvnVersionTable([string]$diskPath) {
    $version = [Diagnostics.FileVersionInfo]::GetVersionInfo($diskPath)
    return @{ 'product_name' = [string]$version.ProductName; 'product_version' = [string]$version.ProductVersion }
}

function Set-IvnServiceState([string]$name, [string]$state, [int]$seconds) {
    # $true once the service is in that state; $false if it cannot be started or the time is over
    Add-Type -AssemblyName System.ServiceProcess
    $deadline = [DateTime]::UtcNow.AddSeconds($seconds)
    $controller = New-Object System.ServiceProcess.ServiceController($name)
    $asked = $false
    try {
        do {
            $controller.Refresh()
            $now = [string]$controller.Status
            if ($now -ceq $state) {
                return $true
            }
            if (-not $asked -and $state -ceq 'Running' -and $now -ceq 'Stopped') {
                try {
                    $controller.Start()
                    $asked = $true
                } catch {
                    return $false
                }
            }
            if (-not $asked -and $state -ceq 'Stopped' -and ($now -ceq 'Running' -or $now -ceq 'Paused')) {
                try {
                    $controller.Stop()
                    $asked = $true
                } catch {
                    $asked = $false
                }
            }
            Start-Sleep -Milliseconds 200
        } while ([DateTime]::UtcNow -lt $deadline)
        return $false
    } finally {
        $controller.Close()
    }
}

function Get-IvnFolderSecurity {
    # only administrators and the system
    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetAccessRuleProtection($true, $false)
    foreach ($sid in 'S-1-5-32-544', 'S-1-5-18') {
        $who = New-Object System.Security.Principal.SecurityIdentifier($sid)
        $rule = New-Object System.Security.AccessControl.FileSystemAccessRule(
            $who, 'FullControl', 'ContainerInherit, ObjectInherit', 'None', 'Allow')
        $security.AddAccessRule($rule)
    }
    return $security
}

function New-IvnBackupFolder([string]$diskPath) {
    # a backup holds every secret of the recorder
    [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($diskPath))
    [void][IO.Directory]::CreateDirectory($diskPath, (Get-IvnFolderSecurity))
}

function New-IvnRevertFolder([string]$diskPath) {
    # what lies in it the system runs one day: nobody else may own, or put something into, the folders above
    $above = [IO.Path]::GetDirectoryName($diskPath)
    foreach ($folder in @([IO.Path]::GetDirectoryName($above), $above)) {
        $security = Get-IvnFolderSecurity
        $security.SetOwner((New-Object System.Security.Principal.SecurityIdentifier('S-1-5-32-544')))
        if (-not [IO.Directory]::Exists($folder)) {
            [void][IO.Directory]::CreateDirectory($folder, $security)
        } elseif ([int][IO.File]::GetAttributes($folder) -band 1024) {
            throw 'the folder is a link'
        } else {
            [IO.Directory]::SetAccessControl($folder, $security)
        }
    }
    [void][IO.Directory]::CreateDirectory($diskPath, (Get-IvnFolderSecurity))
}

function New-IvnTask([string]$name, [string]$xml) {
    # 6: made, or put in the place of one of that name; 5: a service account, the one that the XML names
    $service = New-Object -ComObject Schedule.Service
    $service.Connect()
    [void]$service.GetFolder('\').RegisterTask($name, $xml, 6, $null, $null, 5, $null)
}

function Remove-IvnTask([string]$name) {
    # 1: hidden ones too
    $service = New-Object -ComObject Schedule.Service
    $service.Connect()
    $folder = $service.GetFolder('\')
    foreach ($task in $folder.GetTasks(1)) {
        if ([string]::Equals([string]$task.Name, $name, [StringComparison]::OrdinalIgnoreCase)) {
            $folder.DeleteTask($name, 0)
            return
        }
    }
}

function Move-IvnFileInPlace([string]$from, [string]$target, [string]$old) {
    # ReplaceFile: one step for readers, and the target keeps its access list
    [IO.File]::Replace($from, $target, $old)
}


function Get-IvnNetstat {
    $program = [IO.Path]::Combine([Environment]::SystemDirectory, 'netstat.exe')
    $start = New-Object Diagnostics.ProcessStartInfo($program, '-ano')
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardOutput = $true
    $process = [Diagnostics.Process]::Start($start)
    $text = $process.StandardOutput.ReadToEnd()
    $process.WaitForExit()
    return $text
}

function Get-IvnProgramTable {
    $table = @{}
    foreach ($process in @(Get-WmiObject -Class Win32_Process)) {
        $table[[string]$process.ProcessId] = [string]$process.Name
    }
    return $table
}

function Get-IvnFirewallState {
    # profiles: 1 domain, 2 private, 4 public (NET_FW_PROFILE_TYPE2)
    $policy = New-Object -ComObject HNetCfg.FwPolicy2
    $enabled = 0
    foreach ($type in 1, 2, 4) {
        if ($policy.FirewallEnabled($type)) {
            $enabled = $enabled -bor $type
        }
    }
    $active = [int]$policy.CurrentProfileTypes
    return @{ 'enabled' = $enabled; 'active' = $active; 'overridden' = ([int]$policy.LocalPolicyModifyState -ne 0) }
}

function Get-IvnFirewallTable {
    # inbound rules; protocol: 6 TCP, 17 UDP, 256 any (NET_FW_IP_PROTOCOL)
    $table = New-Object System.Collections.ArrayList
    $policy = New-Object -ComObject HNetCfg.FwPolicy2
    foreach ($rule in $policy.Rules) {
        if ($rule.Direction -ne 1) {
            continue
        }
        [void]$table.Add(@{
            'name' = [string]$rule.Name
            'protocol' = [int]$rule.Protocol
            'local_ports' = [string]$rule.LocalPorts
            'enabled' = [bool]$rule.Enabled
            'allow' = ([int]$rule.Action -eq 1)
            'profiles' = [int]$rule.Profiles
            'program' = [string]$rule.ApplicationName
            'service' = [string]$rule.ServiceName
            'remote' = [string]$rule.RemoteAddresses
        })
    }
    return ,$table
}

function Add-IvnFirewallRule($wanted) {
    $rule = New-Object -ComObject HNetCfg.FWRule
    $rule.Name = [string]$wanted['name']
    $rule.Description = 'Made by ivn-provision'
    $rule.Protocol = [int]$wanted['protocol']  # before the ports, which are checked against it
    $rule.LocalPorts = [string]$wanted['local_ports']
    $rule.Direction = 1
    $rule.Action = [int]$wanted['allow']
    $rule.Profiles = 2147483647
    $rule.Enabled = [bool]$wanted['enabled']
    $policy = New-Object -ComObject HNetCfg.FwPolicy2
    $policy.Rules.Add($rule)
}

function Remove-IvnFirewallRule([string]$name) {
    # one of that name
    $policy = New-Object -ComObject HNetCfg.FwPolicy2
    $policy.Rules.Remove($name)
}

function Set-IvnStartMode([string]$name, [string]$mode) {
    # whether Windows did it; 0 is success (Win32_Service.ChangeStartMode)
    foreach ($service in @(Get-WmiObject -Class Win32_Service)) {
        if ([string]::Equals([string]$service.Name, $name, [StringComparison]::OrdinalIgnoreCase)) {
            return ([int]$service.ChangeStartMode($mode).ReturnValue -eq 0)
        }
    }
    return $false
}

function Get-IvnDotNetTable {
    $table = New-Object System.Collections.ArrayList
    foreach ($name in 'v2.0.50727', 'v3.0', 'v3.5', 'v4\Full') {
        $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('SOFTWARE\Microsoft\NET Framework Setup\NDP\' + $name)
        if ($null -ne $key) {
            if ([string]$key.GetValue('Install') -ceq '1') {
                [void]$table.Add([string]$key.GetValue('Version'))
            }
            $key.Close()
        }
    }
    return ,$table
}

function Get-IvnTimeTable {
    $table = @{ 'type' = ''; 'servers' = ''; 'state' = '' }
    # a group policy wins over the machine's own setting, so it is read last
    foreach ($name in 'SYSTEM\CurrentControlSet\Services\W32Time\Parameters', 'SOFTWARE\Policies\Microsoft\W32Time\Parameters') {
        $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($name)
        if ($null -ne $key) {
            $table['type'] = [string]$key.GetValue('Type', $table['type'])
            $table['servers'] = [string]$key.GetValue('NtpServer', $table['servers'])
            $key.Close()
        }
    }
    try {
        Add-Type -AssemblyName System.ServiceProcess
        $controller = New-Object System.ServiceProcess.ServiceController('W32Time')
        $table['state'] = [string]$controller.Status
        $controller.Close()
    } catch {
        $table['state'] = ''
    }
    return $table
}

function Get-IvnDiskTable {
    # 3: a local disk
    $table = New-Object System.Collections.ArrayList
    foreach ($disk in @(Get-WmiObject -Class Win32_LogicalDisk)) {
        if ([int]$disk.DriveType -eq 3) {
            [void]$table.Add(@{
                'drive' = [string]$disk.DeviceID
                'free_bytes' = [long]$disk.FreeSpace
                'size_bytes' = [long]$disk.Size
            })
        }
    }
    return ,$table
}


# ---- failures ----------------------------------------------------------------------------------------

function Stop-Ivn([string]$code, [string]$message, [string]$path) {
    $failure = New-Object Exception($message)
    $failure.Data['ivn_code'] = $code
    $failure.Data['ivn_path'] = $path
    throw $failure
}

function Stop-IvnArguments {
    Stop-Ivn 'bad_request' 'bad arguments'
}

function ConvertTo-IvnError($record) {
    $failure = $record.Exception
    $code = [string]$failure.Data['ivn_code']
    if ($code -ceq '') {
        $inner = $failure.GetBaseException()
        $line = [string]$record.InvocationInfo.ScriptLineNumber
        return @{ 'code' = 'internal'; 'message' = 'unexpected ' + $inner.GetType().FullName + ' at line ' + $line }
    }
    $answer = @{ 'code' = $code; 'message' = [string]$failure.Message }
    if ([string]$failure.Data['ivn_path'] -cne '') {
        $answer['path'] = [string]$failure.Data['ivn_path']
    }
    return $answer
}


# ---- JSON --------------------------------------------------------------------------------------------

# One match for a whole value, because a call of a function is what costs time.
$JsonText = '"((?>[^"\\\x00-\x1f]+|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"'
$JsonNumber = '(-?(?:0|[1-9][0-9]*))((?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)'
$JsonValue = New-Object regex('\G[ \t\r\n]*(?:' + $JsonText + '|(true|false|null)|' + $JsonNumber + '|([\[{]))')
$JsonKey = New-Object regex('\G[ \t\r\n]*' + $JsonText + '[ \t\r\n]*:')
$JsonNext = New-Object regex('\G[ \t\r\n]*([,\]}])')
$JsonEnd = New-Object regex('\G[ \t\r\n]*\z')
$JsonPlain = New-Object regex('^[ !#-\[\]-~]*\z')
$JsonOdd = New-Object regex('[^ !#-\[\]-~]')
$JsonDepth = 32

function Stop-IvnJson {
    Stop-Ivn 'bad_request' 'the request is not valid JSON'
}

function Read-JsonClosing($cursor, [string]$mark) {
    # whether the list or object is empty; only then is its end taken
    $next = $JsonNext.Match($cursor['text'], $cursor['at'])
    if ($next.Groups[1].Value -cne $mark) {
        return $false
    }
    $cursor['at'] += $next.Length
    return $true
}

function Read-JsonArray($cursor, [int]$depth) {
    $list = New-Object System.Collections.ArrayList
    if (Read-JsonClosing $cursor ']') {
        return ,$list
    }
    do {
        $value = Read-JsonValue $cursor $depth
        [void]$list.Add($value)
        $next = $JsonNext.Match($cursor['text'], $cursor['at'])
        $cursor['at'] += $next.Length
    } while ($next.Groups[1].Value -ceq ',')
    if ($next.Groups[1].Value -cne ']') {
        Stop-IvnJson
    }
    return ,$list
}

function Read-JsonObject($cursor, [int]$depth) {
    $object = New-Object System.Collections.Hashtable([StringComparer]::Ordinal)
    if (Read-JsonClosing $cursor '}') {
        return $object
    }
    do {
        $key = $JsonKey.Match($cursor['text'], $cursor['at'])
        if (-not $key.Success) {
            Stop-IvnJson
        }
        $cursor['at'] += $key.Length
        $object[[regex]::Unescape($key.Groups[1].Value)] = Read-JsonValue $cursor $depth
        $next = $JsonNext.Match($cursor['text'], $cursor['at'])
        $cursor['at'] += $next.Length
    } while ($next.Groups[1].Value -ceq ',')
    if ($next.Groups[1].Value -cne '}') {
        Stop-IvnJson
    }
    return $object
}

function ConvertFrom-JsonNumber([string]$whole, [string]$rest) {
    if ($rest -cne '') {
        return [double]0.5  # no argument is a fraction, so its value does not matter
    }
    $number = [long]0
    if ([long]::TryParse($whole, [ref]$number)) {
        return $number
    }
    if ($whole.StartsWith('-')) {
        return [long]::MinValue
    }
    return [long]::MaxValue  # outside of every file and range, as is whatever stood there
}

function Read-JsonValue($cursor, [int]$depth) {
    $found = $JsonValue.Match($cursor['text'], $cursor['at'])
    if (-not $found.Success -or $depth -gt $JsonDepth) {
        Stop-IvnJson
    }
    $cursor['at'] += $found.Length
    $parts = $found.Groups
    if ($parts[1].Success) {
        # every escape that JSON knows means the same in a regular expression, and none else matches
        return [regex]::Unescape($parts[1].Value)
    }
    if ($parts[3].Success) {
        return (ConvertFrom-JsonNumber $parts[3].Value $parts[4].Value)
    }
    if ($parts[5].Value -ceq '{') {
        return (Read-JsonObject $cursor ($depth + 1))
    }
    if ($parts[5].Value -ceq '[') {
        return ,(Read-JsonArray $cursor ($depth + 1))
    }
    if ($parts[2].Value -ceq 'null') {
        return $null
    }
    return ($parts[2].Value -ceq 'true')
}

function ConvertFrom-IvnJson([string]$text) {
    $cursor = @{ 'text' = $text; 'at' = 0 }
    $value = Read-JsonValue $cursor 1
    if (-not $JsonEnd.IsMatch($text, $cursor['at'])) {
        Stop-IvnJson
    }
    if ($value -isnot [System.Collections.Hashtable]) {
        Stop-Ivn 'bad_request' 'the request is not an object'
    }
    return $value
}

function ConvertTo-JsonEscape([char]$letter) {
    switch ([int]$letter) {
        34 { return '\"' }
        92 { return '\\' }
        8 { return '\b' }
        9 { return '\t' }
        10 { return '\n' }
        12 { return '\f' }
        13 { return '\r' }
    }
    return '\u' + ([int]$letter).ToString('x4')
}

function Write-JsonString($writer, [string]$text) {
    if (-not $JsonPlain.IsMatch($text)) {
        $text = $JsonOdd.Replace($text, { ConvertTo-JsonEscape ($args[0].Value[0]) })
    }
    $writer.Write('"' + $text + '"')
}

function Write-JsonBytes($writer, [byte[]]$bytes) {
    # in pieces, so that a file of many megabytes is never one long string; a multiple of three has no padding
    $piece = 300000
    $writer.Write('"')
    for ($at = 0; $at -lt $bytes.Length; $at += $piece) {
        $writer.Write([Convert]::ToBase64String($bytes, $at, [Math]::Min($piece, $bytes.Length - $at)))
    }
    $writer.Write('"')
}

function Write-JsonList($writer, $list) {
    $writer.Write('[')
    $between = ''
    foreach ($value in $list) {
        $writer.Write($between)
        Write-JsonValue $writer $value
        $between = ','
    }
    $writer.Write(']')
}

function Write-JsonObject($writer, $object) {
    $sorted = New-Object System.Collections.ArrayList(,$object.get_Keys())
    $sorted.Sort([StringComparer]::Ordinal)
    $between = '{"'
    foreach ($key in $sorted) {
        $name = $key
        if (-not $JsonPlain.IsMatch($key)) {
            $name = $JsonOdd.Replace($key, { ConvertTo-JsonEscape ($args[0].Value[0]) })
        }
        $writer.Write($between + $name + '":')
        Write-JsonValue $writer $object[$key]
        $between = ',"'
    }
    if ($sorted.Count -eq 0) {
        $writer.Write('{')
    }
    $writer.Write('}')
}

function Write-JsonValue($writer, $value) {
    if ($value -is [string]) {
        Write-JsonString $writer $value
    } elseif ($value -is [bool]) {
        $writer.Write(([string]$value).ToLowerInvariant())
    } elseif ($value -is [byte[]]) {
        Write-JsonBytes $writer $value
    } elseif ($value -is [System.Collections.IDictionary]) {
        Write-JsonObject $writer $value
    } elseif ($value -is [System.Collections.IEnumerable]) {
        Write-JsonList $writer $value
    } elseif ($null -eq $value) {
        $writer.Write('null')
    } else {
        $writer.Write(([long]$value).ToString([Globalization.CultureInfo]::InvariantCulture))
    }
}

function Write-IvnJson([IO.Stream]$stream, $value) {
    # writes canonical JSON and closes the stream
    $writer = New-Object IO.StreamWriter($stream, [Text.Encoding]::ASCII)
    Write-JsonValue $writer $value
    $writer.Close()
}

function ConvertTo-IvnJsonBytes($value) {
    $stream = New-Object IO.MemoryStream
    Write-IvnJson $stream $value
    return ,$stream.ToArray()
}


# ---- arguments ---------------------------------------------------------------------------------------

function Get-IvnText($step, [string]$name) {
    if ($step[$name] -isnot [string]) {
        Stop-IvnArguments
    }
    return $step[$name]
}

function Get-IvnList($step, [string]$name, [Type]$type) {
    $list = $step[$name]
    if ($list -isnot [System.Collections.ArrayList]) {
        Stop-IvnArguments
    }
    foreach ($each in $list) {
        if ($null -eq $each -or -not $type.IsInstanceOfType($each)) {
            Stop-IvnArguments
        }
    }
    return ,$list
}

function Get-IvnTextList($step, [string]$name) {
    return ,(Get-IvnList $step $name ([string]))
}

function Get-IvnObjectList($step, [string]$name) {
    return ,(Get-IvnList $step $name ([System.Collections.Hashtable]))
}

function Get-IvnWholeNumber($step, [string]$name) {
    if ($step[$name] -isnot [long]) {
        Stop-IvnArguments
    }
    return $step[$name]
}

function ConvertFrom-IvnBase64($text) {
    if ($text -isnot [string] -or $text -cnotmatch '^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?\z') {
        Stop-IvnArguments
    }
    return ,[Convert]::FromBase64String($text)
}

function Assert-IvnPathPart([string]$part) {
    # nothing that Windows would read as another name, a device or a stream; no half of a surrogate pair
    $device = $part -match '^(?:con|prn|aux|nul|com[1-9]|lpt[1-9])\s*(?:\..*)?\z'
    $broken = $part -cmatch '[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]'
    $plain = $part -cmatch '^[^\\/:*?"<>|\x00-\x1f]*[^\\/:*?"<>|\x00-\x1f. ]\z'
    if ($device -or $broken -or -not $plain -or [Text.Encoding]::UTF8.GetByteCount($part) -gt 250) {
        Stop-IvnArguments
    }
}

function Get-IvnDiskPath([string]$path) {
    # a full local path only
    if ($path -cnotmatch '^[A-Za-z]:\\') {
        Stop-IvnArguments
    }
    $parts = $path.Substring(3).Split([char[]]'\', [StringSplitOptions]::RemoveEmptyEntries)
    foreach ($part in $parts) {
        Assert-IvnPathPart $part
    }
    return (ConvertTo-IvnDiskPath ($path.Substring(0, 3) + [string]::Join('\', $parts)))
}


# ---- bytes and files ---------------------------------------------------------------------------------

function ConvertTo-IvnHex([byte[]]$bytes) {
    return [BitConverter]::ToString($bytes).Replace('-', '').ToLowerInvariant()
}

function Get-IvnHash([byte[]]$bytes) {
    $hasher = New-Object System.Security.Cryptography.SHA256Managed
    return (ConvertTo-IvnHex $hasher.ComputeHash($bytes))
}

function Open-IvnDiskFile([string]$diskPath, [string]$path) {
    if (-not [IO.File]::Exists($diskPath)) {
        Stop-Ivn 'missing' 'the file does not exist' $path
    }
    try {
        return [IO.File]::Open($diskPath, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::ReadWrite)
    } catch {
        Stop-Ivn 'locked' 'another process holds the file' $path
    }
}

function Open-IvnFile([string]$path) {
    return (Open-IvnDiskFile (Get-IvnDiskPath $path) $path)
}

function Get-IvnDiskHash([string]$diskPath, [string]$path) {
    # of a file of any size
    $hasher = New-Object System.Security.Cryptography.SHA256Managed
    $stream = Open-IvnDiskFile $diskPath $path
    try {
        return (ConvertTo-IvnHex $hasher.ComputeHash([IO.Stream]$stream))
    } catch {
        Stop-Ivn 'locked' 'another process holds the file' $path
    } finally {
        $stream.Close()
    }
}

function Read-IvnFile([string]$path) {
    $stream = Open-IvnFile $path
    try {
        if ($stream.Length -gt $LargestFile) {
            Stop-Ivn 'too_large' 'the file is larger than 64 MiB' $path
        }
        $bytes = New-Object byte[] ([int]$stream.Length)
        $at = 0
        while ($at -lt $bytes.Length) {
            $count = $stream.Read($bytes, $at, $bytes.Length - $at)
            if ($count -eq 0) {
                Stop-Ivn 'locked' 'another process holds the file' $path  # it became shorter under our eyes
            }
            $at += $count
        }
        return ,$bytes
    } finally {
        $stream.Close()
    }
}

function Copy-IvnFile([string]$diskPath, [string]$path, [string]$to) {
    # copies in pieces and returns the sha256 of what was copied; a failure to read is told apart
    $hasher = New-Object System.Security.Cryptography.SHA256Managed
    $source = Open-IvnDiskFile $diskPath $path
    try {
        $target = [IO.File]::Create($to, 65536, [IO.FileOptions]::WriteThrough)
        $hashing = New-Object System.Security.Cryptography.CryptoStream(
            $target, $hasher, [System.Security.Cryptography.CryptoStreamMode]::Write)
        try {
            $piece = New-Object byte[] 262144
            do {
                try {
                    $count = $source.Read($piece, 0, $piece.Length)
                } catch {
                    Stop-Ivn 'locked' 'another process holds the file' $path
                }
                $hashing.Write($piece, 0, $count)
            } while ($count -gt 0)
        } finally {
            $hashing.Close()
        }
    } finally {
        $source.Close()
    }
    return (ConvertTo-IvnHex $hasher.Hash)
}

function Write-IvnFile([string]$diskPath, [byte[]]$bytes) {
    $stream = [IO.File]::Create($diskPath, 65536, [IO.FileOptions]::WriteThrough)
    try {
        $stream.Write($bytes, 0, $bytes.Length)
    } finally {
        $stream.Close()
    }
}

# Written out instead of an option: .NET and Python do not agree on the case of every letter of Unicode.
$SecretWord = '(?:[Pp][Aa][Ss][Ss](?:[Ww][Dd]|[Ww][Oo][Rr][Dd]|[Pp][Hh][Rr][Aa][Ss][Ee])|[Pp][Ww][Dd]' +
    '|[Ss][Ee][Cc][Rr][Ee][Tt]|[Cc][Rr][Ee][Dd][Ee][Nn][Tt][Ii][Aa][Ll]|[Tt][Oo][Kk][Ee][Nn])'
$SecretLetter = '[^ \t\r\n<>/:="''&!?]'
$SecretName = '(?:' + $SecretLetter + '+:)?' + $SecretLetter + '*' + $SecretWord + $SecretLetter + '*'
$SecretText = '((?>[^<]+|<!\[CDATA\[(?>[^\]]+|\](?!\]>))*\]\]>|<!--(?>[^-]+|-(?!->))*-->|<\?(?>[^?]+|\?(?!>))*\?>)+)'
$SecretLeaf = '<' + $SecretName + '(?=[ \t\r\n>])(?>[^<>"''/]+|"[^"<]*"|''[^''<]*''|/(?!>))*>' + $SecretText + '(?=</|<!|<\?|\z)'
# not inside of a text: there the next angle bracket opens a tag
$SecretAttribute = '[ \t\r\n]' + $SecretName + '[ \t\r\n]*=[ \t\r\n]*(?>"([^"<]+)|''([^''<]+))(?![^<>]{0,4096}<)'

function Hide-IvnMatches($state, $matcher, $groups) {
    # overwrites these groups of every match: size and offsets stay
    $bytes = $state['bytes']
    $width = $state['width']
    $found = $matcher.Match($state['encoding'].GetString($bytes))
    while ($found.Success) {
        foreach ($group in $groups) {
            $secret = $found.Groups[$group]
            if ($secret.Length -gt 0 -and ($group -eq 3 -or -not $state['masked'].ContainsKey($secret.Index))) {
                $digest = ConvertTo-IvnHex $state['hasher'].ComputeHash($bytes, $secret.Index * $width, $secret.Length * $width)
                $mask = ($digest * ([int][Math]::Floor($secret.Length / 64) + 1)).Substring(0, $secret.Length)
                [void]$state['encoding'].GetBytes($mask, 0, $mask.Length, $bytes, $secret.Index * $width)
                $state['masked'][$secret.Index] = $true
            }
        }
        $found = $found.NextMatch()
    }
}

function Hide-IvnSecrets([byte[]]$bytes, $names, [byte[]]$key) {
    # overwrites the content of every element named, then of what is called like a secret
    $state = @{ 'bytes' = $bytes; 'encoding' = [Text.Encoding]::GetEncoding(28591); 'width' = 1; 'masked' = @{} }
    if ($bytes.Length -ge 2) {
        $mark = $bytes[0] * 256 + $bytes[1]
        # without a byte-order mark, UTF-16 shows by its first character, an angle bracket
        if ($mark -eq 0xFFFE -or $mark -eq 0x3C00) {
            $state['encoding'] = [Text.Encoding]::Unicode
            $state['width'] = 2
        } elseif ($mark -eq 0xFEFF -or $mark -eq 0x003C) {
            $state['encoding'] = [Text.Encoding]::BigEndianUnicode
            $state['width'] = 2
        }
    }
    $state['hasher'] = New-Object System.Security.Cryptography.HMACSHA256(,$key)
    foreach ($name in $names) {
        $pattern = '(?s)<((?:[A-Za-z_][\w.-]*:)?' + [regex]::Escape($name) + ')(\s[^<>]*[^<>/])?\s*>(.*?)</\1\s*>'
        Hide-IvnMatches $state (New-Object regex($pattern)) @(3)
    }
    Hide-IvnMatches $state (New-Object regex($SecretLeaf)) @(1)
    Hide-IvnMatches $state (New-Object regex($SecretAttribute)) @(1, 2)
}


# ---- verbs: each takes the step, returns its part of the reply ------------------------------------------

function Invoke-IvnFacts($step) {
    return (Get-IvnFactTable)
}

function Invoke-IvnFileVersions($step) {
    $files = New-Object System.Collections.ArrayList
    foreach ($path in (Get-IvnTextList $step 'paths')) {
        $diskPath = Get-IvnDiskPath $path
        $file = @{ 'path' = $path; 'exists' = $false; 'product_name' = ''; 'product_version' = '' }
        if ([IO.File]::Exists($diskPath)) {
            $version = Get-IvnVersionTable $diskPath
            $file['exists'] = $true
            $file['product_name'] = $version['product_name']
            $file['product_version'] = $version['product_version']
        }
        [void]$files.Add($file)
    }
    return @{ 'files' = $files }
}

function Get-IvnReadFile([string]$path, $names, [byte[]]$key) {
    if (-not [IO.File]::Exists((Get-IvnDiskPath $path))) {
        return @{ 'path' = $path; 'exists' = $false }
    }
    $bytes = Read-IvnFile $path
    $file = @{ 'path' = $path; 'exists' = $true; 'size' = $bytes.Length; 'sha256' = (Get-IvnHash $bytes) }
    Hide-IvnSecrets $bytes $names $key
    $file['content'] = $bytes
    return $file
}

function Invoke-IvnReadFiles($step) {
    $key = ConvertFrom-IvnBase64 $step['redact_key']
    $files = New-Object System.Collections.ArrayList
    $wanted = Get-IvnObjectList $step 'files'
    foreach ($each in $wanted) {
        [void](Get-IvnText $each 'path')
        [void](Get-IvnTextList $each 'redact')
    }
    foreach ($each in $wanted) {
        [void]$files.Add((Get-IvnReadFile $each['path'] $each['redact'] $key))
    }
    return @{ 'files' = $files }
}

function Invoke-IvnServices($step) {
    $pattern = Get-IvnText $step 'path_pattern'
    try {
        $matcher = New-Object regex($pattern, [Text.RegularExpressions.RegexOptions]'IgnoreCase, CultureInvariant')
    } catch {
        Stop-IvnArguments
    }
    $sorted = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    $started = Get-IvnStartTable
    foreach ($service in (Get-IvnServiceTable)) {
        if ($matcher.IsMatch($service['path'])) {
            $sorted[$service['name']] = Get-IvnServiceRow $service $started
        }
    }
    return @{ 'services' = $sorted.get_Values() }
}

function Get-IvnServiceRow($service, $started) {
    $row = @{ 'started_at' = ''; 'product_name' = ''; 'product_version' = '' }
    foreach ($name in 'name', 'display_name', 'state', 'start_mode', 'path', 'process_id') {
        $row[$name] = $service[$name]
    }
    if ($service['process_id'] -ne 0) {
        $row['started_at'] = [string]$started[[string]$service['process_id']]
    }
    $found = [regex]::Match($service['path'], '(?s)^(?:"([^"]*)"|(.*?\.[Ee][Xx][Ee])(?![^ ]))')
    $program = $service['path']
    if ($found.Success) {
        $program = $found.Groups[1].Value + $found.Groups[2].Value
    }
    try {
        $diskPath = Get-IvnDiskPath $program
    } catch {
        return $row
    }
    if ([IO.File]::Exists($diskPath)) {
        $version = Get-IvnVersionTable $diskPath
        $row['product_name'] = $version['product_name']
        $row['product_version'] = $version['product_version']
    }
    return $row
}

function Get-IvnRunning($step) {
    $names = Get-IvnTextList $step 'names'
    $table = Get-IvnProcessTable
    $running = New-Object System.Collections.ArrayList
    foreach ($name in $names) {
        foreach ($process in $table) {
            if ([string]::Equals($process, $name, [StringComparison]::OrdinalIgnoreCase)) {
                [void]$running.Add($name)
                break
            }
        }
    }
    return ,$running
}

function Invoke-IvnRequireNotRunning($step) {
    $running = Get-IvnRunning $step
    if ($running.Count -gt 0) {
        Stop-Ivn 'busy' ('a program that must not run is running: ' + $running[0])
    }
    return @{}
}

function Invoke-IvnProcesses($step) {
    return @{ 'running' = (Get-IvnRunning $step) }
}

function Add-IvnBelow([string]$folder, [string]$diskFolder, [int]$depth, $found) {
    # what is below a folder, by path; a folder that is too deep or closed stands for itself. No link is followed.
    try {
        $entries = (New-Object IO.DirectoryInfo($diskFolder)).GetFileSystemInfos()
    } catch {
        $found[$folder] = @{ 'path' = $folder; 'disk' = $diskFolder; 'unread' = $true }
        return
    }
    foreach ($entry in $entries) {
        $path = $folder.TrimEnd([char[]]'\') + '\' + $entry.Name
        $kind = [int]$entry.Attributes
        if (-not ($kind -band 16)) {
            $found[$path] = @{ 'path' = $path; 'disk' = $entry.FullName; 'unread' = $false; 'size' = $entry.Length }
        } elseif ($kind -band 1024) {
            continue
        } elseif ($depth -gt 0) {
            Add-IvnBelow $path $entry.FullName ($depth - 1) $found
        } else {
            $found[$path] = @{ 'path' = $path; 'disk' = $entry.FullName; 'unread' = $true }
        }
    }
}

function Get-IvnBackupSource($paths, $folders) {
    # the files named, then what is below the folders; a file stands there once
    $sources = New-Object System.Collections.ArrayList
    $named = New-Object System.Collections.Hashtable([StringComparer]::OrdinalIgnoreCase)
    foreach ($path in $paths) {
        $disk = Get-IvnDiskPath $path
        (Open-IvnDiskFile $disk $path).Close()
        $size = (New-Object IO.FileInfo($disk)).Length
        [void]$sources.Add(@{ 'path' = $path; 'disk' = $disk; 'unread' = $false; 'named' = $true; 'size' = $size })
        $named[$disk] = $true
    }
    $found = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    foreach ($folder in $folders) {
        $disk = Get-IvnDiskPath $folder
        if (-not [IO.Directory]::Exists($disk)) {
            Stop-Ivn 'missing' 'the folder does not exist' $folder
        }
        Add-IvnBelow $folder $disk 4 $found
    }
    foreach ($file in $found.get_Values()) {
        if (-not $named.ContainsKey($file['disk'])) {
            $file['named'] = $false
            [void]$sources.Add($file)
        }
    }
    return ,$sources
}

function Assert-IvnBackupSize($sources, [string]$folder) {
    $count = 0
    $size = [long]0
    foreach ($source in $sources) {
        if (-not $source['unread']) {
            $count++
            $size += $source['size']
        }
    }
    if ($count -gt 2000 -or $size -gt 512 * 1024 * 1024) {
        Stop-Ivn 'too_large' 'the backup is larger than 2000 files or 512 MiB' $folder
    }
}

function Save-IvnFile($source, [string]$diskFolder, [int]$number) {
    # a row of the manifest, or $null for a file below a folder that cannot be read
    $stored = $number.ToString('0000') + '-' + $source['path'].Substring($source['path'].LastIndexOf('\') + 1)
    $to = [IO.Path]::Combine($diskFolder, $stored)
    try {
        $digest = Copy-IvnFile $source['disk'] $source['path'] $to
    } catch {
        if ($source['named'] -or -not $_.Exception.Data.Contains('ivn_code')) {
            throw $_.Exception
        }
        Remove-IvnFile $to
        return $null
    }
    return @{ 'named' = $source['named']; 'path' = $source['path']; 'sha256' = $digest; 'stored' = $stored }
}

function Save-IvnFiles($sources, [string]$diskFolder) {
    $files = New-Object System.Collections.ArrayList
    $skipped = New-Object System.Collections.ArrayList
    New-IvnBackupFolder $diskFolder
    foreach ($source in $sources) {
        $row = $null
        if (-not $source['unread']) {
            $row = Save-IvnFile $source $diskFolder ($files.Count + 1)
        }
        if ($null -eq $row) {
            [void]$skipped.Add($source['path'])
        } else {
            [void]$files.Add($row)
        }
    }
    $manifest = [IO.File]::Open([IO.Path]::Combine($diskFolder, 'manifest.json'), [IO.FileMode]::CreateNew)
    Write-IvnJson $manifest @{ 'files' = $files; 'skipped' = $skipped; 'protocol' = 1 }
    return @{ 'files' = $files; 'skipped' = $skipped }
}

function Invoke-IvnBackup($step) {
    # everything that can be known beforehand comes first, so that a refused backup leaves nothing behind
    $folder = Get-IvnText $step 'to'
    $paths = Get-IvnTextList $step 'paths'
    $folders = New-Object System.Collections.ArrayList
    if ($step.ContainsKey('folders')) {
        $folders = Get-IvnTextList $step 'folders'
    }
    $diskFolder = Get-IvnDiskPath $folder
    if ([IO.Directory]::Exists($diskFolder) -or [IO.File]::Exists($diskFolder)) {
        Stop-Ivn 'exists' 'the backup folder exists already' $folder
    }
    $sources = Get-IvnBackupSource $paths $folders
    Assert-IvnBackupSize $sources $folder
    try {
        $answer = Save-IvnFiles $sources $diskFolder
    } catch {
        if ($_.Exception.Data.Contains('ivn_code')) {
            throw $_.Exception
        }
        Stop-Ivn 'io' 'the file could not be written' $folder
    }
    $answer['to'] = $folder
    return $answer
}

function Get-IvnManifest([string]$from) {
    [void](Get-IvnDiskPath $from)
    $path = $from + '\manifest.json'
    if (-not [IO.File]::Exists((Get-IvnDiskPath $path))) {
        Stop-Ivn 'missing' 'the backup does not exist or is not complete' $from
    }
    $bytes = Read-IvnFile $path
    try {
        $rows = Get-IvnObjectList (ConvertFrom-IvnJson ([Text.Encoding]::ASCII.GetString($bytes))) 'files'
        foreach ($row in $rows) {
            [void](Get-IvnText $row 'path')
            [void](Get-IvnText $row 'sha256')
            [void](Get-IvnText $row 'stored')
            if ($row['named'] -isnot [bool]) {
                Stop-IvnArguments
            }
        }
    } catch {
        Stop-Ivn 'damaged' 'the backup is damaged' $from
    }
    return ,$rows
}

function Get-IvnKept([string]$from, $row) {
    $path = $row['path']
    try {
        $stored = $from + '\' + $row['stored']
        $kept = @{ 'path' = $path; 'disk' = (Get-IvnDiskPath $path); 'stored' = $stored; 'sha256' = $row['sha256'] }
        $digest = Get-IvnDiskHash (Get-IvnDiskPath $stored) $stored
    } catch {
        Stop-Ivn 'damaged' 'the backup is damaged' $path
    }
    if (-not [string]::Equals($digest, $row['sha256'])) {
        Stop-Ivn 'damaged' 'the backup is damaged' $path
    }
    return $kept
}

function Restore-IvnFile($kept) {
    # whether there was something to put back
    $disk = $kept['disk']
    $there = [IO.File]::Exists($disk)
    if ($there -and [string]::Equals((Get-IvnDiskHash $disk $kept['path']), $kept['sha256'])) {
        return $false
    }
    try {
        [void](Copy-IvnFile (Get-IvnDiskPath $kept['stored']) $kept['stored'] ($disk + '.ivn-new'))
        if ($there) {
            Move-IvnFileInPlace ($disk + '.ivn-new') $disk ($disk + '.ivn-old')
            Remove-IvnFile ($disk + '.ivn-old')
        } else {
            [IO.File]::Move($disk + '.ivn-new', $disk)
        }
    } catch {
        Remove-IvnFile ($disk + '.ivn-new')
        Stop-Ivn 'io' 'the file could not be written' $kept['path']
    }
    return $true
}

function Invoke-IvnRestore($step) {
    # every copy is checked before the first file is put back; one that fails does not keep the others from it
    $from = Get-IvnText $step 'from'
    $everything = $false
    if ($step.ContainsKey('everything')) {
        $everything = $step['everything']
    }
    if ($everything -isnot [bool]) {
        Stop-IvnArguments
    }
    $wanted = New-Object System.Collections.ArrayList
    foreach ($row in (Get-IvnManifest $from)) {
        if ($everything -or $row['named']) {
            [void]$wanted.Add((Get-IvnKept $from $row))
        }
    }
    $files = New-Object System.Collections.ArrayList
    $failure = $null
    foreach ($kept in $wanted) {
        try {
            [void]$files.Add(@{ 'path' = $kept['path']; 'restored' = (Restore-IvnFile $kept) })
        } catch {
            if ($null -eq $failure) {
                $failure = $_.Exception
            }
        }
    }
    if ($null -ne $failure) {
        throw $failure
    }
    return @{ 'from' = $from; 'files' = $files }
}

function Invoke-IvnSnapshot($step) {
    $folders = Get-IvnTextList $step 'folders'
    $most = [Math]::Max(0, [Math]::Min((Get-IvnWholeNumber $step 'max_files'), 10000))
    $missing = New-Object System.Collections.ArrayList
    $found = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    foreach ($folder in $folders) {
        [void](Get-IvnDiskPath $folder)
    }
    foreach ($folder in $folders) {
        $disk = Get-IvnDiskPath $folder
        if ([IO.Directory]::Exists($disk)) {
            Add-IvnBelow $folder $disk 8 $found
        } else {
            [void]$missing.Add($folder)
        }
    }
    $files = New-Object System.Collections.ArrayList
    $truncated = $false
    foreach ($file in $found.get_Values()) {
        if ($file['unread'] -or $files.Count -ge $most) {
            $truncated = $true
        } else {
            [void]$files.Add((Get-IvnSnapshotRow $file))
        }
    }
    return @{ 'files' = $files; 'missing' = $missing; 'truncated' = $truncated }
}

function Get-IvnSnapshotRow($file) {
    $row = @{ 'path' = $file['path']; 'size' = $file['size']; 'sha256' = '' }
    if ($file['size'] -le $LargestFile) {
        try {
            $row['sha256'] = Get-IvnDiskHash $file['disk'] $file['path']
        } catch {
            $row['sha256'] = ''  # held by a program, or gone meanwhile
        }
    }
    return $row
}

function Get-IvnWanted($wanted) {
    # the shape of one file of the request; splices become @(offset, length, bytes)
    $splices = New-Object System.Collections.ArrayList
    foreach ($splice in (Get-IvnList $wanted 'splices' ([System.Collections.ArrayList]))) {
        if ($splice.Count -ne 3 -or $splice[0] -isnot [long] -or $splice[1] -isnot [long]) {
            Stop-IvnArguments
        }
        [void]$splices.Add(@($splice[0], $splice[1], (ConvertFrom-IvnBase64 $splice[2])))
    }
    $announced = ''
    if ($wanted.ContainsKey('result_sha256')) {
        # optional: a client that reads redacted files cannot know it
        $announced = Get-IvnText $wanted 'result_sha256'
    }
    return @{
        'path' = Get-IvnText $wanted 'path'
        'base_sha256' = Get-IvnText $wanted 'base_sha256'
        'result_sha256' = $announced
        'splices' = $splices
    }
}

function Assert-IvnSplices($plan, [long]$size) {
    $end = [long]0
    foreach ($splice in $plan['splices']) {
        if ($splice[0] -lt $end -or $splice[1] -lt 0 -or $splice[1] -gt $size - $splice[0]) {
            Stop-Ivn 'bad_request' 'splices must be ascending and inside the file' $plan['path']
        }
        $end = $splice[0] + $splice[1]
    }
}

function Merge-IvnSplices([byte[]]$base, $splices) {
    $result = New-Object IO.MemoryStream
    $at = 0
    foreach ($splice in $splices) {
        $result.Write($base, $at, [int]$splice[0] - $at)
        $result.Write($splice[2], 0, $splice[2].Length)
        $at = [int]($splice[0] + $splice[1])
    }
    $result.Write($base, $at, $base.Length - $at)
    return ,$result.ToArray()
}

function Add-IvnBase($plan) {
    $base = Read-IvnFile $plan['path']
    if (-not [string]::Equals((Get-IvnHash $base), $plan['base_sha256'])) {
        Stop-Ivn 'conflict' 'the file changed since it was read' $plan['path']
    }
    $plan['base'] = $base
}

function Add-IvnResult($plan) {
    Assert-IvnSplices $plan $plan['base'].Length
    $result = Merge-IvnSplices $plan['base'] $plan['splices']
    $plan['sha256'] = Get-IvnHash $result
    $announced = $plan['result_sha256']
    if ($announced.Length -gt 0 -and -not [string]::Equals($plan['sha256'], $announced)) {
        Stop-Ivn 'bad_request' 'the result is not the one that was announced' $plan['path']
    }
    $plan['bytes'] = $result
    $plan['disk'] = Get-IvnDiskPath $plan['path']
}

function Remove-IvnFile([string]$diskPath) {
    # only ever a file of our own naming; one that an antivirus still holds is overwritten the next time
    try {
        [IO.File]::Delete($diskPath)
    } catch [Exception] {
        return
    }
}

function Undo-IvnWrites($replaced) {
    for ($at = $replaced.Count - 1; $at -ge 0; $at--) {
        $disk = $replaced[$at]
        Move-IvnFileInPlace ($disk + '.ivn-old') $disk ($disk + '.ivn-new')
        Remove-IvnFile ($disk + '.ivn-new')
    }
}

function Set-IvnFiles($plans) {
    $replaced = New-Object System.Collections.ArrayList
    foreach ($plan in $plans) {
        $disk = $plan['disk']
        try {
            Write-IvnFile ($disk + '.ivn-new') $plan['bytes']
            Move-IvnFileInPlace ($disk + '.ivn-new') $disk ($disk + '.ivn-old')
        } catch {
            Remove-IvnFile ($disk + '.ivn-new')
            Undo-IvnWrites $replaced
            Stop-Ivn 'io' 'the file could not be written' $plan['path']
        }
        [void]$replaced.Add($disk)
    }
    foreach ($disk in $replaced) {
        Remove-IvnFile ($disk + '.ivn-old')
    }
}

function Set-IvnWholeFile([string]$path, [byte[]]$bytes) {
    # in one step; the file is made where there is none
    $disk = Get-IvnDiskPath $path
    try {
        Write-IvnFile ($disk + '.ivn-new') $bytes
        if ([IO.File]::Exists($disk)) {
            Move-IvnFileInPlace ($disk + '.ivn-new') $disk ($disk + '.ivn-old')
            Remove-IvnFile ($disk + '.ivn-old')
        } else {
            [IO.File]::Move($disk + '.ivn-new', $disk)
        }
    } catch {
        Remove-IvnFile ($disk + '.ivn-new')
        Stop-Ivn 'io' 'the file could not be written' $path
    }
}

function Save-IvnRecord([string]$folder, $plans) {
    # what is about to be written, for a revert to know it again
    if (-not [IO.Directory]::Exists((Get-IvnDiskPath $folder))) {
        Stop-Ivn 'missing' 'the folder does not exist' $folder
    }
    $known = New-Object System.Collections.Hashtable([StringComparer]::Ordinal)
    foreach ($plan in $plans) {
        $known[$plan['path']] = $plan['sha256']
    }
    Set-IvnWholeFile ($folder + '\written.json') (ConvertTo-IvnJsonBytes $known)
}

function Invoke-IvnWriteFiles($step) {
    $plans = New-Object System.Collections.ArrayList
    $files = New-Object System.Collections.ArrayList
    foreach ($wanted in (Get-IvnObjectList $step 'files')) {
        [void]$plans.Add((Get-IvnWanted $wanted))
    }
    if ($step.ContainsKey('record')) {
        [void](Get-IvnDiskPath (Get-IvnText $step 'record'))
    }
    foreach ($plan in $plans) {
        Add-IvnBase $plan
    }
    foreach ($plan in $plans) {
        Add-IvnResult $plan
        [void]$files.Add(@{ 'path' = $plan['path']; 'sha256' = $plan['sha256']; 'size' = $plan['bytes'].Length })
    }
    if ($step.ContainsKey('record')) {
        Save-IvnRecord $step['record'] $plans
    }
    Set-IvnFiles $plans
    foreach ($plan in $plans) {
        $IvnRun['written'][$plan['disk']] = $plan['sha256']
    }
    return @{ 'files' = $files }
}

function Invoke-IvnRequireUnchanged($step) {
    $wanted = Get-IvnObjectList $step 'files'
    foreach ($each in $wanted) {
        [void](Get-IvnText $each 'path')
        [void](Get-IvnText $each 'sha256')
    }
    foreach ($each in $wanted) {
        $disk = Get-IvnDiskPath $each['path']
        $known = $each['sha256']
        $since = 'read'
        if ($known -ceq 'written') {
            $known = [string]$IvnRun['written'][$disk]
            $since = 'written'
        }
        if ($known.Length -eq 0) {
            Stop-Ivn 'bad_request' 'no step of this request wrote the file' $each['path']
        }
        if (-not [string]::Equals((Get-IvnDiskHash $disk $each['path']), $known)) {
            Stop-Ivn 'conflict' ('the file changed since it was ' + $since) $each['path']
        }
    }
    return @{}
}

function Get-IvnServiceNamed([string]$name) {
    foreach ($service in (Get-IvnServiceTable)) {
        if ([string]::Equals($service['name'], $name, [StringComparison]::OrdinalIgnoreCase)) {
            return $service
        }
    }
    Stop-Ivn 'missing' ('no such service: ' + $name)
}

function Invoke-IvnServiceControl($step) {
    $action = Get-IvnText $step 'action'
    $names = Get-IvnTextList $step 'names'
    $seconds = Get-IvnWholeNumber $step 'timeout_seconds'
    if ([Array]::IndexOf(@('start', 'stop'), $action) -lt 0) {
        Stop-IvnArguments
    }
    $seconds = [Math]::Max(0, [Math]::Min($seconds, 86400))
    $state = 'Running'
    if ($action -ceq 'stop') {
        $state = 'Stopped'
    }
    $services = New-Object System.Collections.ArrayList
    foreach ($name in $names) {
        $service = Get-IvnServiceNamed $name
        if ($service['state'] -cne $state -and -not (Set-IvnServiceState $service['name'] $state $seconds)) {
            Stop-Ivn 'timeout' ('the service did not reach the state in time: ' + $name)
        }
        [void]$services.Add(@{ 'name' = $name; 'state' = $state })
    }
    return @{ 'services' = $services }
}


# ---- verbs about Windows itself ------------------------------------------------------------------------

# the far end of a listener has no port; the word between is in the language of the machine
$ListenerRow = New-Object regex('^\s*(TCP|UDP)\s+(\S+):(\d{1,5})\s+(?:\S+:0|\*:\*)\s+(?:\S.*\s)?(\d{1,9})\s*\z')

function Get-IvnListenerRow($row, $programs) {
    $id = [int]$row.Groups[4].Value
    $program = ''
    if ($programs.ContainsKey([string]$id)) {
        $program = $programs[[string]$id]
    }
    return @{
        'protocol' = $row.Groups[1].Value.ToLowerInvariant()
        'address' = $row.Groups[2].Value.Trim([char[]]'[]')
        'port' = [int]$row.Groups[3].Value
        'process_id' = $id
        'program' = $program
    }
}

function Invoke-IvnListening($step) {
    $programs = Get-IvnProgramTable
    $sorted = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    foreach ($line in (Get-IvnNetstat).Split([char[]]"`r`n", [StringSplitOptions]::RemoveEmptyEntries)) {
        $match = $ListenerRow.Match($line)
        if ($match.Success) {
            $row = Get-IvnListenerRow $match $programs
            $place = $row['protocol'] + ' ' + $row['port'].ToString('00000') + ' ' + $row['address']
            $sorted[$place + ' ' + $row['process_id'].ToString('000000000')] = $row
        }
    }
    return @{ 'ports' = $sorted.get_Values() }
}

function Get-IvnPortsAsked($step) {
    $asked = Get-IvnObjectList $step 'ports'
    foreach ($each in $asked) {
        [void](Get-IvnProtocolNumber $each)
        [void](Get-IvnPort $each)
    }
    return ,$asked
}

function Get-IvnProtocolNumber($step) {
    $protocol = Get-IvnText $step 'protocol'
    if ($protocol -ceq 'tcp') {
        return 6
    }
    if ($protocol -ceq 'udp') {
        return 17
    }
    Stop-IvnArguments
}

function Get-IvnPort($step) {
    $port = Get-IvnWholeNumber $step 'port'
    if ($port -lt 1 -or $port -gt 65535) {
        Stop-IvnArguments
    }
    return $port
}

function Test-IvnPortCovered([string]$ports, [long]$port) {
    # "80", "80,443", "2000-2010", "*"; words such as RPC are no fixed port
    if ($ports -ceq '' -or $ports -ceq '*') {
        return $true
    }
    foreach ($part in $ports.Split([char[]]',')) {
        $range = [regex]::Match($part, '^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*\z')
        if ($range.Success) {
            $first = [long]$range.Groups[1].Value
            $last = $first
            if ($range.Groups[2].Success) {
                $last = [long]$range.Groups[2].Value
            }
            if ($port -ge $first -and $port -le $last) {
                return $true
            }
        }
    }
    return $false
}

function Test-IvnRuleAsked($rule, $asked) {
    if ($rule['name'].StartsWith('ivn-provision ', [StringComparison]::OrdinalIgnoreCase)) {
        return $true
    }
    foreach ($each in $asked) {
        $same = $rule['protocol'] -eq 256 -or $rule['protocol'] -eq (Get-IvnProtocolNumber $each)
        if ($same -and (Test-IvnPortCovered $rule['local_ports'] $each['port'])) {
            return $true
        }
    }
    return $false
}

function Get-IvnProfileNames([int]$mask) {
    $names = New-Object System.Collections.ArrayList
    foreach ($each in @(@(1, 'domain'), @(2, 'private'), @(4, 'public'))) {
        if ($mask -band $each[0]) {
            [void]$names.Add($each[1])
        }
    }
    return ,$names
}

function Get-IvnRuleRow($rule) {
    $protocols = @{ '6' = 'tcp'; '17' = 'udp'; '256' = 'any' }
    $actions = @{ 'True' = 'allow'; 'False' = 'block' }
    $ports = $rule['local_ports']
    if ($ports -ceq '') {
        $ports = '*'
    }
    $protocol = $protocols[[string]$rule['protocol']]
    if ($null -eq $protocol) {
        $protocol = 'other'
    }
    return @{
        'name' = $rule['name']
        'protocol' = $protocol
        'port' = $ports
        'enabled' = $rule['enabled']
        'action' = $actions[[string]$rule['allow']]
        'profiles' = (Get-IvnProfileNames $rule['profiles'])
        'program' = $rule['program']
        'service' = $rule['service']
        'remote' = $rule['remote']
    }
}

function Invoke-IvnFirewall($step) {
    $asked = Get-IvnPortsAsked $step
    try {
        $state = Get-IvnFirewallState
        $table = Get-IvnFirewallTable
    } catch {
        Stop-Ivn 'unavailable' 'the Windows firewall does not answer'
    }
    $sorted = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    foreach ($rule in $table) {
        if (Test-IvnRuleAsked $rule $asked) {
            # the number keeps rules of one name apart, in the order of the firewall
            $sorted[$rule['name'] + [char]0 + $sorted.Count.ToString('00000')] = Get-IvnRuleRow $rule
        }
    }
    $profiles = New-Object System.Collections.ArrayList
    $active = Get-IvnProfileNames $state['active']
    $enabled = Get-IvnProfileNames $state['enabled']
    foreach ($name in 'domain', 'private', 'public') {
        [void]$profiles.Add(@{ 'name' = $name; 'enabled' = $enabled.Contains($name); 'active' = $active.Contains($name) })
    }
    return @{ 'profiles' = $profiles; 'overridden' = $state['overridden']; 'rules' = $sorted.get_Values() }
}

function Get-IvnFlag($step, [string]$name) {
    # optional, and then true
    if (-not $step.ContainsKey($name)) {
        return $true
    }
    if ($step[$name] -isnot [bool]) {
        Stop-IvnArguments
    }
    return $step[$name]
}

function Get-IvnOwnRule($step) {
    # only ever a rule of our own naming
    $name = Get-IvnText $step 'name'
    if ($name -cnotmatch '^ivn-provision [A-Za-z0-9][A-Za-z0-9 ._-]{0,79}\z') {
        Stop-IvnArguments
    }
    return @{
        'name' = $name
        'protocol' = (Get-IvnProtocolNumber $step)
        'local_ports' = [string](Get-IvnPort $step)
        'enabled' = (Get-IvnFlag $step 'enabled')
        'allow' = (Get-IvnFlag $step 'allow')
    }
}

function Invoke-IvnFirewallRule($step) {
    $action = Get-IvnText $step 'action'
    $wanted = Get-IvnOwnRule $step
    if ([Array]::IndexOf(@('add', 'remove'), $action) -lt 0) {
        Stop-IvnArguments
    }
    try {
        foreach ($rule in (Get-IvnFirewallTable)) {
            if ([string]::Equals($rule['name'], $wanted['name'], [StringComparison]::OrdinalIgnoreCase)) {
                Remove-IvnFirewallRule $wanted['name']
            }
        }
        if ($action -ceq 'add') {
            Add-IvnFirewallRule $wanted
        }
    } catch {
        Stop-Ivn 'refused' ('Windows refused to change the firewall rule: ' + $wanted['name'])
    }
    return @{ 'name' = $wanted['name']; 'present' = ($action -ceq 'add') }
}

function Invoke-IvnServiceConfig($step) {
    $name = Get-IvnText $step 'name'
    $mode = Get-IvnText $step 'start_mode'
    $words = @{ 'Auto' = 'Automatic'; 'Manual' = 'Manual'; 'Disabled' = 'Disabled' }
    if ([Array]::IndexOf(@('Auto', 'Manual', 'Disabled'), $mode) -lt 0) {
        Stop-IvnArguments
    }
    $service = Get-IvnServiceNamed $name
    if (-not [string]::Equals($service['start_mode'], $mode) -and -not (Set-IvnStartMode $service['name'] $words[$mode])) {
        Stop-Ivn 'refused' ('Windows refused to change the start mode of the service: ' + $name)
    }
    return @{ 'name' = $name; 'start_mode' = $mode }
}

function Invoke-IvnWindows($step) {
    $time = Get-IvnTimeTable
    $servers = New-Object System.Collections.ArrayList
    foreach ($server in [regex]::Split($time['servers'], '[ \t]+')) {
        # host,flags
        $name = $server.Split([char[]]',')[0]
        if ($name -cne '') {
            [void]$servers.Add($name)
        }
    }
    $sorted = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    foreach ($disk in (Get-IvnDiskTable)) {
        $sorted[$disk['drive']] = $disk
    }
    return @{
        'dotnet' = (Get-IvnDotNetTable)
        'time_type' = $time['type']
        'time_servers' = $servers
        'time_service' = $time['state']
        'disks' = $sorted.get_Values()
    }
}


function Get-IvnRunningProcess([string]$name, [string]$otherwise) {
    $service = Get-IvnServiceNamed $name
    if ($service['state'] -cne 'Running') {
        Stop-Ivn 'check_failed' ($otherwise + ': ' + $name)
    }
    return $service['process_id']
}

function Invoke-IvnRequireRunning($step) {
    $names = Get-IvnTextList $step 'names'
    $seconds = [Math]::Max(0, [Math]::Min((Get-IvnWholeNumber $step 'stable_seconds'), 3600))
    $before = New-Object System.Collections.ArrayList
    foreach ($name in $names) {
        [void]$before.Add((Get-IvnRunningProcess $name 'the service is not running'))
    }
    Wait-Ivn ($seconds * 1000)
    for ($at = 0; $at -lt $names.Count; $at++) {
        if ((Get-IvnRunningProcess $names[$at] 'the service did not stay running') -ne $before[$at]) {
            Stop-Ivn 'check_failed' ('the service did not stay running: ' + $names[$at])
        }
    }
    return @{}
}


# ---- verbs on logs -----------------------------------------------------------------------------------

function New-IvnMatcher([string]$pattern, [Text.RegularExpressions.RegexOptions]$options) {
    try {
        return (New-Object regex($pattern, $options))
    } catch {
        Stop-IvnArguments
    }
}

function Get-IvnLogs([string]$diskFolder, $matcher) {
    $sorted = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    if ([IO.Directory]::Exists($diskFolder)) {
        foreach ($file in (New-Object IO.DirectoryInfo($diskFolder)).GetFiles()) {
            if ($matcher.IsMatch($file.Name)) {
                $sorted[$file.Name] = $file
            }
        }
    }
    return ,$sorted.get_Values()
}

function Get-IvnLogsAsked($step) {
    $folder = Get-IvnText $step 'folder'
    $pattern = Get-IvnText $step 'pattern'
    $matcher = New-IvnMatcher $pattern 'IgnoreCase, CultureInvariant'
    return @{ 'folder' = $folder; 'pattern' = $pattern; 'matcher' = $matcher }
}

function Invoke-IvnMarkLogs($step) {
    $asked = Get-IvnLogsAsked $step
    $disk = Get-IvnDiskPath $asked['folder']
    $sizes = New-Object System.Collections.Hashtable([StringComparer]::Ordinal)
    foreach ($file in (Get-IvnLogs $disk $asked['matcher'])) {
        $sizes[$file.Name] = $file.Length
    }
    $IvnRun['marks'][$disk + [char]0 + $asked['pattern']] = $sizes
    return @{ 'files' = $sizes.Count }
}

function Read-IvnPiece($stream, [long]$start, [long]$count) {
    $bytes = New-Object byte[] ([int]$count)
    [void]$stream.Seek($start, [IO.SeekOrigin]::Begin)
    $at = 0
    do {
        $got = $stream.Read($bytes, $at, $bytes.Length - $at)
        $at += $got
    } while ($got -gt 0)
    return ,$bytes
}

function Get-IvnAddedText($file, [string]$path, [long]$marked, [long]$most) {
    # what was added since the mark, as @(bytes, text); a log that is shorter than it was began anew
    $stream = Open-IvnDiskFile $file.FullName $path
    try {
        $start = [long]0
        if ($marked -le $stream.Length) {
            $start = $marked
        }
        $encoding = [Text.Encoding]::UTF8
        $mark = Read-IvnPiece $stream 0 ([Math]::Min(2, $stream.Length))
        if ($mark.Length -eq 2 -and $mark[0] -eq 0xFF -and $mark[1] -eq 0xFE) {
            $encoding = [Text.Encoding]::Unicode
            $start -= $start % 2
        }
        if ($start -eq $stream.Length) {
            return $null
        }
        $bytes = Read-IvnPiece $stream $start ([Math]::Min($most, $stream.Length - $start))
        return @{ 'bytes' = $bytes.Length; 'text' = $encoding.GetString($bytes) }
    } finally {
        $stream.Close()
    }
}

function Assert-IvnCleanLog([string]$text, $errors, [string]$path) {
    foreach ($line in [regex]::Split($text, '[\r\n]+')) {
        if ($errors.IsMatch($line.Substring(0, [Math]::Min(4096, $line.Length)))) {
            $shown = Hide-IvnLogSecret $line
            $shown = $shown.Substring(0, [Math]::Min(200, $shown.Length))
            Stop-Ivn 'check_failed' ('the log says: ' + $shown) $path
        }
    }
}

function Hide-IvnLogSecret([string]$line) {
    $line = [regex]::Replace($line, '(://)[^/@ \t]*@', '$1***@')
    $word = '(?:[Pp][Aa][Ss][Ss](?:[Ww][Oo][Rr])?[Dd]|[Pp][Aa][Ss][Ss][Pp][Hh][Rr][Aa][Ss][Ee]|[Pp][Ww][Dd]' +
        '|[Ss][Ee][Cc][Rr][Ee][Tt]|[Tt][Oo][Kk][Ee][Nn])'
    $before = '(' + $word + '[^ \t=:>]{0,20}[ \t]*[=:>][ \t]*|[Aa]uthorization:[ \t]*[A-Za-z]+[ \t]+)'
    return [regex]::Replace($line, $before + '(?:"[^"]*"?[^ \t]*|''[^'']*''?[^ \t]*|[^ \t]+)', '$1***')
}

function Invoke-IvnRequireCleanLogs($step) {
    $asked = Get-IvnLogsAsked $step
    $errors = New-IvnMatcher (Get-IvnText $step 'error_pattern') 'CultureInvariant'
    $disk = Get-IvnDiskPath $asked['folder']
    $sizes = $IvnRun['marks'][$disk + [char]0 + $asked['pattern']]
    if ($null -eq $sizes) {
        Stop-Ivn 'bad_request' 'the logs were not marked' $asked['folder']
    }
    $files = New-Object System.Collections.ArrayList
    $left = [long]4 * 1024 * 1024
    foreach ($file in (Get-IvnLogs $disk $asked['matcher'])) {
        $path = $asked['folder'].TrimEnd([char[]]'\') + '\' + $file.Name
        $added = Get-IvnAddedText $file $path ([long]$sizes[$file.Name]) $left
        if ($null -ne $added) {
            Assert-IvnCleanLog $added['text'] $errors $path
            [void]$files.Add(@{ 'path' = $path; 'bytes' = $added['bytes'] })
            $left -= $added['bytes']
        }
    }
    return @{ 'files' = $files }
}


# ---- verbs that ask a web server of this machine -----------------------------------------------------

function Get-IvnHttpHeaders($step) {
    $headers = $step['headers']
    if ($headers -isnot [System.Collections.Hashtable]) {
        Stop-IvnArguments
    }
    foreach ($name in $headers.get_Keys()) {
        $known = $name.ToLowerInvariant() -cmatch '^(?:accept|content-type|soapaction|user-agent|x-[a-z0-9-]{1,40})\z'
        if (-not $known -or (Get-IvnText $headers $name) -cnotmatch '^[ -~]*\z') {
            Stop-IvnArguments
        }
    }
    return $headers
}

function Get-IvnHttpAsked($step) {
    $asked = @{ 'headers' = (Get-IvnHttpHeaders $step); 'body' = (ConvertFrom-IvnBase64 $step['body']) }
    foreach ($name in 'method', 'path', 'username', 'password') {
        $asked[$name] = Get-IvnText $step $name
    }
    foreach ($name in 'port', 'timeout_seconds', 'max_bytes') {
        $asked[$name] = Get-IvnWholeNumber $step $name
    }
    $plain = $asked['path'] -cmatch '^/[A-Za-z0-9._~/?&=%+,:;@!$()*-]*\z' -and -not $asked['username'].Contains(':')
    if (-not $plain -or [Array]::IndexOf(@('GET', 'POST'), $asked['method']) -lt 0) {
        Stop-IvnArguments
    }
    foreach ($range in @(@('port', 1, 65535), @('timeout_seconds', 1, 600), @('max_bytes', 0, $LargestFile))) {
        if ($asked[$range[0]] -lt $range[1] -or $asked[$range[0]] -gt $range[2]) {
            Stop-IvnArguments
        }
    }
    return $asked
}

function New-IvnHttpRequest($asked, [int]$milliseconds) {
    # to this machine only; no proxy, no redirect, credentials without being asked for them
    $request = [Net.WebRequest]::Create('http://127.0.0.1:' + [string]$asked['port'] + $asked['path'])
    $request.Method = $asked['method']
    $request.Proxy = $null
    $request.AllowAutoRedirect = $false
    $request.KeepAlive = $false
    $request.ServicePoint.Expect100Continue = $false
    $request.Timeout = $milliseconds
    $request.ReadWriteTimeout = $milliseconds
    foreach ($name in $asked['headers'].get_Keys()) {
        $value = $asked['headers'][$name]
        switch ($name) {
            'Accept' { $request.Accept = $value }
            'Content-Type' { $request.ContentType = $value }
            'User-Agent' { $request.UserAgent = $value }
            default { $request.Headers.Set($name, $value) }
        }
    }
    if ($asked['username'] -cne '') {
        $pair = [Text.Encoding]::UTF8.GetBytes($asked['username'] + ':' + $asked['password'])
        $request.Headers.Set('Authorization', 'Basic ' + [Convert]::ToBase64String($pair))
    }
    return $request
}

function Get-IvnHttpResponse($asked, [int]$milliseconds) {
    try {
        $request = New-IvnHttpRequest $asked $milliseconds
        if ($asked['body'].Length -gt 0) {
            $out = $request.GetRequestStream()
            $out.Write($asked['body'], 0, $asked['body'].Length)
            $out.Close()
        }
        return $request.GetResponse()
    } catch {
        $failure = $_.Exception
        while ($null -ne $failure -and $failure -isnot [Net.WebException]) {
            $failure = $failure.InnerException
        }
        if ($null -ne $failure -and $null -ne $failure.Response) {
            return $failure.Response  # a status of 400 or more
        }
        if ($null -ne $failure -and [string]$failure.Status -ceq 'Timeout') {
            Stop-Ivn 'timeout' ('no HTTP answer in time at port ' + [string]$asked['port'])
        }
        Stop-Ivn 'unreachable' ('no HTTP answer at port ' + [string]$asked['port'])
    }
}

function Read-IvnHttpBody($response, $asked, [DateTime]$deadline) {
    $body = New-Object IO.MemoryStream
    $piece = New-Object byte[] 65536
    try {
        $stream = $response.GetResponseStream()
        while (($count = $stream.Read($piece, 0, $piece.Length)) -gt 0) {
            $body.Write($piece, 0, $count)
            if ($body.Length -gt $asked['max_bytes'] -or [DateTime]::UtcNow -gt $deadline) {
                break
            }
        }
    } catch {
        Stop-Ivn 'unreachable' ('no HTTP answer at port ' + [string]$asked['port'])
    } finally {
        $response.Close()
    }
    if ($body.Length -gt $asked['max_bytes']) {
        Stop-Ivn 'too_large' ('the answer is larger than ' + [string]$asked['max_bytes'] + ' bytes')
    }
    if ($count -gt 0) {
        Stop-Ivn 'timeout' ('no HTTP answer in time at port ' + [string]$asked['port'])
    }
    return ,$body.ToArray()
}

function Send-IvnHttp($asked, [DateTime]$deadline) {
    $left = [int][Math]::Max(1000, ($deadline - [DateTime]::UtcNow).TotalMilliseconds)
    $deadline = [DateTime]::UtcNow.AddMilliseconds($left)
    $response = Get-IvnHttpResponse $asked $left
    $answer = @{ 'status' = [int]$response.StatusCode; 'content_type' = [string]$response.Headers['Content-Type'] }
    $answer['body'] = Read-IvnHttpBody $response $asked $deadline
    return $answer
}

function Invoke-IvnHttp($step) {
    $asked = Get-IvnHttpAsked $step
    return (Send-IvnHttp $asked ([DateTime]::UtcNow.AddSeconds($asked['timeout_seconds'])))
}

function Assert-IvnHttp($answer, [long]$status, $contains) {
    if ($answer['status'] -ne $status) {
        Stop-Ivn 'check_failed' ('the status is ' + [string]$answer['status'] + ', not ' + [string]$status)
    }
    $text = [Text.Encoding]::UTF8.GetString($answer['body'])
    foreach ($each in $contains) {
        if ($text.IndexOf($each, [StringComparison]::Ordinal) -lt 0) {
            Stop-Ivn 'check_failed' ('the answer lacks: ' + $each)
        }
    }
}

function Invoke-IvnRequireHttp($step) {
    # again and again until it is as wanted or the time is over: a server listens some time after its service runs
    $asked = Get-IvnHttpAsked $step
    $status = Get-IvnWholeNumber $step 'status'
    $contains = Get-IvnTextList $step 'contains'
    $deadline = [DateTime]::UtcNow.AddSeconds($asked['timeout_seconds'])
    while ($true) {
        try {
            Assert-IvnHttp (Send-IvnHttp $asked $deadline) $status $contains
            return @{ 'status' = $status }
        } catch {
            if ([DateTime]::UtcNow -ge $deadline) {
                throw $_.Exception
            }
        }
        Wait-Ivn 500
    }
}


# ---- the lease: who may write to this machine, until when ----------------------------------------------

function Get-IvnTimeText([long]$seconds) {
    # so many seconds from now, UTC
    $time = Get-IvnUtcNow
    return $time.AddSeconds($seconds).ToString('yyyy-MM-ddTHH:mm:ssZ', [Globalization.CultureInfo]::InvariantCulture)
}

function Test-IvnName($value) {
    return ($value -is [string] -and $value -cmatch '^[A-Za-z0-9._-]{1,120}\z')
}

function Get-IvnName($step, [string]$name) {
    if (-not (Test-IvnName $step[$name])) {
        Stop-IvnArguments
    }
    return $step[$name]
}

function Read-IvnJson([string]$path) {
    # the object in a file of our own, $null when something else is in it
    $text = [Text.Encoding]::GetEncoding(28591).GetString((Read-IvnFile $path))
    if ($text -cmatch '[^\x00-\x7f]') {
        return $null
    }
    try {
        return (ConvertFrom-IvnJson $text)
    } catch {
        return $null
    }
}

function Get-IvnLease {
    $state = @{ 'held' = $null; 'damaged' = $false }
    if (-not [IO.File]::Exists((Get-IvnDiskPath $LeaseFile))) {
        return $state
    }
    $found = Read-IvnJson $LeaseFile
    $state['damaged'] = $true
    if ($null -eq $found) {
        return $state
    }
    $forms = @{
        'expires_at' = '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\z'
        'owner' = '^[ -~]{1,120}\z'
        'run' = '^[A-Za-z0-9._-]{1,120}\z'
    }
    $held = @{}
    foreach ($name in $forms.get_Keys()) {
        if ($found[$name] -isnot [string] -or $found[$name] -cnotmatch $forms[$name]) {
            return $state
        }
        $held[$name] = $found[$name]
    }
    # one that ends later than any may was taken by a clock that was wrong
    $held['expired'] = ([string]::CompareOrdinal($held['expires_at'], (Get-IvnTimeText 0)) -le 0 -or
        [string]::CompareOrdinal($held['expires_at'], (Get-IvnTimeText (7 * 86400 + 3600))) -gt 0)
    return @{ 'held' = $held; 'damaged' = $false }
}

function Invoke-IvnLease($step) {
    $state = Get-IvnLease
    return @{ 'lease' = $state['held']; 'damaged' = $state['damaged'] }
}

function Invoke-IvnTakeLease($step) {
    # free, over, damaged or our own; else refused
    $owner = Get-IvnText $step 'owner'
    $run = Get-IvnName $step 'run'
    $seconds = Get-IvnWholeNumber $step 'seconds'
    if ($owner -cnotmatch '^[ -~]{1,120}\z' -or $seconds -lt 1 -or $seconds -gt 7 * 86400) {
        Stop-IvnArguments
    }
    $held = (Get-IvnLease)['held']
    if ($null -ne $held -and -not $held['expired'] -and -not [string]::Equals($held['run'], $run)) {
        $who = 'held by ' + $held['owner'] + ', run ' + $held['run'] + ', until ' + $held['expires_at']
        Stop-Ivn 'leased' $who $LeaseFile
    }
    $taken = @{ 'owner' = $owner; 'run' = $run; 'expires_at' = (Get-IvnTimeText $seconds) }
    Set-IvnWholeFile $LeaseFile (ConvertTo-IvnJsonBytes $taken)
    $taken['expired'] = $false
    return @{ 'lease' = $taken }
}

function Remove-IvnLease([string]$run) {
    # whether the run had it
    $held = (Get-IvnLease)['held']
    if ($null -eq $held -or -not [string]::Equals($held['run'], $run)) {
        return $false
    }
    try {
        [IO.File]::Delete((Get-IvnDiskPath $LeaseFile))
    } catch {
        Stop-Ivn 'io' 'the file could not be written' $LeaseFile
    }
    return $true
}

function Invoke-IvnDropLease($step) {
    return @{ 'dropped' = (Remove-IvnLease (Get-IvnName $step 'run')) }
}


# ---- reverts: what undoes a run's writes later, asked for or by a scheduled task -----------------------

function Get-IvnAlso($step) {
    # the steps that a revert takes besides; their values are plain
    $also = Get-IvnObjectList $step 'also'
    foreach ($each in $also) {
        if ([Array]::IndexOf(@('firewall_rule', 'service_config', 'service_control'), $each['verb']) -lt 0) {
            Stop-IvnArguments
        }
        foreach ($name in $each.get_Keys()) {
            $value = $each[$name]
            if ($value -is [System.Collections.ArrayList]) {
                [void](Get-IvnTextList $each $name)
            } elseif ($value -isnot [string] -and $value -isnot [long] -and $value -isnot [bool]) {
                Stop-IvnArguments
            }
        }
    }
    return ,$also
}

function Get-IvnRevert([string]$name) {
    # $null for a folder that holds none
    try {
        $kept = Read-IvnJson ($RevertFolder + '\' + $name + '\revert.json')
        foreach ($each in 'from', 'state', 'due_at', 'detail') {
            [void](Get-IvnText $kept $each)
        }
        [void](Get-IvnTextList $kept 'stop')
        [void](Get-IvnTextList $kept 'start')
        [void](Get-IvnAlso $kept)
        [void](Get-IvnName $kept 'run')
        $number = Get-IvnWholeNumber $kept 'number'
        if ($number -lt 1 -or $number -gt 1000000000 -or -not [string]::Equals((Get-IvnName $kept 'id'), $name)) {
            return $null
        }
        return $kept
    } catch {
        return $null
    }
}

function Get-IvnReverts {
    # every revert that can be read, the oldest first
    $sorted = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    $disk = Get-IvnDiskPath $RevertFolder
    if ([IO.Directory]::Exists($disk)) {
        foreach ($folder in (New-Object IO.DirectoryInfo($disk)).GetDirectories()) {
            $kept = Get-IvnRevert $folder.Name
            if ($null -ne $kept) {
                $sorted[$kept['number'].ToString('0000000000') + ' ' + $kept['id']] = $kept
            }
        }
    }
    return ,(New-Object System.Collections.ArrayList(,$sorted.get_Values()))
}

function Get-IvnRevertRow($kept) {
    $row = @{}
    foreach ($name in 'id', 'run', 'state', 'due_at', 'detail') {
        $row[$name] = $kept[$name]
    }
    return $row
}

function Set-IvnRevert($kept) {
    $path = $RevertFolder + '\' + $kept['id'] + '\revert.json'
    Set-IvnWholeFile $path (ConvertTo-IvnJsonBytes $kept)
}

function Remove-IvnRevert([string]$name) {
    $folder = $RevertFolder + '\' + $name
    $disk = Get-IvnDiskPath $folder
    try {
        if ([IO.Directory]::Exists($disk)) {
            [IO.Directory]::Delete($disk, $true)
        }
    } catch {
        Stop-Ivn 'io' 'the file could not be written' $folder
    }
}

function Get-IvnOwnText {
    $text = $AgentText.TrimEnd()
    if (-not $text.EndsWith('Invoke-IvnRequest $RequestText') -or -not $text.Contains('param([string]$RequestText)')) {
        Stop-Ivn 'refused' 'this PowerShell does not tell the agent its own text'
    }
    return $AgentText
}

function Save-IvnRevert($kept, [string]$folder) {
    # the agent itself, what it will be asked, and the state last
    $text = Get-IvnOwnText
    $step = @{ 'verb' = 'revert'; 'run' = $kept['run']; 'by_task' = $true }
    $request = @{ 'protocol' = 1; 'marker' = 'SCHEDULEDREVERT0'; 'lock_seconds' = 600; 'steps' = @($step) }
    try {
        New-IvnRevertFolder (Get-IvnDiskPath $folder)
        Set-IvnWholeFile ($folder + '\agent.ps1') ([Text.Encoding]::UTF8.GetBytes($text))
        Set-IvnWholeFile ($folder + '\request.json') (ConvertTo-IvnJsonBytes $request)
        Set-IvnRevert $kept
    } catch {
        Remove-IvnRevert $kept['id']
        Stop-Ivn 'io' 'the file could not be written' $folder
    }
}

function Get-IvnTaskXml([string]$dueAt, [string]$diskFolder) {
    # once at that time, later if the machine was off then; and at a start of the machine after it, so that a
    # revert that the power cut off is done again. The loader is fixed but for the folder, the one of our naming.
    $loader = '$ErrorActionPreference=''Stop'';$d=''' + $diskFolder + ''';& ([ScriptBlock]::Create(' +
        '[IO.File]::ReadAllText([IO.Path]::Combine($d,''agent.ps1'')))) ' +
        '([IO.File]::ReadAllText([IO.Path]::Combine($d,''request.json'')))'
    $encoded = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($loader))
    $program = [IO.Path]::Combine([Environment]::SystemDirectory, 'WindowsPowerShell\v1.0\powershell.exe')
    $due = '<StartBoundary>' + $dueAt + '</StartBoundary>'
    return '<?xml version="1.0" encoding="UTF-16"?>' +
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">' +
        '<RegistrationInfo><Author>ivn-provision</Author><Description>Undoes a change that was not confirmed.' +
        '</Description></RegistrationInfo>' +
        '<Triggers><TimeTrigger>' + $due + '</TimeTrigger><BootTrigger>' + $due + '</BootTrigger></Triggers>' +
        '<Principals><Principal id="System"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel>' +
        '</Principal></Principals>' +
        '<Settings><MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>' +
        '<DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>' +
        '<StopIfGoingOnBatteries>false</StopIfGoingOnBatteries><StartWhenAvailable>true</StartWhenAvailable>' +
        '<ExecutionTimeLimit>PT2H</ExecutionTimeLimit></Settings>' +
        '<Actions Context="System"><Exec><Command>' + $program + '</Command><Arguments>' +
        '-NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand ' + $encoded +
        '</Arguments></Exec></Actions></Task>'
}

function Get-IvnNewRevert($step) {
    $seconds = Get-IvnWholeNumber $step 'after_seconds'
    if ($seconds -ne 0 -and ($seconds -lt 30 -or $seconds -gt 86400)) {
        Stop-IvnArguments
    }
    $kept = @{ 'state' = 'prepared'; 'due_at' = ''; 'detail' = ''; 'from' = (Get-IvnText $step 'from') }
    foreach ($name in 'id', 'run') {
        $kept[$name] = Get-IvnName $step $name
    }
    foreach ($name in 'stop', 'start') {
        $kept[$name] = Get-IvnTextList $step $name
    }
    $kept['also'] = Get-IvnAlso $step
    if ($kept['from'].Length -gt 0) {
        [void](Get-IvnDiskPath $kept['from'])
    }
    if ($seconds -ne 0) {
        $kept['state'] = 'armed'
        $kept['due_at'] = Get-IvnTimeText $seconds
    }
    return $kept
}

function Invoke-IvnArmRevert($step) {
    $kept = Get-IvnNewRevert $step
    $folder = $RevertFolder + '\' + $kept['id']
    $disk = Get-IvnDiskPath $folder
    if ([IO.Directory]::Exists($disk) -or [IO.File]::Exists($disk)) {
        Stop-Ivn 'exists' 'there is a revert of that id already' $folder
    }
    $kept['number'] = [long]1
    foreach ($other in (Get-IvnReverts)) {
        $kept['number'] = $other['number'] + 1
    }
    Save-IvnRevert $kept $folder
    if ($kept['state'] -ceq 'armed') {
        $task = $TaskName + $kept['id']
        try {
            New-IvnTask $task (Get-IvnTaskXml $kept['due_at'] $disk)
        } catch {
            Remove-IvnRevert $kept['id']
            Stop-Ivn 'refused' ('Windows refused to make the scheduled task: ' + $task)
        }
    }
    return (Get-IvnRevertRow $kept)
}

function Invoke-IvnReverts($step) {
    $sorted = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    foreach ($kept in (Get-IvnReverts)) {
        $sorted[$kept['id']] = Get-IvnRevertRow $kept
    }
    return @{ 'reverts' = $sorted.get_Values() }
}

function Get-IvnSaid($record) {
    $failure = ConvertTo-IvnError $record
    if ($failure.ContainsKey('path')) {
        return $failure['message'] + ': ' + $failure['path']
    }
    return $failure['message']
}

function Set-IvnRevertServices($kept, [string]$action, $troubles) {
    # each for itself
    foreach ($name in $kept[$action]) {
        $one = New-Object System.Collections.ArrayList
        [void]$one.Add($name)
        try {
            [void](Invoke-IvnServiceControl @{ 'action' = $action; 'names' = $one; 'timeout_seconds' = [long]60 })
        } catch {
            [void]$troubles.Add((Get-IvnSaid $_))
        }
    }
}

function Get-IvnWritten([string]$from) {
    # path -> sha256 of what a write of the run put there
    $written = New-Object System.Collections.Hashtable([StringComparer]::OrdinalIgnoreCase)
    if ([IO.File]::Exists((Get-IvnDiskPath ($from + '\written.json')))) {
        $found = Read-IvnJson ($from + '\written.json')
        if ($null -ne $found) {
            foreach ($path in $found.get_Keys()) {
                if ($found[$path] -is [string]) {
                    $written[$path] = $found[$path]
                }
            }
        }
    }
    return $written
}

function Compare-IvnBackup([string]$from) {
    # whether the files are those of the backup ('same'), what the run wrote ('written'), or the path of another
    $state = @{ 'same' = $true; 'other' = '' }
    if ($from.Length -eq 0) {
        return $state
    }
    $rows = Get-IvnManifest $from
    $written = Get-IvnWritten $from
    foreach ($row in $rows) {
        if (-not $row['named']) {
            continue
        }
        $disk = Get-IvnDiskPath $row['path']
        $now = ''
        if ([IO.File]::Exists($disk)) {
            $now = Get-IvnDiskHash $disk $row['path']
        }
        if (-not [string]::Equals($now, $row['sha256'])) {
            $state['same'] = $false
            $ours = [string]::Equals($now, $written[$row['path']])
            if (-not $ours -and $state['other'] -ceq '') {
                $state['other'] = $row['path']
            }
        }
    }
    return $state
}

function Restore-IvnRevert($kept, $troubles) {
    # the path of a file that somebody changed, '' if all could be put back: it may be saved while services stop.
    # A file is not put back below a service that did not stop: it might write it again
    Set-IvnRevertServices $kept 'stop' $troubles
    $files = Compare-IvnBackup $kept['from']
    if ($files['other'] -cne '') {
        return $files['other']
    }
    if ($troubles.Count -eq 0) {
        try {
            [void](Invoke-IvnRestore @{ 'from' = $kept['from'] })
        } catch {
            [void]$troubles.Add((Get-IvnSaid $_))
        }
    }
    return ''
}

function Invoke-IvnWayBack($kept) {
    # sets the state and the detail; whatever can be done is done
    $troubles = New-Object System.Collections.ArrayList
    try {
        $files = Compare-IvnBackup $kept['from']
        $other = $files['other']
        if ($other -ceq '' -and -not $files['same']) {
            $other = Restore-IvnRevert $kept $troubles
        }
        if ($other -cne '') {
            Set-IvnRevertServices $kept 'start' $troubles
            $kept['state'] = 'left'
            $kept['detail'] = 'somebody changed ' + $other
            return
        }
        foreach ($step in $kept['also']) {
            try {
                [void](Invoke-IvnVerb $step['verb'] $step)
            } catch {
                [void]$troubles.Add((Get-IvnSaid $_))
            }
        }
    } catch {
        [void]$troubles.Add((Get-IvnSaid $_))
    }
    Set-IvnRevertServices $kept 'start' $troubles
    $kept['state'] = 'reverted'
    $kept['detail'] = ''
    if ($troubles.Count -gt 0) {
        $kept['state'] = 'failed'
        $kept['detail'] = $troubles[0]
    }
}

function Invoke-IvnRevert($step) {
    # all that a run still has, the newest first
    $run = Get-IvnName $step 'run'
    $byTask = $step.ContainsKey('by_task')
    if ($byTask -and $step['by_task'] -isnot [bool]) {
        Stop-IvnArguments
    }
    $rows = New-Object System.Collections.ArrayList
    $all = Get-IvnReverts
    for ($at = $all.Count - 1; $at -ge 0; $at--) {
        $kept = $all[$at]
        $waits = [Array]::IndexOf(@('prepared', 'armed', 'failed'), $kept['state']) -ge 0
        if ($waits -and [string]::Equals($kept['run'], $run)) {
            Invoke-IvnWayBack $kept
            Set-IvnRevert $kept
            [void]$rows.Add((Get-IvnRevertRow $kept))
            try {
                # only now: a machine that goes off in the middle does it again when it is on
                Remove-IvnTask ($TaskName + $kept['id'])
            } catch {
                continue  # it finds nothing to do
            }
        }
    }
    if ($byTask -and $step['by_task']) {
        [void](Remove-IvnLease $run)
    }
    return @{ 'reverts' = $rows }
}

function Invoke-IvnDisarmRevert($step) {
    # what the run wrote stays, and so do its backups
    $run = Get-IvnName $step 'run'
    $unlessFired = $step.ContainsKey('unless_fired')
    if ($unlessFired -and $step['unless_fired'] -isnot [bool]) {
        Stop-IvnArguments
    }
    $unlessFired = $unlessFired -and $step['unless_fired']
    $sorted = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    foreach ($kept in (Get-IvnReverts)) {
        if ([string]::Equals($kept['run'], $run)) {
            $sorted[$kept['id']] = $kept
        }
    }
    foreach ($name in $sorted.get_Keys()) {
        $state = $sorted[$name]['state']
        if ($unlessFired -and [Array]::IndexOf(@('reverted', 'left', 'failed'), $state) -ge 0) {
            Stop-Ivn 'fired' ('the revert has fired: ' + $name + ' is ' + $state)
        }
    }
    foreach ($name in $sorted.get_Keys()) {
        try {
            Remove-IvnTask ($TaskName + $name)
        } catch {
            Stop-Ivn 'refused' ('Windows refused to remove the scheduled task: ' + $TaskName + $name)
        }
        Remove-IvnRevert $name
    }
    return @{ 'disarmed' = $sorted.get_Keys() }
}


# ---- one request that changes something at a time ----------------------------------------------------

$IvnMutating = @('backup', 'write_files', 'restore', 'service_control', 'service_config', 'firewall_rule',
    'take_lease', 'drop_lease', 'arm_revert', 'revert', 'disarm_revert')

function Test-IvnMutating($steps) {
    foreach ($step in $steps) {
        if ([Array]::IndexOf($IvnMutating, $step['verb']) -ge 0) {
            return $true
        }
        if ($step.ContainsKey('undo') -and (Test-IvnMutating $step['undo'])) {
            return $true
        }
    }
    return $false
}

function Open-IvnLock([string]$diskPath, [long]$seconds) {
    # nobody else can open the file while it is open here; Windows closes it when the process ends, however it ends
    $folder = [IO.Path]::GetDirectoryName($diskPath)
    if ([IO.Directory]::Exists($diskPath)) {
        Stop-Ivn 'io' 'the lock file could not be opened' $LockFile
    }
    $deadline = [DateTime]::UtcNow.AddSeconds($seconds)
    for ($try = 0; $try -lt 5 -or [DateTime]::UtcNow -lt $deadline; $try++) {
        try {
            if (-not [IO.Directory]::Exists($folder)) {
                New-IvnBackupFolder $folder
            }
            return [IO.File]::Open($diskPath, [IO.FileMode]::OpenOrCreate, [IO.FileAccess]::ReadWrite, [IO.FileShare]::None)
        } catch {
            if ($_.Exception.GetBaseException() -isnot [IO.IOException]) {
                Stop-Ivn 'io' 'the lock file could not be opened' $LockFile
            }
        }
        Start-Sleep -Milliseconds 100
    }
    Stop-Ivn 'locked_by_agent' 'another run of the agent is at work'
}

function Test-IvnLockFree([string]$diskPath) {
    if (-not [IO.File]::Exists($diskPath)) {
        return $true
    }
    try {
        [IO.File]::Open($diskPath, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::Read).Close()
    } catch {
        return $false
    }
    return $true
}

function Invoke-IvnWaitIdle($step) {
    $seconds = [Math]::Max(0, [Math]::Min((Get-IvnWholeNumber $step 'timeout_seconds'), 3600))
    $deadline = [DateTime]::UtcNow.AddSeconds($seconds)
    $diskPath = Get-IvnDiskPath $LockFile
    while ($null -eq $IvnRun['lock'] -and -not (Test-IvnLockFree $diskPath)) {
        if ([DateTime]::UtcNow -ge $deadline) {
            return @{ 'idle' = $false }
        }
        Start-Sleep -Milliseconds 250
    }
    return @{ 'idle' = $true }
}

function Enter-IvnLock($steps, $always, [long]$seconds) {
    if (-not (Test-IvnMutating $steps) -and -not (Test-IvnMutating $always)) {
        return
    }
    try {
        $IvnRun['lock'] = Open-IvnLock (Get-IvnDiskPath $LockFile) $seconds
    } catch {
        $IvnRun['barred'] = ConvertTo-IvnError $_
    }
}

function Exit-IvnLock {
    if ($null -ne $IvnRun['lock']) {
        $IvnRun['lock'].Close()
    }
}


# ---- the run -----------------------------------------------------------------------------------------

$IvnVerbs = @('facts', 'file_versions', 'read_files', 'services', 'require_not_running', 'processes', 'backup',
    'write_files', 'service_control', 'wait_idle', 'restore', 'require_unchanged', 'require_running', 'mark_logs',
    'require_clean_logs', 'snapshot', 'http', 'require_http',
    'listening', 'firewall', 'firewall_rule', 'service_config', 'windows',
    'lease', 'take_lease', 'drop_lease', 'arm_revert', 'reverts', 'revert', 'disarm_revert')

function Invoke-IvnVerb([string]$verb, $step) {
    if ([Array]::IndexOf($IvnVerbs, $verb) -lt 0) {
        Stop-Ivn 'bad_request' 'unknown verb'
    }
    switch -CaseSensitive ($verb) {
        'facts' { return (Invoke-IvnFacts $step) }
        'file_versions' { return (Invoke-IvnFileVersions $step) }
        'read_files' { return (Invoke-IvnReadFiles $step) }
        'services' { return (Invoke-IvnServices $step) }
        'require_not_running' { return (Invoke-IvnRequireNotRunning $step) }
        'processes' { return (Invoke-IvnProcesses $step) }
        'backup' { return (Invoke-IvnBackup $step) }
        'write_files' { return (Invoke-IvnWriteFiles $step) }
        'service_control' { return (Invoke-IvnServiceControl $step) }
        'wait_idle' { return (Invoke-IvnWaitIdle $step) }
        'restore' { return (Invoke-IvnRestore $step) }
        'require_unchanged' { return (Invoke-IvnRequireUnchanged $step) }
        'require_running' { return (Invoke-IvnRequireRunning $step) }
        'mark_logs' { return (Invoke-IvnMarkLogs $step) }
        'require_clean_logs' { return (Invoke-IvnRequireCleanLogs $step) }
        'snapshot' { return (Invoke-IvnSnapshot $step) }
        'http' { return (Invoke-IvnHttp $step) }
        'require_http' { return (Invoke-IvnRequireHttp $step) }
        'listening' { return (Invoke-IvnListening $step) }
        'firewall' { return (Invoke-IvnFirewall $step) }
        'firewall_rule' { return (Invoke-IvnFirewallRule $step) }
        'service_config' { return (Invoke-IvnServiceConfig $step) }
        'windows' { return (Invoke-IvnWindows $step) }
        'lease' { return (Invoke-IvnLease $step) }
        'take_lease' { return (Invoke-IvnTakeLease $step) }
        'drop_lease' { return (Invoke-IvnDropLease $step) }
        'arm_revert' { return (Invoke-IvnArmRevert $step) }
        'reverts' { return (Invoke-IvnReverts $step) }
        'revert' { return (Invoke-IvnRevert $step) }
        'disarm_revert' { return (Invoke-IvnDisarmRevert $step) }
    }
}

function New-IvnSkip($step) {
    $failure = @{ 'code' = 'skipped'; 'message' = 'an earlier step failed' }
    return @{ 'verb' = [string]$step['verb']; 'ok' = $false; 'error' = $failure }
}

function Invoke-IvnStep($step) {
    $verb = [string]$step['verb']
    if ($null -ne $IvnRun['barred']) {
        return @{ 'verb' = $verb; 'ok' = $false; 'error' = $IvnRun['barred'] }
    }
    try {
        $result = Invoke-IvnVerb $verb $step
        $result['verb'] = $verb
        $result['ok'] = $true
        return $result
    } catch {
        return @{ 'verb' = $verb; 'ok' = $false; 'error' = (ConvertTo-IvnError $_) }
    }
}

function Invoke-IvnSteps($steps) {
    # the answers, and those of what is undone after a failure: the failed step's first, then backwards
    $entries = New-Object System.Collections.ArrayList
    $failed = -1
    for ($at = 0; $at -lt $steps.Count; $at++) {
        if ($failed -ge 0) {
            [void]$entries.Add((New-IvnSkip $steps[$at]))
            continue
        }
        $entry = Invoke-IvnStep $steps[$at]
        [void]$entries.Add($entry)
        if (-not $entry['ok']) {
            $failed = $at
        }
    }
    return @{ 'steps' = $entries; 'undone' = (Undo-IvnSteps $steps $failed) }
}

function Undo-IvnSteps($steps, [int]$failed) {
    $undone = New-Object System.Collections.ArrayList
    for ($at = $failed; $at -ge 0 -and $null -eq $IvnRun['barred']; $at--) {
        if ($steps[$at].ContainsKey('undo')) {
            foreach ($step in $steps[$at]['undo']) {
                [void]$undone.Add((Invoke-IvnStep $step))
            }
        }
    }
    return ,$undone
}

function Get-IvnMarker($request) {
    $marker = $request['marker']
    if ($marker -isnot [string] -or $marker -cnotmatch '^[A-Za-z0-9]{16,64}\z') {
        Stop-Ivn 'bad_request' 'the marker is missing or malformed'
    }
    return $marker
}

function Assert-IvnStep($step, [bool]$mayUndo) {
    if ($step -isnot [System.Collections.Hashtable] -or $step['verb'] -isnot [string]) {
        Stop-Ivn 'bad_request' 'each step must be an object with a verb'
    }
    if (-not $step.ContainsKey('undo')) {
        return
    }
    if (-not $mayUndo -or $step['undo'] -isnot [System.Collections.ArrayList]) {
        Stop-Ivn 'bad_request' 'undo must be a list, and belongs to steps only'
    }
    foreach ($each in $step['undo']) {
        Assert-IvnStep $each $false
    }
}

function Get-IvnSteps($request, [string]$name, [bool]$mayUndo) {
    if (-not $request.ContainsKey($name)) {
        return ,(New-Object System.Collections.ArrayList)
    }
    if ($request[$name] -isnot [System.Collections.ArrayList]) {
        Stop-Ivn 'bad_request' 'steps and always must be lists'
    }
    foreach ($step in $request[$name]) {
        Assert-IvnStep $step $mayUndo
    }
    return ,$request[$name]
}

function Assert-IvnProtocol($request) {
    if ($request['protocol'] -isnot [long] -or $request['protocol'] -ne 1) {
        Stop-Ivn 'bad_request' 'unknown protocol'
    }
}

function Get-IvnLockSeconds($request) {
    # how long to wait for the lock, beyond the half second
    $seconds = [long]0
    if ($request.ContainsKey('lock_seconds')) {
        $seconds = $request['lock_seconds']
    }
    if ($seconds -isnot [long] -or $seconds -lt 0 -or $seconds -gt 3600) {
        Stop-Ivn 'bad_request' 'lock_seconds must be a number from 0 to 3600'
    }
    return $seconds
}

function Send-IvnReply([string]$marker, $reply) {
    $packed = New-Object IO.MemoryStream
    $gzip = New-Object IO.Compression.GZipStream($packed, [IO.Compression.CompressionMode]::Compress, $true)
    $hasher = New-Object System.Security.Cryptography.SHA256Managed
    $hashing = New-Object System.Security.Cryptography.CryptoStream(
        $gzip, $hasher, [System.Security.Cryptography.CryptoStreamMode]::Write)
    Write-IvnJson $hashing $reply
    $bytes = $packed.ToArray()
    $length = [BitConverter]::ToUInt32($bytes, $bytes.Length - 4)  # gzip ends with the size of what went in (RFC 1952)
    $lines = [Convert]::ToBase64String($bytes, [Base64FormattingOptions]::InsertLineBreaks)
    [Console]::Out.WriteLine('IVN-BEGIN ' + $marker + ' ' + [string]$length + ' ' + (ConvertTo-IvnHex $hasher.Hash))
    [Console]::Out.WriteLine($lines)
    [Console]::Out.WriteLine('IVN-END ' + $marker)
    [Console]::Out.Flush()
}

function Invoke-IvnRequest([string]$text) {
    $marker = 'BADREQUESTBADREQUEST'
    $reply = @{ 'agent' = $AgentVersion; 'protocol' = 1; 'steps' = @(); 'undone' = @(); 'always' = @() }
    try {
        $request = ConvertFrom-IvnJson $text
        $marker = Get-IvnMarker $request
        Assert-IvnProtocol $request
        $steps = Get-IvnSteps $request 'steps' $true
        $seconds = Get-IvnLockSeconds $request
        $always = Get-IvnSteps $request 'always' $false
        Enter-IvnLock $steps $always $seconds
        $done = Invoke-IvnSteps $steps
        $reply['steps'] = $done['steps']
        $reply['undone'] = $done['undone']
        $last = New-Object System.Collections.ArrayList
        foreach ($step in $always) {
            [void]$last.Add((Invoke-IvnStep $step))
        }
        $reply['always'] = $last
    } catch {
        $reply['error'] = ConvertTo-IvnError $_
    }
    Send-IvnReply $marker $reply
    Exit-IvnLock
}


Invoke-IvnRequest $RequestText
