"""Any text, as a config.pbtxt -> the ModelConfig, where each field stands, the linter's findings, and a profile laid over it.

Must hold: ConfigError at most, which names the file; what was read is read again from its rendering; every field that is set has its place
in the text; the linter's rules and the merge take any config that protobuf takes.
"""

from tests.fuzz.target import Target
from tests.support.serving import CHECKOUT
from triptych_server.configs.fields import flatten
from triptych_server.configs.lint.run import RULES
from triptych_server.configs.lint.subject import Everything, Subject
from triptych_server.configs.merge import merge_config
from triptych_server.configs.read import parameters_of, parse_config, render_config
from triptych_server.configs.source import places
from triptych_server.errors import ConfigError

NAME = "model/config.pbtxt"


def check(data: bytes) -> None:
    text = data.decode(errors="replace")
    try:
        config = parse_config(text, NAME)
    except ConfigError as error:
        assert str(error).startswith(NAME), str(error)
        return
    assert parse_config(render_config(config), NAME).SerializeToString(deterministic=True) == config.SerializeToString(deterministic=True)
    where, lines = places(text), text.count("\n") + 1
    assert set(flatten(config)) <= set(where), set(flatten(config)) - set(where)
    assert all(1 <= place.line <= lines for place in where.values())
    parameters_of(config)
    assert merge_config(config, config).ByteSize() <= config.ByteSize()
    for network in (False, True):
        subject = Subject("model", "cpu", NAME, config, where, is_network=network)
        everything = Everything({("model", "cpu"): config})
        for rule in RULES:
            for finding in rule(subject, everything):
                assert str(finding)


def seeds() -> list[bytes]:
    files = [*(folder / "config.pbtxt" for folder in CHECKOUT.models()), *CHECKOUT.profiles.glob("**/*.pbtxt")]
    odd = [
        "",
        "name: 'a' 'b'",
        "dynamic_batching <>",
        "input [{name:'x' dims:[1,2]},{name:'y'}];",
        "max_batch_size: 0x10 # why",
        "parameters{}",
    ]
    return [*(file.read_bytes() for file in sorted(files)), *(text.encode() for text in odd)]


TARGET = Target(check, seeds, max_length=4096)
