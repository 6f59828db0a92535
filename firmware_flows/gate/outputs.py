"""The gate's answer for machines that run it: JUnit XML, as GitLab, Jenkins and GitHub's reporters read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from firmware_flows.checks import Check, Gate

_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(gate: Gate) -> str:
    """One test suite a group, one test case a check."""
    root = ElementTree.Element("testsuites", _counts(gate.subject, gate.checks))
    ordered = sorted(gate.checks, key=lambda c: c.group)
    for group, found in groupby(ordered, key=lambda c: c.group):
        checks = list(found)
        suite = ElementTree.SubElement(root, "testsuite", _counts(group, checks))
        for c in checks:
            case = ElementTree.SubElement(suite, "testcase", {"classname": f"{gate.subject}.{group}", "name": c.name})
            message = _ILLEGAL.sub("?", c.message)
            if c.status == "failed":
                ElementTree.SubElement(case, "failure", {"message": message}).text = message
            elif c.status == "skipped":
                ElementTree.SubElement(case, "skipped", {"message": message})
            else:
                ElementTree.SubElement(case, "system-out").text = message
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _counts(name: str, checks: Sequence[Check]) -> dict[str, str]:
    states = [c.status for c in checks]
    return {
        "name": name,
        "tests": str(len(states)),
        "failures": str(states.count("failed")),
        "errors": "0",
        "skipped": str(states.count("skipped")),
    }
