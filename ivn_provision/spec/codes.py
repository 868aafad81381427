"""Codes of the diagnostics of this room: stable, documented, never reused.

`YML` is about the text of one file, `SCH` about the schema, references and the structure of a fleet.
The rules about what a site means (`IVN001` ...) are in `spec/rules/`.
"""

from __future__ import annotations

CODES = {
    "YML001": "a file cannot be read",
    "YML002": "a file is not UTF-8 text",
    "YML003": "a file is over 1 MiB",
    "YML004": "a file is empty",
    "YML005": "a tab is used for indentation",
    "YML006": "a file is not YAML",
    "YML007": "a file holds more than one document",
    "YML008": "a file holds a control character",
    "YML009": "a key is written twice in one map",
    "YML010": "a key is not text",
    "YML011": "a merge key (<<) is used",
    "YML012": "a tag is not allowed",
    "YML013": "a word that is true or false in YAML 1.1 only",
    "YML014": "a value that YAML 1.1 and 1.2 read differently (octal, 1:30, 1_000, dates)",
    "YML015": "maps and lists are nested too deeply",
    "YML016": "aliases expand to too many values",
    "YML017": "an alias contains itself",
    "YML018": "an alias without anchor, or an anchor defined twice",
    "YML019": "a number that is out of any range",
    "SCH001": "an unknown key",
    "SCH002": "a value of the wrong type",
    "SCH003": "a value that is none of those allowed",
    "SCH004": "a key is missing",
    "SCH005": "a number out of its range",
    "SCH006": "text of the wrong form",
    "SCH007": "too few, too many or repeated items",
    "SCH008": "a value that has none of the allowed shapes",
    "SCH020": "a password stands in a site file",
    "SCH021": "a secret where none is wanted",
    "SCH022": "a secret reference of the wrong form",
    "SCH030": "a !ref of the wrong form",
    "SCH031": "a !ref to nothing",
    "SCH032": "references that go in a circle",
    "SCH033": "a !ref to a map or list",
    "SCH040": "the site's name is not its file's",
    "SCH041": "an unknown group",
    "SCH042": "a null that removes nothing",
    "SCH043": "a file that is not read because of its name",
}
