"""Something to say about validated settings: at which key, in words for the operator."""

from dataclasses import dataclass

from gateway.settings.document import KeyPath


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, at a key. `path` begins at the file's root, or at the value that a `Refused` is about."""

    path: KeyPath
    message: str


class Refused(ValueError):
    """A validator's whole verdict: several mistakes, each at its own key below the value that was validated."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("; ".join(finding.message for finding in findings))
        self.findings = findings
