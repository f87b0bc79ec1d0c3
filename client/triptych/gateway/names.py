"""The names that photo servers call models by: whether one is the served one, and what to say where it is not.

The catalogue of names is the server package's, which is imported when the first name is looked at.
"""

from collections.abc import Iterable

from triptych.gateway.refusals import NotServed

OPTIONS = {"clip": "--clip-name", "faces": "--faces-name"}
KINDS = {"clip": "CLIP", "faces": "face model"}
EXAMPLES = {"clip": "ViT-B-32__openai", "faces": "buffalo_l"}


def same_model(asked: str, served: str) -> bool:
    """Whether two spellings are of one model: the part after the last /, : as _, no dots, in any case."""
    from triptych_server.models.model_name import cleaned_name

    return cleaned_name(asked).casefold() == cleaned_name(served).casefold()


def not_served(asked: str, task: str, served: Iterable[str | None]) -> NotServed:
    """The refusal of a name: what is served instead, and the command that changes it. `served`: as the ready servers have it."""
    from triptych_server.errors import ModelNameError
    from triptych_server.models.model_name import model_name

    there = dict.fromkeys(name for name in served if name is not None)
    kind = KINDS[task]
    try:
        name = model_name(asked)
    except ModelNameError as error:
        return NotServed(f"{error}. {_served(task, there)}")
    if name.known and name.known.task != task:
        return NotServed(f"{asked!r} is a {KINDS[name.known.task]}, and a {kind} is asked for here. {_served(task, there)}")
    also = " (embeddings of two models cannot be compared: photos indexed by another one have to be indexed anew)" if task == "clip" else ""
    return NotServed(f"the {kind} {asked!r} is not served. {_served(task, there)} To switch: triptych models use {name}{also}")


def _served(task: str, there: Iterable[str]) -> str:
    names = [name for name in there if name]
    if names:
        return f"Served is {' and '.join(map(repr, names))}."
    if "" in there:
        return f"The served {KINDS[task]} was imported without a name; if it is this one, start the gateway with {OPTIONS[task]} NAME."
    return f"No {KINDS[task]} is served; try: triptych models use {EXAMPLES[task]}."
