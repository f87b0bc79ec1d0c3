"""What somebody without a key reaches of the real Triton: each door that docs/security.md calls closed is tried, on loopback too."""

import base64
import json
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tests.support.bad_images import INSIDE
from tests.support.certificates import make_certificates
from tests.support.gateway import gateway
from tests.support.serving import add_model, empty_repository, serving
from triptych import TLS, Client, RetryPolicy, ServerUnreachable
from triptych.cli.control_key import noted_key
from triptych_server.engine.server_tls import ServerTLS
from triptych_server.errors import EngineError

TENSORS = """
input [ { name: "x" data_type: TYPE_STRING dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_STRING dims: [ 1 ] } ]
"""
ECHO = """
import triton_python_backend_utils as pb

class TritonPythonModel:
    def execute(self, requests):
        return [pb.InferenceResponse([pb.Tensor("y", pb.get_input_tensor_by_name(each, "x").as_numpy())]) for each in requests]
"""
CLOSED = [
    ("POST", "/v2/repository/index", b""),
    ("POST", "/v2/repository/models/echo/load", b"{}"),
    ("POST", "/v2/repository/models/echo/unload", b"{}"),
    ("GET", "/v2/systemsharedmemory/status", None),
    ("GET", "/v2/systemsharedmemory/region/x/status", None),
    ("POST", "/v2/systemsharedmemory/region/x/register", b'{"key": "/x", "offset": 0, "byte_size": 4}'),
    ("POST", "/v2/systemsharedmemory/unregister", b""),
    ("GET", "/v2/cudasharedmemory/status", None),
    ("POST", "/v2/cudasharedmemory/region/x/register", b'{"raw_handle": {"b64": ""}, "device_id": 0, "byte_size": 4}'),
    ("GET", "/v2/logging", None),
    ("POST", "/v2/logging", b'{"log_verbose_level": 1}'),
    ("GET", "/v2/trace/setting", None),
    ("POST", "/v2/trace/setting", b'{"trace_level": ["TIMESTAMPS"]}'),
    ("POST", "/v2/models/echo/trace/setting", b'{"trace_rate": "1"}'),
]
OTHER_SPELLINGS = [
    "/v2/repository/index?x=1",
    "/v2/repository/index/",
    "//v2/repository/index",
    "/v2//repository/index",
    "/v2/./repository/index",
    "/v2/models/../repository/index",
    "/v2/repository/%69ndex",
    "/V2/repository/index",
    "/v2/repository;x/index",
]
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
GRPC = {
    "index": lambda client, headers: client.get_model_repository_index(headers=headers),
    "load": lambda client, headers: client.load_model("echo", headers=headers),
    "unload": lambda client, headers: client.unload_model("nothing", headers=headers),
    "system shared memory": lambda client, headers: client.get_system_shared_memory_status(headers=headers),
    "register": lambda client, headers: client.register_system_shared_memory("x", "/x", 4, headers=headers),
    "unregister": lambda client, headers: client.unregister_system_shared_memory(headers=headers),
    "CUDA shared memory": lambda client, headers: client.get_cuda_shared_memory_status(headers=headers),
    "log settings": lambda client, headers: client.get_log_settings(headers=headers),
    "log change": lambda client, headers: client.update_log_settings({"log_verbose_level": 1}, headers=headers),
    "trace settings": lambda client, headers: client.get_trace_settings(headers=headers),
    "trace change": lambda client, headers: client.update_trace_settings(settings={"trace_rate": "1"}, headers=headers),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    repository = empty_repository(tmp_path_factory.mktemp("strangers") / "repository")
    add_model(repository, "echo", 'backend: "python"' + TENSORS, code=ECHO, where="python_models")
    return repository


@pytest.fixture(scope="module")
def engine(repository, tmp_path_factory):
    """As `triptych serve` starts it, with nothing asked for."""
    with serving(repository, tmp_path_factory.mktemp("engine"), log_verbose=True) as engine:
        yield engine


def http(url, method="GET", body=None, headers=None):
    """Status and text."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize(("method", "path", "body"), CLOSED, ids=[f"{method} {path}" for method, path, _ in CLOSED])
def test_http_apis_that_change_the_server_want_the_key(engine, method, path, body):
    for key in (None, "", "x", engine.control_key[:-1], f"{engine.control_key}x"):
        headers = {} if key is None else {"triptych-control": key}
        assert http(engine.http_url + path, method, body, headers)[0] == 403


@pytest.mark.parametrize("path", OTHER_SPELLINGS)
def test_another_spelling_of_a_closed_path_is_no_way_in(engine, path):
    assert http(engine.http_url + path, "POST", b"")[0] in (403, 404)


@pytest.mark.parametrize("name", GRPC)
def test_grpc_apis_that_change_the_server_want_the_key(engine, name):
    with triton.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
        for headers in (None, {"triton-grpc-protocol-triptych-control": "x"}, {"triptych-control": engine.control_key}):
            with pytest.raises(InferenceServerException, match="restricted"):
                GRPC[name](client, headers)


def test_a_web_page_cannot_run_code_through_a_browser_on_this_machine(engine, tmp_path):
    """What a page can send without asking the server first: a POST of text to the loopback address. Triton by itself loads the model."""
    marker = tmp_path / "ran"
    code = f"open({str(marker)!r}, 'w').close()\n{ECHO}"
    config = {"name": "evil", "backend": "python", "input": [{"name": "x", "data_type": "TYPE_STRING", "dims": [1]}]}
    parameters = {"config": json.dumps(config), "file:1/model.py": base64.b64encode(code.encode()).decode()}
    body = json.dumps({"parameters": parameters}).encode()
    page = {"Content-Type": "text/plain", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert http(f"{engine.http_url}/v2/repository/models/evil/load", "POST", body, page)[0] == 403
    assert not marker.exists()


def test_the_key_shows_in_no_command_line_and_in_no_log(engine):
    shown = Path(f"/proc/{engine.pid}/cmdline").read_bytes()
    assert shown.count(b":triptych-control=xxxx") == 2
    assert engine.control_key.encode() not in shown
    assert engine.control_key not in engine.log_file.read_text(errors="replace")
    assert engine.control_key not in repr(engine.options)


def test_the_user_who_started_it_needs_to_know_no_key(engine):
    for url in (engine.grpc_url, engine.http_url):
        assert noted_key(url) == engine.control_key
    assert noted_key(engine.grpc_url.replace("127.0.0.1", "192.0.2.1")) is None, "it is not for other machines"


def test_no_answer_shows_the_inside(engine):
    paths = ["/v2/models/echo/config", "/v2/models/echo", "/v2", "/v2/models/echo/stats", "/v2/models/..%2f..%2fetc%2fpasswd"]
    answers = [http(engine.http_url + path)[1] for path in paths]
    bodies = [b"{}", b"{", b"[]", b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}']
    bodies.append(b'{"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "parameters": {"shared_memory_region": "a"}}]}')
    for model in ("echo", "nothing", "echo/versions/2", "..", "%2e%2e"):
        answers += [http(f"{engine.http_url}/v2/models/{model}/infer", "POST", body)[1] for body in bodies]
    assert len(answers) == 30
    assert [answer for answer in answers if INSIDE.search(answer.replace('"default_model_filename":"model.py"', ""))] == []


def listening():
    """Addresses, in hexadecimal, and ports; gRPC listens on IPv4 through IPv6 where there is some."""
    files = [file for file in map(Path, ("/proc/net/tcp", "/proc/net/tcp6")) if file.exists()]
    lines = [line.split() for file in files for line in file.read_text().splitlines()[1:]]
    return {(address, int(port, 16)) for _, local, _, state, *_ in lines for address, port in [local.split(":")] if state == "0A"}


def test_it_listens_on_loopback_alone(engine):
    ports = {engine.ports.http, engine.ports.grpc, engine.ports.metrics}
    assert {address for address, port in listening() if port in ports} <= LOOPBACK


needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificates with openssl")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@needs_openssl
def test_mutual_tls_lets_known_clients_in_and_shows_the_network_nothing_else(repository, certificates, tmp_path):
    tls = ServerTLS(certificates / "server.pem", certificates / "server.key", certificates / "ca.pem")
    with serving(repository, tmp_path, host="0.0.0.0", tls=tls) as engine:
        assert engine.grpc_url.startswith("grpcs://127.0.0.1:")
        known = TLS(certificates / "ca.pem", certificates / "client.pem", certificates / "client.key")
        with Client(engine.grpc_url, tls=known) as client:
            assert client.server_status().ready
        plain = engine.grpc_url.replace("grpcs", "grpc")
        for url, tls in [(engine.grpc_url, TLS(certificates / "ca.pem")), (engine.grpc_url, None), (plain, None)]:
            with Client(url, tls=tls, retry=RetryPolicy.never(), timeout=5) as client, pytest.raises(ServerUnreachable):
                client.server_status()
        open_to_all = {port for address, port in listening() if address not in LOOPBACK}
        assert engine.ports.grpc in open_to_all
        assert not {engine.ports.http, engine.ports.metrics} & open_to_all
        assert http(f"{engine.http_url}/v2/health/ready")[0] == 200
        options_of = {"root": "ca.pem", "certificate": "client.pem", "key": "client.key"}
        given = [part for name, file in options_of.items() for part in (f"--triton-tls-{name}", str(certificates / file))]
        with gateway([engine.grpc_url], tmp_path, *given, ready=False) as known:
            assert reason_of(known) == "it serves neither search nor faces", "it was let in"
        with gateway([engine.grpc_url], tmp_path, *given[:2], ready=False) as stranger:
            assert "no Triton answers" in reason_of(stranger)


def reason_of(gateway):
    """Why its Triton is not ready, once it was asked."""
    deadline = time.monotonic() + 60
    while (reason := gateway.get("/health/ready").json()["tritons"][0]["reason"]) == "not asked yet":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return reason


@needs_openssl
def test_certificates_that_cannot_be_used_are_refused_before_the_start(certificates, tmp_path):
    pem, key = certificates / "server.pem", certificates / "server.key"
    for files in [(pem, certificates / "client.key"), (tmp_path / "none.pem", key), (key, pem), (pem, key, certificates / "san")]:
        with pytest.raises(EngineError, match="TLS: these files cannot be used"):
            ServerTLS(*files)


def test_shared_memory_is_open_to_clients_only_where_it_was_asked_for(repository, tmp_path):
    with serving(repository, tmp_path, client_shared_memory=True) as engine:
        with triton.InferenceServerClient(engine.grpc_url.removeprefix("grpc://")) as client:
            client.get_system_shared_memory_status()
        assert http(f"{engine.http_url}/v2/repository/index", "POST", b"")[0] == 403
