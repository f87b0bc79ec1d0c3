"""A gateway of its own process before nobody, met by people without a key, in a hurry, endless or in disguise. No Triton is needed."""

import base64
import shutil
import socket
import ssl
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import make_certificates, sign
from tests.support.gateway import VISUAL, gateway
from triptych.gateway.protocol import MOST_HEAD_BYTES

KEYS = ["first-key-of-this-test", "second-key-of-this-test"]
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")


@pytest.fixture(scope="module")
def nobody():
    """An address at which nothing answers for as long as the tests run."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"grpc://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(KEYS[0])
    return file


@pytest.fixture(scope="module")
def running(nobody, key_file, tmp_path_factory):
    limits = ("--rate", "0.001", "--burst", "40", "--log-level", "debug")
    with gateway([nobody], tmp_path_factory.mktemp("gateway"), "--api-keys", str(key_file), *limits, ready=False) as started:
        yield started


@pytest.fixture(scope="module")
def open_to_all(nobody, tmp_path_factory):
    with gateway([nobody], tmp_path_factory.mktemp("open"), ready=False) as started:
        yield started


def test_keys_are_exchanged_while_it_serves_and_show_nowhere(running, key_file):
    def status(key):
        return running.get("/metrics", headers={"X-Api-Key": key}).status_code

    assert [status(key) for key in KEYS] == [200, 401]
    key_file.with_name("new").write_text(KEYS[1])
    key_file.with_name("new").replace(key_file)
    deadline = time.monotonic() + 30
    while status(KEYS[1]) != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert status(KEYS[0]) == 401
    shown = running.log.read_text() + Path(f"/proc/{running.process.pid}/cmdline").read_text()
    assert not [key for key in KEYS if key in shown]
    assert running.get("/metrics").status_code == 401


def test_who_asks_too_often_is_told_when_to_ask_again_and_others_are_not_held_up(running):
    """Forty at once; a wrong key counts for its address, and the owner of a right one has tokens of its own."""
    asked = [running.predict(VISUAL, text="a", headers={"X-Api-Key": f"wrong-{number}"}) for number in range(45)]
    statuses = [answer.status_code for answer in asked]
    assert statuses[-1] == 429 and set(statuses) <= {401, 429}
    assert int(asked[-1].headers["retry-after"]) > 100
    key = running_key(running)
    assert running.predict(VISUAL, text="a", headers={"X-Api-Key": key}).status_code == 422
    answers = [running.predict(VISUAL, text="a", headers={"Authorization": f"Bearer {key}"}).status_code for _ in range(45)]
    assert sorted(answers) == answers and answers.count(422) == 39
    assert running.get("/ping").status_code == 503, "what tells whether it is there has no limit"


def running_key(running):
    return next(key for key in KEYS if running.get("/metrics", headers={"X-Api-Key": key}).status_code == 200)


def raw(port, pieces, timeout=60):
    """What comes back when these bytes are sent, until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
            answer = b""
            while data := connection.recv(1 << 16):
                answer += data
        except ConnectionError:
            return b"closed"
        return answer


@pytest.mark.parametrize(
    "start",
    [
        b"GET /ping HTTP/1.1\r\nx: ",
        b"GET /ping HTTP/1.1\r\n",
        b"GET /",
        b"POST /predict HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;",
        b"POST /predict HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: ",
    ],
    ids=["header", "headers", "path", "extension of a chunk", "trailer"],
)
def test_a_head_without_an_end_is_cut_off(open_to_all, start):
    """Of 64 MB not much more than the limit is taken."""
    more = (b"a: b\r\n" if start.endswith(b"HTTP/1.1\r\n") else b"a") * (1 << 16)
    sent = [0]

    def pieces():
        yield start
        for _ in range((64 << 20) // len(more)):
            sent[0] += len(more)
            yield more

    answer = raw(open_to_all.port, pieces())
    assert answer == b"closed" or b" 431 " in answer or b" 400 " in answer or b" 422 " in answer
    assert sent[0] < (64 << 20), f"{sent[0]} bytes were taken; the limit is {MOST_HEAD_BYTES}"
    assert open_to_all.get("/health/live").status_code == 200


def test_nothing_is_fetched_whatever_an_address_looks_like(open_to_all):
    """A server of this machine would see who asks it."""
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as trap:
        port = trap.getsockname()[1]
        catcher = threading.Thread(target=lambda: seen.append(trap.accept()), daemon=True)
        catcher.start()
        hosts = ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "017700000001", "127.1", "[::ffff:127.0.0.1]", "0"]
        schemes = ["http://", "https://", "HTTP://", "ftp://", "//", " http://", "http:\\\\", "http://a@", "gopher://", "unix://"]
        addresses = [f"{scheme}{host}:{port}/photo.jpg" for scheme in schemes for host in hosts]
        addresses += ["file:///etc/passwd", "/etc/passwd", "data:text/uri-list;base64," + base64.b64encode(addresses[0].encode()).decode()]
        with httpx.Client(base_url=open_to_all.url, trust_env=False, timeout=60) as client:
            for address in addresses:
                for item in ({"image": address}, {"image_url": {"url": address}}, {"type": "image_url", "image_url": address}):
                    answer = client.post("/v1/embeddings", json={"model": "a", "input": [item]})
                    assert 400 <= answer.status_code < 504, (item, answer.text)
                    assert "root:" not in answer.text
                client.post("/v1/embeddings", json={"model": "a", "input": address})
                client.post("/predict", data={"entries": "{}", "image": address})
        assert seen == []
        with socket.create_connection(("127.0.0.1", port)):
            catcher.join(10)
        assert len(seen) == 1, "the trap was open"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def trusting(certificates, client=False):
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    if client:
        context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    return context


@needs_openssl
def test_mutual_tls_and_a_certificate_that_is_renewed_while_it_serves(nobody, certificates, tmp_path):
    arguments = ["--tls-certificate", "server.pem", "--tls-key", "server.key", "--tls-client-root", "ca.pem"]
    arguments = [argument if argument.startswith("--") else str(certificates / argument) for argument in arguments]
    known = trusting(certificates, client=True)
    with gateway([nobody], tmp_path, *arguments, ready=False, trusted=known) as locked:
        assert locked.get("/health/live").status_code == 200
        for stranger in (trusting(certificates), ssl.create_default_context()):
            with pytest.raises(httpx.TransportError):
                locked.get("/health/live", verify=stranger)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{locked.port}/health/live", trust_env=False)
        assert shown_by(locked.port, known) == "server"
        sign(certificates, "server", subject="renewed")
        deadline = time.monotonic() + 120
        while shown_by(locked.port, known) != "renewed":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        told = locked.log.read_text().count("the certificate in use stays")
        for number, name in enumerate(("san", "client.key"), 1):
            (certificates / "server.key").write_bytes((certificates / name).read_bytes())
            while locked.log.read_text().count("the certificate in use stays") < told + number:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert shown_by(locked.port, known) == "renewed", f"not with {name} as its key"


def shown_by(port, context):
    """The name in the certificate of who listens there."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as secure,
    ):
        return dict(pair for group in secure.getpeercert()["subject"] for pair in group)["commonName"]
