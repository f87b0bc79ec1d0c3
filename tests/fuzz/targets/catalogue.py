"""Any text, as a name that people type -> a model of the catalogue, a language, a repository on a hub.

Must hold: ModelNameError at most; a name that was taken is one of a folder inside of the cache, and is taken again as it was written down;
a language that was taken is a code, and choosing by it keeps the catalogue's models, each once.
"""

import re
from pathlib import PurePosixPath

from tests.fuzz.target import Target
from triptych_server.errors import ModelNameError
from triptych_server.models.catalogue import catalogue
from triptych_server.models.model_name import find_model, model_name

CODE = re.compile(r"[a-z]{2,3}")


def check(data: bytes) -> None:
    text = data.decode(errors="replace")
    if known := find_model(text):
        assert known in catalogue().models
    for organisation in (None, "somebody"):
        try:
            name = model_name(text, organisation)
        except ModelNameError:
            continue
        path = PurePosixPath(name.repository)
        assert len(path.parts) == 2 and not path.is_absolute() and ".." not in path.parts, name
        if not name.known:  # the catalogue's names are its own organisation's, whatever stands before them
            assert model_name(str(name)).repository == name.repository, name
    try:
        language = catalogue().language(text)
    except ModelNameError:
        return
    assert CODE.fullmatch(language), language
    assert catalogue().language(language) == language
    chosen = catalogue().choose(language=language)
    assert len({model.name for model in chosen}) == len(chosen) <= len(catalogue().models)


def seeds() -> list[bytes]:
    names = [model.name for model in catalogue().models][::8]
    odd = [
        "",
        "/",
        "a/b",
        "../../etc",
        "immich-app/x",
        "ViT-B-32::openai",
        "vit-b-32__OPENAI",
        "a/..",
        "a--b/c",
        "pt-BR",
        "nb_NO",
        "German",
        "İ",
        "ß",
    ]
    return [text.encode() for text in [*names, *odd, *catalogue().aliases]]


TARGET = Target(check, seeds, max_length=200)
