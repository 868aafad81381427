# ivn-provision agent 1.0.0
#
# Runs on the recorder: one JSON request in, one framed JSON reply out (docs/reference/agent-protocol.md).
# Written for Windows PowerShell 2.0 and .NET 2.0 (facts/winrm.md, part 7), plain ASCII. No text of the
# request is ever run: it is data for .NET calls only.
# -ceq compares as a language does and overlooks characters without weight, such as NUL: text of a request
# is compared by [string]::Equals and [Array]::IndexOf.
# Functions return dictionaries, or lists and byte arrays behind a comma: PowerShell would take those apart.

param([string]$RequestText)

$ErrorActionPreference = 'Stop'
$AgentVersion = '1.0.0'
$LargestFile = 64 * 1024 * 1024


# ---- Windows: each thing that only Windows has, behind one small function ----------------------------

function ConvertTo-IvnDiskPath([string]$path) {
    return $path
}

function Get-IvnFactTable {
    $system = Get-WmiObject -Class Win32_OperatingSystem
    $engine = $PSVersionTable['PSVersion']
    $now = [DateTime]::UtcNow
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

function New-IvnBackupFolder([string]$diskPath) {
    # a backup holds every secret of the recorder: only administrators and the system may open it
    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetAccessRuleProtection($true, $false)
    foreach ($sid in 'S-1-5-32-544', 'S-1-5-18') {
        $who = New-Object System.Security.Principal.SecurityIdentifier($sid)
        $rule = New-Object System.Security.AccessControl.FileSystemAccessRule(
            $who, 'FullControl', 'ContainerInherit, ObjectInherit', 'None', 'Allow')
        $security.AddAccessRule($rule)
    }
    [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($diskPath))
    [void][IO.Directory]::CreateDirectory($diskPath, $security)
}

function Move-IvnFileInPlace([string]$from, [string]$target, [string]$old) {
    # ReplaceFile: one step for readers, and the target keeps its access list
    [IO.File]::Replace($from, $target, $old)
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
    # the keys are words of this script: nothing in them needs an escape
    $sorted = New-Object System.Collections.ArrayList(,$object.get_Keys())
    $sorted.Sort([StringComparer]::Ordinal)
    $between = '{"'
    foreach ($key in $sorted) {
        $writer.Write($between + $key + '":')
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

function Open-IvnFile([string]$path) {
    $diskPath = Get-IvnDiskPath $path
    if (-not [IO.File]::Exists($diskPath)) {
        Stop-Ivn 'missing' 'the file does not exist' $path
    }
    try {
        return [IO.File]::Open($diskPath, [IO.FileMode]::Open, [IO.FileAccess]::Read, [IO.FileShare]::ReadWrite)
    } catch {
        Stop-Ivn 'locked' 'another process holds the file' $path
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

function Copy-IvnFile([string]$path, [string]$to) {
    # copies in pieces and returns the sha256 of what was copied
    $hasher = New-Object System.Security.Cryptography.SHA256Managed
    $source = Open-IvnFile $path
    try {
        $target = [IO.File]::Open($to, [IO.FileMode]::CreateNew)
        $hashing = New-Object System.Security.Cryptography.CryptoStream(
            $target, $hasher, [System.Security.Cryptography.CryptoStreamMode]::Write)
        try {
            $piece = New-Object byte[] 262144
            while (($count = $source.Read($piece, 0, $piece.Length)) -gt 0) {
                $hashing.Write($piece, 0, $count)
            }
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

function Hide-IvnElement([byte[]]$bytes, [string]$name, [byte[]]$key) {
    # the same bytes with the content of every element of that name overwritten: size and offsets stay
    $encoding = [Text.Encoding]::GetEncoding(28591)
    $width = 1
    if ($bytes.Length -ge 2) {
        $mark = $bytes[0] * 256 + $bytes[1]
        if ($mark -eq 0xFFFE) {
            $encoding = [Text.Encoding]::Unicode
            $width = 2
        } elseif ($mark -eq 0xFEFF) {
            $encoding = [Text.Encoding]::BigEndianUnicode
            $width = 2
        }
    }
    $text = $encoding.GetString($bytes)
    $pattern = '(?s)<((?:[A-Za-z_][\w.-]*:)?' + [regex]::Escape($name) + ')(\s[^<>]*[^<>/])?\s*>(.*?)</\1\s*>'
    $hasher = New-Object System.Security.Cryptography.HMACSHA256(,$key)
    $element = [regex]::Match($text, $pattern)
    while ($element.Success) {
        $secret = $element.Groups[3]
        if ($secret.Length -gt 0) {
            $digest = ConvertTo-IvnHex $hasher.ComputeHash($bytes, $secret.Index * $width, $secret.Length * $width)
            $mask = ($digest * ([int]($secret.Length / 64) + 1)).Substring(0, $secret.Length)
            [void]$encoding.GetBytes($mask, 0, $mask.Length, $bytes, $secret.Index * $width)
        }
        $element = $element.NextMatch()
    }
    return ,$bytes
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
    foreach ($name in $names) {
        $bytes = Hide-IvnElement $bytes $name $key
    }
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
    foreach ($service in (Get-IvnServiceTable)) {
        if ($matcher.IsMatch($service['path'])) {
            $sorted[$service['name']] = $service
        }
    }
    return @{ 'services' = $sorted.get_Values() }
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

function Assert-IvnBackup([string]$folder, $paths) {
    # everything that can be known beforehand, so that a refused backup leaves nothing behind
    $diskFolder = Get-IvnDiskPath $folder
    if ([IO.Directory]::Exists($diskFolder) -or [IO.File]::Exists($diskFolder)) {
        Stop-Ivn 'exists' 'the backup folder exists already' $folder
    }
    foreach ($path in $paths) {
        if (-not [IO.File]::Exists((Get-IvnDiskPath $path))) {
            Stop-Ivn 'missing' 'the file does not exist' $path
        }
    }
}

function Invoke-IvnBackup($step) {
    $folder = Get-IvnText $step 'to'
    $paths = Get-IvnTextList $step 'paths'
    Assert-IvnBackup $folder $paths
    $diskFolder = Get-IvnDiskPath $folder
    $files = New-Object System.Collections.ArrayList
    try {
        New-IvnBackupFolder $diskFolder
        foreach ($path in $paths) {
            $stored = ($files.Count + 1).ToString('0000') + '-' + $path.Substring($path.LastIndexOf('\') + 1)
            $digest = Copy-IvnFile $path ([IO.Path]::Combine($diskFolder, $stored))
            [void]$files.Add(@{ 'path' = $path; 'sha256' = $digest; 'stored' = $stored })
        }
        $manifest = [IO.File]::Open([IO.Path]::Combine($diskFolder, 'manifest.json'), [IO.FileMode]::CreateNew)
        Write-IvnJson $manifest @{ 'files' = $files; 'protocol' = 1 }
    } catch {
        if ($_.Exception.Data.Contains('ivn_code')) {
            throw $_.Exception
        }
        Stop-Ivn 'io' 'the file could not be written' $folder
    }
    return @{ 'to' = $folder; 'files' = $files }
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

function Invoke-IvnWriteFiles($step) {
    $plans = New-Object System.Collections.ArrayList
    $files = New-Object System.Collections.ArrayList
    foreach ($wanted in (Get-IvnObjectList $step 'files')) {
        [void]$plans.Add((Get-IvnWanted $wanted))
    }
    foreach ($plan in $plans) {
        Add-IvnBase $plan
    }
    foreach ($plan in $plans) {
        Add-IvnResult $plan
        [void]$files.Add(@{ 'path' = $plan['path']; 'sha256' = $plan['sha256']; 'size' = $plan['bytes'].Length })
    }
    Set-IvnFiles $plans
    return @{ 'files' = $files }
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


# ---- the run -----------------------------------------------------------------------------------------

$IvnVerbs = @('facts', 'file_versions', 'read_files', 'services', 'require_not_running', 'processes', 'backup',
    'write_files', 'service_control')

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
    }
}

function New-IvnSkip($step) {
    $failure = @{ 'code' = 'skipped'; 'message' = 'an earlier step failed' }
    return @{ 'verb' = [string]$step['verb']; 'ok' = $false; 'error' = $failure }
}

function Invoke-IvnStep($step) {
    $verb = [string]$step['verb']
    try {
        $result = Invoke-IvnVerb $verb $step
        $result['verb'] = $verb
        $result['ok'] = $true
        return $result
    } catch {
        return @{ 'verb' = $verb; 'ok' = $false; 'error' = (ConvertTo-IvnError $_) }
    }
}

function Invoke-IvnSteps($steps, [bool]$stopAtFailure) {
    $entries = New-Object System.Collections.ArrayList
    $failed = $false
    foreach ($step in $steps) {
        if ($failed -and $stopAtFailure) {
            $entry = New-IvnSkip $step
        } else {
            $entry = Invoke-IvnStep $step
        }
        if (-not $entry['ok']) {
            $failed = $true
        }
        [void]$entries.Add($entry)
    }
    return ,$entries
}

function Get-IvnMarker($request) {
    $marker = $request['marker']
    if ($marker -isnot [string] -or $marker -cnotmatch '^[A-Za-z0-9]{16,64}\z') {
        Stop-Ivn 'bad_request' 'the marker is missing or malformed'
    }
    return $marker
}

function Get-IvnSteps($request, [string]$name) {
    if (-not $request.ContainsKey($name)) {
        return ,(New-Object System.Collections.ArrayList)
    }
    if ($request[$name] -isnot [System.Collections.ArrayList]) {
        Stop-Ivn 'bad_request' 'steps and always must be lists'
    }
    foreach ($step in $request[$name]) {
        if ($step -isnot [System.Collections.Hashtable] -or $step['verb'] -isnot [string]) {
            Stop-Ivn 'bad_request' 'each step must be an object with a verb'
        }
    }
    return ,$request[$name]
}

function Assert-IvnProtocol($request) {
    if ($request['protocol'] -isnot [long] -or $request['protocol'] -ne 1) {
        Stop-Ivn 'bad_request' 'unknown protocol'
    }
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
    $reply = @{ 'agent' = $AgentVersion; 'protocol' = 1; 'steps' = @(); 'always' = @() }
    try {
        $request = ConvertFrom-IvnJson $text
        $marker = Get-IvnMarker $request
        Assert-IvnProtocol $request
        $steps = Get-IvnSteps $request 'steps'
        $always = Get-IvnSteps $request 'always'
        $reply['steps'] = Invoke-IvnSteps $steps $true
        $reply['always'] = Invoke-IvnSteps $always $false
    } catch {
        $reply['error'] = ConvertTo-IvnError $_
    }
    Send-IvnReply $marker $reply
}


Invoke-IvnRequest $RequestText
