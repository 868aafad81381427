# ivn-provision agent 1.3.0
#
# Runs on the recorder: one JSON request in, one framed JSON reply out (docs/reference/agent-protocol.md).
# Written for Windows PowerShell 2.0 and .NET 2.0 (facts/winrm.md, part 7), plain ASCII. No text of the
# request is ever run: it is data for .NET calls only.
# -ceq compares as a language does and overlooks characters without weight, such as NUL: text of a request
# is compared by [string]::Equals and [Array]::IndexOf.
# Functions return dictionaries, or lists and byte arrays behind a comma: PowerShell would take those apart.

param([string]$RequestText)

$ErrorActionPreference = 'Stop'
$AgentVersion = '1.3.0'
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


# ---- lines: a TCP connection with one deadline, and failures in words that no system translates --------

$Latin = [Text.Encoding]::GetEncoding(28591)  # one character a byte

function Stop-IvnLine([string]$text) {
    $failure = New-Object Exception($text)
    $failure.Data['ivn_line'] = $text
    throw $failure
}

function Get-IvnLineFailure($record, [DateTime]$deadline) {
    # what went wrong; anything that is not about the line is thrown again
    $failure = $record.Exception
    $inner = $failure.GetBaseException()
    if ([string]$failure.Data['ivn_line'] -cne '') {
        return [string]$failure.Data['ivn_line']
    }
    if ($inner -isnot [IO.IOException] -and $inner -isnot [Net.Sockets.SocketException]) {
        throw $failure
    }
    if ([DateTime]::UtcNow -ge $deadline) {
        return 'no answer in time'
    }
    if ($inner -is [Net.Sockets.SocketException]) {
        switch ([string]$inner.SocketErrorCode) {
            'TimedOut' { return 'no answer in time' }
            'ConnectionRefused' { return 'connection refused' }
            'HostUnreachable' { return 'the host cannot be reached' }
            'NetworkUnreachable' { return 'the host cannot be reached' }
        }
    }
    return 'the server closed the line'
}

function Get-IvnLeft([DateTime]$deadline) {
    # milliseconds; there is always one, or the time is over
    $left = [int][Math]::Floor(($deadline - [DateTime]::UtcNow).TotalMilliseconds)
    if ($left -le 0) {
        Stop-IvnLine 'no answer in time'
    }
    return $left
}

function Find-IvnAddresses([string]$name, [DateTime]$deadline) {
    # of a host, IPv4 first
    $found = @()
    try {
        $asked = [Net.Dns]::BeginGetHostAddresses($name, $null, $null)
        $left = Get-IvnLeft $deadline
        if ($asked.AsyncWaitHandle.WaitOne($left, $false)) {
            $found = [Net.Dns]::EndGetHostAddresses($asked)
        }
    } catch {
        Stop-IvnLine 'the name is not known'
    }
    [void](Get-IvnLeft $deadline)
    $sorted = New-Object System.Collections.ArrayList
    foreach ($family in 'InterNetwork', 'InterNetworkV6') {
        foreach ($address in $found) {
            if ([string]$address.AddressFamily -ceq $family) {
                [void]$sorted.Add($address)
            }
        }
    }
    if ($sorted.Count -eq 0) {
        Stop-IvnLine 'the name is not known'
    }
    return ,$sorted
}

function Open-IvnLine($address, [int]$port, [DateTime]$deadline) {
    $client = New-Object Net.Sockets.TcpClient($address.AddressFamily)
    try {
        $asked = $client.BeginConnect($address, $port, $null, $null)
        $left = Get-IvnLeft $deadline
        if (-not $asked.AsyncWaitHandle.WaitOne($left, $false)) {
            Stop-IvnLine 'no answer in time'
        }
        $client.EndConnect($asked)
        $stream = $client.GetStream()
    } catch {
        $client.Close()
        throw $_.Exception
    }
    return @{
        'client' = $client
        'stream' = $stream
        'deadline' = $deadline
        'text' = ''
        'piece' = (New-Object byte[] 65536)
    }
}

function Close-IvnLine($line) {
    if ($null -ne $line) {
        $line['stream'].Close()
        $line['client'].Close()
    }
}

function Read-IvnLine($line, [int]$most) {
    # how many bytes came into the line's piece; none at its end is a failure
    $line['stream'].ReadTimeout = Get-IvnLeft $line['deadline']
    $count = $line['stream'].Read($line['piece'], 0, [Math]::Min($most, $line['piece'].Length))
    if ($count -eq 0) {
        Stop-IvnLine 'the server closed the line'
    }
    return $count
}

function Read-IvnLineText($line) {
    $count = Read-IvnLine $line $line['piece'].Length
    $line['text'] += $Latin.GetString($line['piece'], 0, $count)
}

function Write-IvnLine($line, [byte[]]$bytes) {
    $line['stream'].WriteTimeout = Get-IvnLeft $line['deadline']
    $line['stream'].Write($bytes, 0, $bytes.Length)
    $line['stream'].Flush()
}

function Get-IvnPlainText([string]$text, [int]$longest) {
    # printable ASCII
    $plain = [regex]::Replace($text, '[^ -~]', '?')
    return $plain.Substring(0, [Math]::Min($longest, $plain.Length))
}

function Get-IvnShortText($step, [string]$name, [int]$longest) {
    # optional; so many bytes at most, no NUL, no half of a surrogate pair
    if (-not $step.ContainsKey($name)) {
        return ''
    }
    $text = Get-IvnText $step $name
    $broken = $text -cmatch '\x00|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]'
    if ($broken -or [Text.Encoding]::UTF8.GetByteCount($text) -gt $longest) {
        Stop-IvnArguments
    }
    return $text
}

function Get-IvnWholeWithin($step, [string]$name, [long]$least, [long]$most) {
    $number = Get-IvnWholeNumber $step $name
    if ($number -lt $least -or $number -gt $most) {
        Stop-IvnArguments
    }
    return $number
}

function New-IvnHider($secrets) {
    # matches any of these texts; $null for none
    $parts = New-Object System.Collections.ArrayList
    foreach ($each in $secrets) {
        if ($each.Length -gt 0) {
            [void]$parts.Add([regex]::Escape($each))
        }
    }
    if ($parts.Count -eq 0) {
        return $null
    }
    return (New-Object regex([string]::Join('|', [string[]]$parts.ToArray())))
}


# ---- verb smtp: what the recorder would hear of a mail server, up to RCPT and never DATA -----------------

function Get-IvnSmtpAsked($step) {
    $asked = @{ 'trust_any' = $false }
    foreach ($name in 'host', 'security', 'sender') {
        $asked[$name] = Get-IvnText $step $name
    }
    $asked['port'] = Get-IvnWholeWithin $step 'port' 1 65535
    $asked['timeout_seconds'] = Get-IvnWholeWithin $step 'timeout_seconds' 1 60
    $asked['username'] = Get-IvnShortText $step 'username' 255
    $asked['password'] = Get-IvnShortText $step 'password' 255
    $asked['recipients'] = Get-IvnTextList $step 'recipients'
    if ($step.ContainsKey('trust_any')) {
        $asked['trust_any'] = Get-IvnFlag $step 'trust_any'
    }
    $sound = $asked['host'] -cmatch '^[A-Za-z0-9._:-]{1,253}\z' -and
        [Array]::IndexOf(@('none', 'starttls', 'tls'), $asked['security']) -ge 0 -and
        $asked['username'] -cmatch '^[^\x00- \x7f-\x9f<>]*\z' -and
        $asked['recipients'].Count -ge 1 -and $asked['recipients'].Count -le 10
    foreach ($address in @($asked['sender']) + $asked['recipients'].ToArray()) {
        $sound = $sound -and $address -cmatch '^[!-;=?-~]{1,254}\z'
    }
    if (-not $sound) {
        Stop-IvnArguments
    }
    return $asked
}

function Get-IvnSmtpPlain($asked) {
    # the whole of AUTH PLAIN (RFC 4616)
    $text = [string][char]0 + $asked['username'] + [string][char]0 + $asked['password']
    return [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($text))
}

function Get-IvnSmtpSecrets($asked) {
    # the login in every form that was sent or may come back
    $utf8 = [Text.Encoding]::UTF8
    $user = $asked['username']
    $secrets = New-Object System.Collections.ArrayList
    if ($user.Length -gt 0) {
        [void]$secrets.Add((Get-IvnSmtpPlain $asked))
    }
    foreach ($text in $asked['password'], $user) {
        [void]$secrets.Add([Convert]::ToBase64String($utf8.GetBytes($text)))
        [void]$secrets.Add($Latin.GetString($utf8.GetBytes($text)))
        [void]$secrets.Add($text)
    }
    return ,$secrets
}

function Get-IvnSmtpPlan($asked) {
    # the stages to come
    $plan = New-Object System.Collections.ArrayList
    [void]$plan.Add('connect')
    if ($asked['security'] -ceq 'tls') {
        [void]$plan.Add('tls')
    }
    [void]$plan.AddRange(@('banner', 'ehlo'))
    if ($asked['security'] -ceq 'starttls') {
        [void]$plan.AddRange(@('starttls', 'tls', 'ehlo'))
    }
    if ($asked['username'] -cne '') {
        [void]$plan.Add('auth')
    }
    [void]$plan.Add('mail')
    foreach ($recipient in $asked['recipients']) {
        [void]$plan.Add('rcpt')
    }
    [void]$plan.Add('quit')
    return ,$plan
}

function Read-IvnSmtpRow($line) {
    # one row without its end
    while (($end = $line['text'].IndexOf([char]10)) -lt 0) {
        if ($line['text'].Length -gt 2000) {
            Stop-IvnLine 'not an SMTP answer'
        }
        Read-IvnLineText $line
    }
    $row = $line['text'].Substring(0, $end).TrimEnd([char]13)
    $line['text'] = $line['text'].Substring($end + 1)
    if ($end -gt 2000) {
        Stop-IvnLine 'not an SMTP answer'
    }
    return $row
}

function Read-IvnSmtpAnswer($talk) {
    # a reply of one or more rows (RFC 5321, 4.2.1): its code, and the text of each row
    $code = ''
    $rows = New-Object System.Collections.ArrayList
    do {
        $found = [regex]::Match((Read-IvnSmtpRow $talk['line']), '^([2-5][0-9][0-9])(?:([ -])(.*))?\z')
        $other = $code -cne '' -and $found.Groups[1].Value -cne $code
        if (-not $found.Success -or $other -or $rows.Count -ge 100) {
            Stop-IvnLine 'not an SMTP answer'
        }
        $code = $found.Groups[1].Value
        [void]$rows.Add($found.Groups[3].Value)
    } while ($found.Groups[2].Value -ceq '-')
    $text = [string]::Join(' ', [string[]]$rows.ToArray())
    if ($null -ne $talk['hider']) {
        $text = $talk['hider'].Replace($text, '***')
    }
    return @{
        'ok' = ($code[0] -eq '2')
        'code' = [int]$code
        'text' = (Get-IvnPlainText $text 200)
        'rows' = $rows
    }
}

function Send-IvnSmtp($talk, [string]$command) {
    Write-IvnLine $talk['line'] ($Latin.GetBytes($command + "`r`n"))
    return (Read-IvnSmtpAnswer $talk)
}

function New-IvnSmtpResult([bool]$ok, [string]$text) {
    return @{ 'ok' = $ok; 'code' = 0; 'text' = $text }
}

function Connect-IvnSmtp($talk) {
    $asked = $talk['asked']
    $addresses = Find-IvnAddresses $asked['host'] $talk['deadline']
    for ($at = 0; $at -lt $addresses.Count; $at++) {
        try {
            $talk['line'] = Open-IvnLine $addresses[$at] $asked['port'] $talk['deadline']
            break
        } catch {
            if ($at -eq $addresses.Count - 1) {
                throw $_.Exception
            }
        }
    }
    $talk['address'] = $addresses[$at]
    $socket = $talk['line']['client'].Client
    $talk['local'] = $socket.LocalEndPoint.Address.ToString().Split('%')[0]
    return (New-IvnSmtpResult $true '')
}

function Get-IvnSmtpName($talk) {
    # an address literal (RFC 5321, 4.1.3): the machine's name may hold anything
    if ($talk['local'].Contains(':')) {
        return '[IPv6:' + $talk['local'] + ']'
    }
    return '[' + $talk['local'] + ']'
}

function Send-IvnSmtpHello($talk) {
    $answer = Send-IvnSmtp $talk ('EHLO ' + (Get-IvnSmtpName $talk))
    $words = New-Object System.Collections.SortedList([StringComparer]::Ordinal)
    for ($at = 1; $answer['ok'] -and $at -lt $answer['rows'].Count; $at++) {
        $found = [regex]::Match($answer['rows'][$at], '^([A-Za-z0-9][A-Za-z0-9-]{0,39})(?:[ =](.*))?\z')
        if ($found.Success) {
            $word = $found.Groups[1].Value.ToUpperInvariant()
            $words[$word] = [string]$words[$word] + ' ' + $found.Groups[2].Value + ' '
        }
    }
    $talk['words'] = $words
    return $answer
}

function Start-IvnSmtpTls($talk) {
    if (-not $talk['words'].ContainsKey('STARTTLS')) {
        return (New-IvnSmtpResult $false 'not offered')
    }
    $answer = Send-IvnSmtp $talk 'STARTTLS'
    if ($answer['ok'] -and $talk['line']['text'] -cne '') {
        Stop-IvnLine 'not an SMTP answer'  # what came behind it in clear text may be anybody's
    }
    return $answer
}

function Open-IvnTls($line, [string]$name, $seen, [int]$versions) {
    # every certificate passes: what is wrong with it is kept
    $judge = [Net.Security.RemoteCertificateValidationCallback]{
        $seen['errors'] = [int]$args[3]
        return $true
    }
    $protocols = [Enum]::ToObject([Security.Authentication.SslProtocols], $versions)
    $none = New-Object System.Security.Cryptography.X509Certificates.X509CertificateCollection
    $secure = New-Object Net.Security.SslStream($line['stream'], $true, $judge)
    $line['stream'].ReadTimeout = Get-IvnLeft $line['deadline']
    $line['stream'].WriteTimeout = Get-IvnLeft $line['deadline']
    $secure.AuthenticateAsClient($name, $none, $protocols, $false)
    return $secure
}

function Open-IvnTlsOfAnyFramework($line, [string]$name, $seen) {
    # TLS 1.0, 1.1 and 1.2 (192, 768, 3072); a .NET 2.0 without updates knows the first only and says so at once
    try {
        return (Open-IvnTls $line $name $seen 4032)
    } catch {
        if ($_.Exception.GetBaseException() -isnot [ArgumentException]) {
            throw $_.Exception
        }
    }
    return (Open-IvnTls $line $name $seen 192)
}

function Get-IvnCommonName($name) {
    # of a distinguished name, "" if it has none
    $flags = [System.Security.Cryptography.X509Certificates.X500DistinguishedNameFlags]'UseNewLines, DoNotUseQuotes'
    foreach ($row in $name.Decode($flags).Split([char]10)) {
        if ($row.StartsWith('CN=', [StringComparison]::Ordinal)) {
            $value = $row.Substring(3).TrimEnd([char]13)
            return (Get-IvnPlainText $value 200)
        }
    }
    return ''
}

function Enter-IvnSmtpTls($talk) {
    $line = $talk['line']
    $seen = @{ 'errors' = -1 }
    try {
        $secure = Open-IvnTlsOfAnyFramework $line $talk['asked']['host'] $seen
    } catch {
        if ([DateTime]::UtcNow -ge $talk['deadline']) {
            Stop-IvnLine 'no answer in time'
        }
        Stop-IvnLine 'the TLS handshake failed'
    }
    $line['stream'] = $secure
    $certificate = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2($secure.RemoteCertificate)
    $names = @{ '192' = 'TLSv1'; '768' = 'TLSv1.1'; '3072' = 'TLSv1.2' }
    $talk['tls'] = @{
        'protocol' = [string]$names[[string][int]$secure.SslProtocol]
        'subject' = (Get-IvnCommonName $certificate.SubjectName)
        'issuer' = (Get-IvnCommonName $certificate.IssuerName)
        'sha256' = (Get-IvnHash $certificate.RawData)
        'valid' = ($seen['errors'] -eq 0)
    }
    return (New-IvnSmtpResult $true '')
}

function Test-IvnOwnAddress($address) {
    # 127.0.0.0/8: what is sent there stays on this machine
    return ([string]$address.AddressFamily -ceq 'InterNetwork' -and $address.GetAddressBytes()[0] -eq 127)
}

function Send-IvnSmtpLogin($talk) {
    $asked = $talk['asked']
    if ($null -eq $talk['tls'] -and -not (Test-IvnOwnAddress $talk['address'])) {
        return (New-IvnSmtpResult $false 'not sent in clear text')
    }
    if ($null -ne $talk['tls'] -and -not $talk['tls']['valid'] -and -not $asked['trust_any']) {
        return (New-IvnSmtpResult $false 'the certificate is not trusted here')
    }
    $ways = [string]$talk['words']['AUTH']
    if ($ways -cmatch ' [Pp][Ll][Aa][Ii][Nn] ') {
        return (Send-IvnSmtp $talk ('AUTH PLAIN ' + (Get-IvnSmtpPlain $asked)))
    }
    if ($ways -cnotmatch ' [Ll][Oo][Gg][Ii][Nn] ') {
        return (New-IvnSmtpResult $false 'neither PLAIN nor LOGIN is offered')
    }
    $answer = Send-IvnSmtp $talk 'AUTH LOGIN'
    foreach ($text in $asked['username'], $asked['password']) {
        if ($answer['code'] -eq 334) {
            $answer = Send-IvnSmtp $talk ([Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($text)))
        }
    }
    return $answer
}

function Invoke-IvnSmtpStage($talk, [string]$stage) {
    $asked = $talk['asked']
    switch ($stage) {
        'connect' { return (Connect-IvnSmtp $talk) }
        'tls' { return (Enter-IvnSmtpTls $talk) }
        'banner' { return (Read-IvnSmtpAnswer $talk) }
        'ehlo' { return (Send-IvnSmtpHello $talk) }
        'starttls' { return (Start-IvnSmtpTls $talk) }
        'auth' { return (Send-IvnSmtpLogin $talk) }
        'mail' { return (Send-IvnSmtp $talk ('MAIL FROM:<' + $asked['sender'] + '>')) }
        'rcpt' {
            $recipient = $asked['recipients'][$talk['asked_for']]
            $talk['asked_for']++
            return (Send-IvnSmtp $talk ('RCPT TO:<' + $recipient + '>'))
        }
        'quit' { return (Send-IvnSmtp $talk 'QUIT') }
    }
}

function Close-IvnSmtp($talk) {
    # good manners after a failure; whatever is answered
    $soon = [DateTime]::UtcNow.AddSeconds(1)
    if ($talk['line']['deadline'] -gt $soon) {
        $talk['line']['deadline'] = $soon
    }
    try {
        [void](Send-IvnSmtp $talk 'QUIT')
    } catch {
        return
    }
}

function Invoke-IvnSmtpPlan($talk) {
    $stages = New-Object System.Collections.ArrayList
    foreach ($stage in (Get-IvnSmtpPlan $talk['asked'])) {
        try {
            $result = Invoke-IvnSmtpStage $talk $stage
        } catch {
            $result = New-IvnSmtpResult $false (Get-IvnLineFailure $_ $talk['deadline'])
        }
        [void]$stages.Add(@{ 'stage' = $stage; 'ok' = $result['ok']; 'code' = $result['code']; 'text' = $result['text'] })
        if (-not $result['ok']) {
            if ([Array]::IndexOf(@('connect', 'tls', 'quit'), $stage) -lt 0) {
                Close-IvnSmtp $talk
            }
            break
        }
    }
    return ,$stages
}

function Invoke-IvnSmtp($step) {
    $asked = Get-IvnSmtpAsked $step
    $talk = @{
        'asked' = $asked
        'deadline' = [DateTime]::UtcNow.AddSeconds($asked['timeout_seconds'])
        'hider' = (New-IvnHider (Get-IvnSmtpSecrets $asked))
        'line' = $null
        'address' = ''
        'local' = ''
        'tls' = $null
        'words' = (New-Object System.Collections.SortedList([StringComparer]::Ordinal))
        'asked_for' = 0
    }
    try {
        $stages = Invoke-IvnSmtpPlan $talk
    } finally {
        Close-IvnLine $talk['line']
    }
    return @{
        'stages' = $stages
        'extensions' = $talk['words'].get_Keys()
        'tls' = $talk['tls']
        'local_address' = $talk['local']
        'address' = $talk['address'].ToString().Split('%')[0]
    }
}


# ---- verb exchange: short dialogues with one port of this machine -------------------------------------

$ExchangeMost = 16 * 1024 * 1024
$ExchangeHead = 1024 * 1024
$ExchangeSeconds = 120  # of all connections of a verb together

function ConvertTo-IvnXmlText([string]$text) {
    # a reference for all but letters and digits: right in every code page (facts/xprotect-e.md, 7.2)
    return [regex]::Replace($text, '[\ud800-\udbff][\udc00-\udfff]|[^A-Za-z0-9]', {
        $found = $args[0].Value
        if ($found.Length -eq 2) {
            return '&#' + [string]([char]::ConvertToUtf32($found, 0)) + ';'
        }
        return '&#' + [string]([int]$found[0]) + ';'
    })
}

function Get-IvnSecretForms([string]$text) {
    # how a server may send it back: as it is, as XML, in UTF-8 or in a byte a character
    $forms = New-Object System.Collections.ArrayList
    [void]$forms.Add((ConvertTo-IvnXmlText $text))
    $few = $text.Replace('&', '&amp;').Replace('<', '&lt;').Replace('>', '&gt;')
    foreach ($form in $few.Replace('"', '&quot;').Replace("'", '&apos;'), $few.Replace('"', '&quot;'), $few, $text) {
        [void]$forms.Add($Latin.GetString([Text.Encoding]::UTF8.GetBytes($form)))
        [void]$forms.Add($form)
    }
    return ,$forms
}

function Get-IvnExchangeSecrets($step) {
    # the texts for {{name}}, and what hides them in heads and, from four characters on, in bodies
    $texts = New-Object System.Collections.Hashtable([StringComparer]::Ordinal)
    $given = New-Object System.Collections.Hashtable
    if ($step.ContainsKey('secrets')) {
        $given = $step['secrets']
    }
    if ($given -isnot [System.Collections.Hashtable] -or $given.get_Count() -gt 32) {
        Stop-IvnArguments
    }
    $heads = New-Object System.Collections.ArrayList
    $bodies = New-Object System.Collections.ArrayList
    $names = New-Object System.Collections.ArrayList(,$given.get_Keys())
    $names.Sort([StringComparer]::Ordinal)
    foreach ($name in $names) {
        if ($name -cnotmatch '^[A-Za-z0-9_]{1,40}\z') {
            Stop-IvnArguments
        }
        $text = Get-IvnShortText $given $name 1000
        $texts[$name] = ConvertTo-IvnXmlText $text
        foreach ($form in (Get-IvnSecretForms $text)) {
            [void]$heads.Add($form)
            if ($form.Length -ge 4) {
                [void]$bodies.Add($form)
            }
        }
    }
    return @{ 'texts' = $texts; 'heads' = (New-IvnHider $heads); 'bodies' = (New-IvnHider $bodies) }
}

function Hide-IvnBytes([string]$text, $hider) {
    # as bytes, each secret as so many stars: sizes stay
    if ($null -ne $hider) {
        $text = $hider.Replace($text, { '*' * $args[0].Length })
    }
    return ,$Latin.GetBytes($text)
}

function Get-IvnExchangeBytes($step, [string]$name) {
    # base64 of the step as text, one character a byte; optional
    $bytes = New-Object byte[] 0
    if ($step.ContainsKey($name)) {
        $bytes = ConvertFrom-IvnBase64 $step[$name]
    }
    if ($bytes.Length -gt 65536) {
        Stop-IvnArguments
    }
    return $Latin.GetString($bytes)
}

function Get-IvnExchangeStep($step, $secrets) {
    $asked = @{ 'keep_body' = (Get-IvnFlag $step 'keep_body'); 'then_extra' = [long]0 }
    if (-not $step.ContainsKey('send')) {
        Stop-IvnArguments
    }
    foreach ($name in 'send', 'until', 'skip_while') {
        $asked[$name] = Get-IvnExchangeBytes $step $name
    }
    $asked['then_header'] = Get-IvnShortText $step 'then_header' 64
    if ($asked['then_header'] -cnotmatch '^[A-Za-z0-9-]*\z') {
        Stop-IvnArguments
    }
    if ($step.ContainsKey('then_extra')) {
        $asked['then_extra'] = Get-IvnWholeWithin $step 'then_extra' 0 16
    }
    $asked['max_bytes'] = Get-IvnWholeWithin $step 'max_bytes' 0 $ExchangeMost
    $asked['send'] = [regex]::Replace($asked['send'], '\{\{([A-Za-z0-9_]{1,40})\}\}', {
        $name = $args[0].Groups[1].Value
        if ($secrets['texts'].ContainsKey($name)) {
            return $secrets['texts'][$name]
        }
        return $args[0].Value
    })
    return $asked
}

function Get-IvnSome($step, [string]$name, [Type]$type) {
    # a list of 1 to 64
    $list = Get-IvnList $step $name $type
    if ($list.Count -lt 1 -or $list.Count -gt 64) {
        Stop-IvnArguments
    }
    return ,$list
}

function Get-IvnExchangeConnections($step, $secrets) {
    $connections = New-Object System.Collections.ArrayList
    foreach ($rows in (Get-IvnSome $step 'connections' ([System.Collections.ArrayList]))) {
        $steps = New-Object System.Collections.ArrayList
        foreach ($row in (Get-IvnSome @{ 'steps' = $rows } 'steps' ([System.Collections.Hashtable]))) {
            [void]$steps.Add((Get-IvnExchangeStep $row $secrets))
        }
        [void]$connections.Add($steps)
    }
    return ,$connections
}

function Read-IvnMessage($line, $asked) {
    # up to and with the terminator
    $most = [Math]::Min($asked['max_bytes'], $ExchangeHead)
    $from = 0
    while (($at = $line['text'].IndexOf($asked['until'], $from, [StringComparison]::Ordinal)) -lt 0) {
        if ($line['text'].Length -gt $most) {
            Stop-IvnLine 'the answer is too large'
        }
        $from = [Math]::Max(0, $line['text'].Length - $asked['until'].Length + 1)
        Read-IvnLineText $line
    }
    $end = $at + $asked['until'].Length
    if ($end -gt $most) {
        Stop-IvnLine 'the answer is too large'
    }
    $message = $line['text'].Substring(0, $end)
    $line['text'] = $line['text'].Substring($end)
    return $message
}

function Read-IvnHead($line, $asked) {
    # the first message that is not to be skipped
    for ($skipped = 0; $skipped -le 20; $skipped++) {
        $message = Read-IvnMessage $line $asked
        $skip = $asked['skip_while']
        if ($skip -ceq '' -or -not $message.StartsWith($skip, [StringComparison]::Ordinal)) {
            return $message
        }
    }
    Stop-IvnLine 'too many messages were skipped'
}

function Get-IvnBodySize([string]$head, $asked) {
    # what the header says; -1 without one
    if ($asked['then_header'] -ceq '') {
        return [long]-1
    }
    $row = '(?:^|\n)' + $asked['then_header'] + '[ \t]*:[ \t]*([0-9]{1,18})[ \t]*(?=\r?\n|\z)'
    $found = [regex]::Match($head, $row, [Text.RegularExpressions.RegexOptions]'IgnoreCase, CultureInvariant')
    if (-not $found.Success) {
        return [long]-1
    }
    $size = [long]$found.Groups[1].Value
    if ($size -gt $asked['max_bytes']) {
        Stop-IvnLine 'the answer is too large'
    }
    return $size
}

function Read-IvnBody($line, [long]$size, [long]$extra) {
    $body = New-Object IO.MemoryStream
    $first = [int][Math]::Min($line['text'].Length, $size + $extra)
    $body.Write($Latin.GetBytes($line['text']), 0, $first)
    $line['text'] = $line['text'].Substring($first)
    while ($body.Length -lt $size + $extra) {
        $count = Read-IvnLine $line ([int]($size + $extra - $body.Length))
        $body.Write($line['piece'], 0, $count)
    }
    $body.SetLength($size)
    return ,$body.ToArray()
}

function Invoke-IvnExchangeStep($line, $asked, $secrets, $kept) {
    $head = ''
    $body = New-Object byte[] 0
    Write-IvnLine $line ($Latin.GetBytes($asked['send']))
    if ($asked['until'] -cne '') {
        $head = Read-IvnHead $line $asked
        $size = Get-IvnBodySize $head $asked
        if ($size -ge 0) {
            $body = Read-IvnBody $line $size $asked['then_extra']
        }
    }
    if ($null -ne $secrets['bodies']) {
        $body = Hide-IvnBytes ($Latin.GetString($body)) $secrets['bodies']
    }
    $reply = @{
        'head' = (Hide-IvnBytes $head $secrets['heads'])
        'body_size' = $body.Length
        'body_sha256' = (Get-IvnHash $body)
        'body' = ''
    }
    if ($asked['keep_body']) {
        $reply['body'] = $body
        $kept['bytes'] += $body.Length
    }
    $kept['bytes'] += $head.Length
    if ($kept['bytes'] -gt $ExchangeMost) {
        Stop-Ivn 'too_large' ('the answer is larger than ' + [string]$ExchangeMost + ' bytes')
    }
    return $reply
}

function Invoke-IvnExchangeConnection($port, $steps, $secrets, $kept, [DateTime]$deadline) {
    $outcome = @{ 'ok' = $true; 'error' = ''; 'replies' = (New-Object System.Collections.ArrayList) }
    $line = $null
    try {
        $line = Open-IvnLine ([Net.IPAddress]::Loopback) $port $deadline
        foreach ($asked in $steps) {
            [void]$outcome['replies'].Add((Invoke-IvnExchangeStep $line $asked $secrets $kept))
        }
    } catch {
        if ([string]$_.Exception.Data['ivn_code'] -cne '') {
            throw $_.Exception
        }
        $outcome['ok'] = $false
        $outcome['error'] = Get-IvnLineFailure $_ $deadline
    } finally {
        Close-IvnLine $line
    }
    return $outcome
}

function Get-IvnExchangeMatches($each, [long]$port, [long]$seconds) {
    # what group 1 of the pattern finds in a page of the same port, each once, in order
    if ($each -isnot [System.Collections.Hashtable]) {
        Stop-IvnArguments
    }
    $matcher = New-IvnMatcher (Get-IvnText $each 'pattern') 'CultureInvariant'
    if ($matcher.GetGroupNumbers().Length -lt 2) {
        Stop-IvnArguments
    }
    $answer = Invoke-IvnHttp @{ 'port' = $port; 'method' = 'GET'; 'path' = $each['path']; 'body' = ''
        'headers' = (New-Object System.Collections.Hashtable); 'username' = $each['username']
        'password' = $each['password']; 'timeout_seconds' = $seconds; 'max_bytes' = [long]4194304 }
    if ($answer['status'] -ne 200) {
        Stop-Ivn 'check_failed' ('the status is ' + [string]$answer['status'] + ', not 200')
    }
    $found = New-Object System.Collections.ArrayList
    foreach ($match in $matcher.Matches([Text.Encoding]::UTF8.GetString($answer['body']))) {
        if ($found.Count -lt 64 -and $found.IndexOf($match.Groups[1].Value) -lt 0) {
            [void]$found.Add($match.Groups[1].Value)
        }
    }
    return ,$found
}

function Get-IvnExchangeRows($step, $secrets, [long]$port, [long]$seconds) {
    # connections with what they are for: those of the step, or its only one for each match
    $rows = New-Object System.Collections.ArrayList
    if (-not $step.ContainsKey('for_each')) {
        foreach ($steps in (Get-IvnExchangeConnections $step $secrets)) {
            [void]$rows.Add(@{ 'steps' = $steps })
        }
        return ,$rows
    }
    if ((Get-IvnExchangeConnections $step $secrets).Count -ne 1) {
        Stop-IvnArguments
    }
    foreach ($match in (Get-IvnExchangeMatches $step['for_each'] $port $seconds)) {
        $secrets['texts']['match'] = ConvertTo-IvnXmlText $match
        $steps = (Get-IvnExchangeConnections $step $secrets)[0]
        [void]$rows.Add(@{ 'steps' = $steps; 'match' = $match })
    }
    return ,$rows
}

function Invoke-IvnExchange($step) {
    $secrets = Get-IvnExchangeSecrets $step
    $port = Get-IvnWholeWithin $step 'port' 1 65535
    $seconds = Get-IvnWholeWithin $step 'timeout_seconds' 1 60
    $most = [long]$ExchangeSeconds
    if ($step.ContainsKey('total_seconds')) {
        $most = Get-IvnWholeWithin $step 'total_seconds' 1 $ExchangeSeconds
    }
    $rows = Get-IvnExchangeRows $step $secrets $port $seconds
    $last = [DateTime]::UtcNow.AddSeconds($most)
    $kept = @{ 'bytes' = [long]0 }
    $outcomes = New-Object System.Collections.ArrayList
    foreach ($row in $rows) {
        $deadline = [DateTime]::UtcNow.AddSeconds($seconds)
        if ($deadline -gt $last) {
            $deadline = $last
        }
        if ([DateTime]::UtcNow.AddSeconds($seconds / 2) -gt $last) {
            $outcome = @{ 'ok' = $false; 'error' = 'not tried'; 'replies' = (New-Object System.Collections.ArrayList) }
        } else {
            $outcome = Invoke-IvnExchangeConnection $port $row['steps'] $secrets $kept $deadline
        }
        if ($row.ContainsKey('match')) {
            $outcome['match'] = $row['match']
        }
        [void]$outcomes.Add($outcome)
    }
    return @{ 'connections' = $outcomes }
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
    'require_clean_logs', 'snapshot', 'http', 'require_http', 'smtp', 'exchange',
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
        'smtp' { return (Invoke-IvnSmtp $step) }
        'exchange' { return (Invoke-IvnExchange $step) }
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
