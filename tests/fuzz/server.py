"""Mutated pictures through a real Triton and its gateway, with good requests between them whose answers are known.

`python -m tests.fuzz.server [--pictures 10000] [--seed 1]` starts both in front of the demo's models, and fails where anything but the
broken requests suffered.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from demo.people import draw_group, sample_group
from demo.people.person import ALBUM_PEOPLE
from tests.fuzz.storm import Servers, Storm
from tests.fuzz.storm_report import broken, lines
from tests.support.drawn import encode
from tests.support.gateway import CLIP, PACK, gateway
from tests.support.serving import CHECKOUT, options
from triptych_server.engine import Engine
from triptych_server.models.any_folder import use_any
from triptych_server.models.served_names import ServedName


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tmp = Path(name)
        repository = CHECKOUT.copy_to(tmp / "repository")
        for folder, model in ((CHECKOUT.demo_weights, CLIP), (CHECKOUT.demo_faces, PACK)):
            use_any(folder, repository, name=ServedName(f"immich-app/{model}", "main", "0" * 40))
        with Engine(options(repository, tmp)) as engine, gateway([engine.grpc_url], tmp) as front:
            servers = Servers(engine.grpc_url, front.url, (engine.pid, front.process.pid), (tmp / "triton.log", front.log))
            began = time.monotonic()
            outcome = asyncio.run(Storm(servers, group_picture(), Random(given.seed)).run(given.pictures, told=print))
            print(*lines(outcome, time.monotonic() - began), sep="\n")
            wrong = broken(outcome)
    print(*wrong, sep="\n", file=sys.stderr)
    return 1 if wrong else 0


def group_picture() -> bytes:
    """A drawn JPEG of three people."""
    size = (720, 480)
    people = sample_group(1, ALBUM_PEOPLE[:8], size, count=3, least=0.07, kind="album")
    return encode(draw_group(people, size)[0].convert("RGB"), "jpeg")


if __name__ == "__main__":
    sys.exit(main())
