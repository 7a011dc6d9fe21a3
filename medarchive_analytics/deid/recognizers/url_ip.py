"""Web addresses, IP and MAC addresses.

Standard: RFC 3986, RFC 791, RFC 4291, IEEE 802. Layout: scheme or ``www.``; four numbers below 256; eight hex groups;
six hex pairs. Check: ranges only. Trap: section numbers look like IP addresses; four numbers are needed.
Example (invented): https://records.example.invalid/a?id=1. Measured: see docs/explanation/deidentification.md.
"""

# ruff: noqa: E501  -- patterns and word tables read better unbroken

from __future__ import annotations

import re

from ..recognition import Recognizer, Rule


def _in_range(match: re.Match[str]) -> bool:
    return all(int(part) < 256 for part in match.group().split("."))


RECOGNIZER = Recognizer(
    "URL",
    (
        Rule("url", re.compile(r"(?:https?|ftp)://[^\s一-鿿<>\"'，。；]{3,}|(?<![A-Za-z0-9])www\.[A-Za-z0-9\-]+\.[A-Za-z0-9./\-_?=&%]+"), 0.95),
        Rule("ipv4", re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])"), 0.9, _in_range),
        Rule("ipv6", re.compile(r"(?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{1,4}:){5,7}[0-9A-Fa-f]{1,4}(?![0-9A-Za-z:])"), 0.9),
        Rule("mac", re.compile(r"(?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{2}[:\-]){5}[0-9A-Fa-f]{2}(?![0-9A-Za-z])"), 0.9),
        Rule("uuid", re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![0-9A-Za-z])"), 0.95),
    ),
    None,
    ".:-",
)  # fmt: skip
