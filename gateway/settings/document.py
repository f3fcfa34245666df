"""Read YAML into plain texts, lists and mappings that remember the line of every key.

Scalars stay texts, as written: `client_id: 0123` keeps its zero, and `12:30` is not a number of base 60. Only an empty
value or `null` is `None`. Each problem becomes a `Mistake`; nothing here raises for what is in the file.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from gateway.settings.yaml_hints import explain

KeyPath = tuple[str | int, ...]
"""Keys and list positions from the root, such as `("upstreams", 0, "url")`."""

LARGEST_FILE = 2**20
"""Bytes. The annotated reference has about 10 KiB; whatever is larger than this is not a settings file."""
DEEPEST = 32
MOST_NODES = 20_000
"""Values after aliases are followed: a file of a few lines could otherwise name billions ("billion laughs")."""

_PLAIN_TAGS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, where, in words for the operator. Lines count from 1; 0 is the environment."""

    line: int
    path: KeyPath
    message: str


@dataclass(slots=True)
class Document:
    """A file's values, the line of every key or item, and the scalars as written."""

    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """The line of a key; of the nearest block around it when it is not in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def located(self, path: KeyPath, message: str) -> Mistake:
        """What is to be said about a key, with its line, and with the key as the file spells it."""
        path = next((known for known in self.lines if _folded(known) == _folded(path)), path)
        return Mistake(self.line(path), path, message)

    def mistake(self, path: KeyPath, message: str) -> None:
        """Note something that is wrong at a key."""
        self.mistakes.append(Mistake(self.line(path), path, message))


def _folded(path: KeyPath) -> KeyPath:
    return tuple(item.lower() if isinstance(item, str) else item for item in path)


def read_document(content: bytes) -> Document:
    """A document of whatever bytes; `mistakes` says what could not be read."""
    document = Document()
    try:
        root = _compose(content)
        _Reader(document).convert(root, ())
    except _Problem as problem:
        document.mistakes.append(Mistake(problem.line, (), problem.message))
    except RecursionError:
        document.mistakes.append(Mistake(1, (), "is nested too deeply"))
    return document


class _Problem(Exception):
    """The file cannot be read on; what is known so far stands."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def _compose(content: bytes) -> yaml.Node:
    if len(content) > LARGEST_FILE:
        raise _Problem(1, "is larger than 1 MiB: not a settings file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Problem(content.count(b"\n", 0, error.start) + 1, "is not UTF-8 text: save it as UTF-8") from None
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.reader.ReaderError as error:
        raise _Problem(text.count("\n", 0, error.position) + 1, "contains a control character") from None
    except yaml.MarkedYAMLError as error:
        raise _Problem(*explain(error, text)) from None
    except (ValueError, OverflowError):  # an escape beyond Unicode, "\UFFFFFFFF", a version that is no number
        raise _Problem(1, "is not YAML: it has an escape that no character stands for") from None
    if node is None:
        raise _Problem(1, "is empty: there is no setting in it")
    return node


class _Reader:
    """Turns YAML's nodes into values, bounded in number and depth."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.left = MOST_NODES

    def convert(self, node: yaml.Node, path: KeyPath) -> None:
        self.document.lines[()] = 1
        self.document.data = self._value(node, path)

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.left -= 1
        line = node.start_mark.line + 1
        if self.left < 0 or len(path) > DEEPEST:
            raise _Problem(line, "holds too many values, or one inside itself (&anchors and *aliases?)")
        if node.tag not in _PLAIN_TAGS:
            self.document.mistakes.append(
                Mistake(line, path, "YAML tags (!...) are not used here; quote a value that begins with !")
            )
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, path)
        return self._scalar(node, path)

    def _scalar(self, node: yaml.Node, path: KeyPath) -> str | None:
        text = str(node.value)
        plain = getattr(node, "style", None) is None
        self.document.texts[path] = text
        if _SURROGATE.search(text):
            self.document.mistake(path, "contains an unpaired surrogate")
            return None
        return None if plain and text in _NULL else text

    def _sequence(self, node: yaml.SequenceNode, path: KeyPath) -> list[Any]:
        values = []
        for index, item in enumerate(node.value):
            self.document.lines[(*path, index)] = item.start_mark.line + 1
            values.append(self._value(item, (*path, index)))
        return values

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            name = self._key(key)
            here = (*path, name)
            line = key.start_mark.line + 1
            if name in values:
                message = f"is given twice; the first is on line {self.document.lines[here]}"
                self.document.mistakes.append(Mistake(line, here, message))
                continue
            self.document.lines[here] = line
            values[name] = self._value(value, here)
        return values

    def _key(self, key: yaml.Node) -> str:
        if isinstance(key, yaml.ScalarNode) and not _SURROGATE.search(key.value):
            return str(key.value)
        line = key.start_mark.line + 1
        message = "has a list or block where a key should be; put text that begins with { or [ in quotes"
        raise _Problem(line, message if not isinstance(key, yaml.ScalarNode) else "has a key that is not a string")
