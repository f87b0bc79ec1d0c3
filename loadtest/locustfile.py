"""Locust: what a photo server asks for, all at once: pictures and faces in bulk, and now and then a person who searches.

    locust -f loadtest/locustfile.py --host grpc://127.0.0.1:8001                                # web page on port 8089
    locust -f loadtest/locustfile.py --host http://127.0.0.1:8000 --headless -u 24 -t 60s \\
        --slo search_text:p95=200 --slo shed=0.05 --processes 2                                  # exit code 2 when a gate is missed

A request that the server turned away because its queue is full counts as shed, in a row of its own, not as a failure.
"""

import atexit
import json
import logging
import os
import random
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
import grpc.experimental.gevent as grpc_gevent  # type: ignore[import-untyped]
import requests
from locust import User, between, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from demo.scenes import EVALUATION_SEEDS, caption, sample
from loadtest.slo import EXIT_MISSED, FORM, Gate, Measured, missed
from triptych import Client
from triptych.errors import Overloaded, ServerError, ServerUnreachable, TriptychError
from triptych.retry import RetryPolicy
from triptych_server.benchmark.photos import load_corpus

SHED = "shed"
"""The method of the rows that count what was turned away."""

TEXTS = [caption(sample(seed)) for seed in EVALUATION_SEEDS[:50]]
_logger = logging.getLogger(__name__)


def _gate(text: str) -> str:
    """Checked now, parsed later: locust sends options to its workers, as plain data."""
    try:
        Gate.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser) -> None:
    group = parser.add_argument_group("Triptych", "what is asked for, and what must hold")
    group.add_argument("--photos", help="a folder of at least 12 JPEGs; pictures are drawn without one")
    group.add_argument("--images", type=int, default=6, help="share of users who send pictures to search_image")
    group.add_argument("--faces", type=int, default=3, help="share of users who send pictures to faces")
    group.add_argument("--texts", type=int, default=1, help="share of users who search, with pauses of one to three seconds")
    group.add_argument("--predicts", type=int, default=0, help="share of users who ask the gateway, as a photo server does")
    group.add_argument("--gateway", default="http://127.0.0.1:3003", help="where those find it")
    group.add_argument("--clip-name", default="ViT-B-32__openai", help="the CLIP that they ask for")
    group.add_argument("--faces-name", default="buffalo_l", help="the face model that they ask for")
    group.add_argument("--timeout", type=float, default=30.0, help="seconds that a request may take")
    group.add_argument("--slo", type=_gate, action="append", default=[], metavar="GATE", help=f"a limit that must hold: {FORM}")


@events.init.add_listener
def _prepare(environment: Environment, **_: Any) -> None:
    """Read the options, once in each process."""
    options: Any = environment.parsed_options
    grpc_gevent.init_gevent()  # or one request at a time would block them all
    for kind, share in ((Images, options.images), (Faces, options.faces), (Texts, options.texts), (Predicts, options.predicts)):
        kind.weight = share
    environment.user_classes = [kind for kind in environment.user_classes if kind.weight]
    Predicts.gateway, Predicts.clip, Predicts.pack = options.gateway.rstrip("/"), options.clip_name, options.faces_name
    TriptychUser.timeout = options.timeout
    TriptychUser.photos = list(load_corpus(Path(options.photos) if options.photos else None).jpegs)
    if not isinstance(environment.runner, MasterRunner):
        environment.events.quit.add_listener(lambda exit_code: atexit.register(_leave, environment, exit_code))
    gevent.get_hub().loop.update_now()  # else --run-time counts from before all this was prepared, and may be over already


def _leave(environment: Environment, exit_code: int) -> None:
    """End a process that used gRPC before the interpreter takes itself apart.

    The thread that feeds gRPC's greenlets dies then with gRPC's lock in its hands, and whoever collects a channel later waits
    for that lock for ever. The master uses no gRPC, and has its workers to wait for.
    """
    if isinstance(environment.runner, WorkerRunner):
        environment.runner.client.socket.context.destroy(linger=1000)  # what it has to say to the master, within a second
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


@events.quitting.add_listener
def _check(environment: Environment, **_: Any) -> None:
    """Compare what was measured with the gates; locust itself ends with 1 when a request failed."""
    if isinstance(environment.runner, WorkerRunner):
        return
    options: Any = environment.parsed_options
    gates = [Gate.parse(text) for text in options.slo]
    misses = missed(gates, _measured(environment, {gate.percentile for gate in gates}))
    for miss in misses:
        _logger.error("SLO missed: %s", miss)
    if misses and not environment.stats.total.num_failures:
        environment.process_exit_code = EXIT_MISSED


def _measured(environment: Environment, percentiles: set[float | None]) -> dict[str, Measured]:
    found: dict[str, Measured] = {}
    rows = environment.stats.entries
    for (name, method), row in rows.items():
        if method != SHED:
            shed = rows[name, SHED].num_requests if (name, SHED) in rows else 0
            wanted = {each: row.get_response_time_percentile(each) for each in percentiles if each is not None}
            found[name] = Measured(row.num_requests - row.num_failures, shed, wanted)
    for name, method in rows:
        if method == SHED and name not in found:
            found[name] = Measured(0, rows[name, SHED].num_requests, {})
    return found


class TriptychUser(User):
    """Asks through the Python client, without retries: a photo server would ask again, a load test wants to know."""

    abstract = True
    photos: list[bytes]
    timeout: float

    def on_start(self) -> None:
        """Connect; the first request is as much a request as any other."""
        self.client = Client(self.host or "grpc://127.0.0.1:8001", timeout=self.timeout, retry=RetryPolicy.never())
        self.protocol = "HTTP" if str(self.host).startswith("http") else "gRPC"

    def on_stop(self) -> None:
        """Close the connection."""
        self.client.close()

    def ask(self, name: str, question: Callable[[], object]) -> None:
        """Send one request, and tell locust what came of it."""
        method, problem, began = self.protocol, None, time.perf_counter()
        try:
            question()
        except Overloaded:
            method = SHED
        except TriptychError as error:
            problem = error
        milliseconds = 1000 * (time.perf_counter() - began)
        events.request.fire(request_type=method, name=name, response_time=milliseconds, response_length=0, exception=problem, context={})


class Images(TriptychUser):
    """Indexing: one picture after the other."""

    @task
    def embed(self) -> None:
        """A picture to its embedding."""
        self.ask("search_image", lambda: self.client.embed_image(random.choice(self.photos)))


class Faces(TriptychUser):
    """Face recognition, likewise."""

    @task
    def find(self) -> None:
        """A picture to its faces."""
        self.ask("faces", lambda: self.client.faces(random.choice(self.photos)))


class Texts(TriptychUser):
    """A person: types, looks, types again."""

    wait_time = between(1, 3)

    @task
    def search(self) -> None:
        """A text to its embedding."""
        self.ask("search_text", lambda: self.client.embed_text(random.choice(TEXTS)))


class Predicts(TriptychUser):
    """Indexing through the gateway: a picture for smart search, then one for its faces, each in a form as a photo server sends it."""

    gateway: str
    clip: str
    pack: str

    def on_start(self) -> None:
        """Keep one connection."""
        super().on_start()
        self.session = requests.Session()
        self.session.trust_env = False

    def on_stop(self) -> None:
        """Close both."""
        self.session.close()
        super().on_stop()

    @task
    def index(self) -> None:
        """A picture to its embedding, and one to its faces."""
        faces = {"detection": {"modelName": self.pack, "options": {"minScore": 0.7}}, "recognition": {"modelName": self.pack}}
        self.ask("predict_clip", lambda: self.predict({"clip": {"visual": {"modelName": self.clip}}}))
        self.ask("predict_faces", lambda: self.predict({"facial-recognition": faces}))

    def predict(self, entries: dict[str, Any]) -> None:
        """One request; raises TriptychError for anything but an answer."""
        form, files = {"entries": json.dumps(entries)}, {"image": ("blob", random.choice(self.photos))}
        try:
            answer = self.session.post(f"{self.gateway}/predict", data=form, files=files, timeout=self.timeout)
        except requests.RequestException as error:
            raise ServerUnreachable(str(error)) from None
        if answer.status_code == 503:
            raise Overloaded(answer.text)
        if answer.status_code != 200:
            raise ServerError(f"{answer.status_code}: {answer.text}")
