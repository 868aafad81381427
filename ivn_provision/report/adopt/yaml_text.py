"""Plain data as YAML that site files take: block style, `!secret` for references, the order as given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ivn_provision.secret import SecretRef
from ivn_provision.spec.scalars import resolve_plain

_SECRET = "!secret"  # noqa: S105 - a tag


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as site files have it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """With escapes for all but ASCII: what stands in these quotes may be invisible, or turn the text around."""
        self.allow_unicode = False
        super().write_double_quoted(text, split)
        self.allow_unicode = True

    def choose_scalar_style(self) -> str:
        """A reference to a secret stands plain behind its tag, as in the pages of this project."""
        style: str = super().choose_scalar_style()
        is_secret = isinstance(self.event, yaml.ScalarEvent) and self.event.tag == _SECRET
        return "" if is_secret and self.analysis and self.analysis.allow_block_plain else style


def _secret(dumper: yaml.SafeDumper, value: SecretRef) -> yaml.ScalarNode:
    return dumper.represent_scalar(_SECRET, f"{value.scheme}:{value.name}")


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    """PyYAML quotes what is no text for YAML 1.1; site files are YAML 1.2, and refuse what the two read differently."""
    style = None
    if not value.replace("\n", "").isprintable():
        style = '"'
    elif "\n" in value:
        style = "|"
    elif resolve_plain(value) != value:
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(SecretRef, _secret)
_Dumper.add_representer(str, _text)


def yaml_text(data: Mapping[str, Any]) -> str:
    """The text, with a newline at its end."""
    return yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )
