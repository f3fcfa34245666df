"""Find the key that somebody probably meant."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from gateway.settings.document import KeyPath

_FEW = 8
"""Keys that are listed when none is alike; more would hide the rest of the report."""


def meant(root: type[BaseModel], path: KeyPath, data: Any) -> str:
    """What to say about an unknown key at the end of `path`: the nearest one, or the section that it belongs in."""
    unknown = str(path[-1])
    if unknown == "<<":
        return "YAML's merge key (<<) is not used here; write the keys out"
    here = known_keys(root, path[:-1], data)
    if close := nearest(unknown, here):
        return f"unknown key; did you mean {close}?"
    homes = [section for section, keys in sections(root) if unknown in keys]
    if len(homes) == 1:
        return f"unknown key here; it belongs in {homes[0]}" if homes[0] else "unknown key here; it belongs at the top"
    return f"unknown key; known here: {', '.join(sorted(here))}" if 0 < len(here) <= _FEW else "unknown key"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most alike, when one is alike enough; `-`, `_` and case do not count."""
    plain = {key.replace("_", ""): key for key in known}
    found = difflib.get_close_matches(word[:64].lower().replace("-", "").replace("_", ""), plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else None


def known_keys(root: type[BaseModel], path: KeyPath, data: Any) -> set[str]:
    """The keys that the model knows at a path; of a section in several kinds, those of the kind that `data` names."""
    models = [root]
    for item in path:
        data = _inside(data, item)
        if isinstance(item, str):
            fields = (model.model_fields[item] for model in models if item in model.model_fields)
            models = [found for each in fields for found in _models(each.annotation)]
        models = [model for model in models if _is_kind(model, data)]
    return {key for model in models for key in model.model_fields}


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every section of the file with its keys, the root as an empty text."""
    yield prefix, set(model.model_fields)
    for name, each in model.model_fields.items():
        for inner in _models(each.annotation):
            yield from sections(inner, f"{prefix}.{name}" if prefix else name)


def _inside(data: Any, item: str | int) -> Any:
    if isinstance(data, Mapping) and item in data:
        return data[item]
    return data[item] if isinstance(data, list) and isinstance(item, int) and item < len(data) else None


def _is_kind(model: type[BaseModel], data: Any) -> bool:
    """Whether data could be this kind of section: its `preset`, if both have one, is this one's."""
    preset = model.model_fields.get("preset")
    if preset is None or not isinstance(data, Mapping) or "preset" not in data:
        return True
    return data["preset"] in get_args(preset.annotation)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
