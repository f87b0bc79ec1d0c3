"""The field `entries` of /predict -> what is asked about a picture or a text, by which models, with which options."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

from triptych.gateway.refusals import Malformed, Refused

TYPES = {"clip": ("visual", "textual"), "facial-recognition": ("detection", "recognition")}
_OCR = "text in pictures is not read here yet; switch OCR off in the photo server's machine-learning settings"


@dataclass(frozen=True, slots=True)
class Entries:
    """Model names by what they are to do, None for what is not asked; options belong to this request alone.

    `language`: of the text, None where it is not told. `min_score`: faces that are less sure are left out, 0 to 1; None: the
    server's default. Raises Malformed, and Refused for a recognition without the detection that it needs.
    """

    visual: str | None = None
    textual: str | None = None
    language: str | None = None
    detection: str | None = None
    min_score: float | None = None
    recognition: str | None = None

    def __post_init__(self) -> None:
        if self.recognition is not None and self.detection is None:
            raise Refused("facial-recognition of type recognition depends on the output of detection; ask for both in one request")
        if self.visual is not None and self.textual is not None:
            raise Malformed("clip is asked for visual and textual at once, and a request holds one picture or one text; send two requests")

    @property
    def of_picture(self) -> bool:
        """Whether something is asked about a picture."""
        return self.visual is not None or self.detection is not None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From JSON: {task: {type: {"modelName": str, "options"?: {…}}}}; unknown options are passed over, as newer senders have some."""
        try:
            tasks = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise Malformed(f"entries is no JSON: {error}") from None
        found: dict[str, Any] = {}
        for task, types in _object(tasks, "entries").items():
            if task == "ocr":
                raise Malformed(f"entries asks for ocr: {_OCR}")
            known = _known(task, TYPES, "task")
            for kind, entry in _object(types, task).items():
                if kind not in known:
                    raise Malformed(f"{task} has no type {kind!r}; expected {' or '.join(known)}")
                found |= _entry(kind, _object(entry, f"{task}.{kind}"), f"{task}.{kind}")
        return cls(**found)


def _entry(kind: str, entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    name, options = entry.get("modelName"), _object(entry.get("options", {}), f"{where}.options")
    if not isinstance(name, str) or not name.strip():
        raise Malformed(f"{where} has no modelName; expected a model's name, such as ViT-B-32__openai")
    if more := set(entry) - {"modelName", "options"}:
        raise Malformed(f"{where} has {', '.join(sorted(map(repr, more)))}; expected modelName and options alone")
    found: dict[str, Any] = {kind: name}
    if kind == "textual":
        found["language"] = _language(options.get("language"))
    elif kind == "detection":
        found["min_score"] = _score(options.get("minScore"))
    return found


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{where} is {_name(value)}; expected an object")
    return value


def _known(name: str, known: Mapping[str, tuple[str, ...]], what: str) -> tuple[str, ...]:
    if name not in known:
        raise Malformed(f"there is no {what} {name!r}; expected {', '.join(known)}")
    return known[name]


def _language(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Malformed(f"language is {_name(value)}; expected a code such as de or pt-BR")
    return value or None


def _score(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and 0 <= value <= 1):
        shown = value if isinstance(value, (int, float)) and not isinstance(value, bool) else _name(value)
        raise Malformed(f"minScore is {shown}; expected a number from 0 to 1")
    return float(value)


def _name(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a string", bool: "a truth value", type(None): "null"}.get(type(value), "a number")
