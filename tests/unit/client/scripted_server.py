"""A tiny real server that speaks Triton's gRPC or HTTP and answers as a test scripts it; it records what it was sent."""

import json
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import model_config_pb2, service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype

DIM = 4
MAX_BATCH = 3
HTTP_STATUS = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "UNAVAILABLE": 503, "INTERNAL": 500}


@dataclass(frozen=True)
class Seen:
    """One inference request as it arrived."""

    model: str
    inputs: dict[str, list[Any]]  # bytes, or numbers where the datatype is not BYTES
    datatypes: dict[str, str]
    shapes: dict[str, list[int]]
    outputs: list[str]
    priority: int
    timeout_us: int
    request_id: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """A scripted answer: after `delay` seconds an error, or (no status) what the model gives."""

    status: str | None = None
    message: str = ""
    delay: float = 0.0


@dataclass
class Script:
    """What to answer, in order; when it is used up, what the models give.

    `parameters`: of every model's config. `faces`: how many there are on every picture. `tensors`: sent in place of the models' own; None leaves one out.
    """

    replies: list[Reply] = field(default_factory=list)
    faces: int = 2
    tensors: dict[str, np.ndarray | None] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    ready: bool = True
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: int = 0
    most_busy: int = 0

    def next(self, request: Seen) -> Reply:
        if request.model == "on_demand":  # it unloads nothing
            return Reply("NOT_FOUND", "Request for unknown model: 'on_demand' is not found")
        with self.lock:
            self.seen.append(request)
            reply = self.replies.pop(0) if self.replies else Reply()
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        time.sleep(reply.delay)
        with self.lock:
            self.busy -= 1
        return reply


def embedding_of(item: bytes) -> np.ndarray:
    """Something that tells items apart: [length, first byte, last byte, 1]."""
    return np.array([len(item), item[0] if item else 0, item[-1] if item else 0, 1], dtype=np.float32)


def faces_of(count: int) -> dict[str, np.ndarray]:
    """The tensors of so many faces, all different, the surest first, in a picture of 640 x 480."""
    place = np.arange(count, dtype=np.float32)
    return {
        "boxes": (place[:, None] * 10 + np.float32([1.5, 2, 31, 42]))[None],
        "landmarks": (place[:, None, None] * 10 + np.arange(10, dtype=np.float32).reshape(5, 2))[None],
        "scores": (1 - place / 100)[None].astype(np.float32),
        "embeddings": (place[:, None] + np.float32([0, 0.25, 0.5, 0.75]))[None],
        "size": np.array([[640, 480]], dtype=np.int32),
    }


def tensors_of(request: Seen, script: Script) -> dict[str, np.ndarray]:
    """Every output that was asked for."""
    items = next(iter(request.inputs.values()))
    given = {"embedding": np.stack([embedding_of(item) for item in items]), **faces_of(script.faces), **script.tensors}
    return {name: given[name] for name in request.outputs if given[name] is not None}


def read(datatype: str, raw: bytes) -> list[Any]:
    return split(raw) if datatype == "BYTES" else np.frombuffer(raw, triton_to_np_dtype(datatype)).tolist()


def split(raw: bytes) -> list[bytes]:
    items, position = [], 0
    while position < len(raw):
        (size,) = struct.unpack_from("<I", raw, position)
        items.append(raw[position + 4 : position + 4 + size])
        position += 4 + size
    return items


def agreed(tritons: int, ours: int) -> int:
    """The priority, which goes to Triton's queues and to ours."""
    assert tritons == ours
    return tritons


class Grpc(service_pb2_grpc.GRPCInferenceServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        seen = Seen(
            request.model_name,
            {t.name: read(t.datatype, raw) for t, raw in zip(request.inputs, request.raw_input_contents, strict=True)},
            {t.name: t.datatype for t in request.inputs},
            {t.name: list(t.shape) for t in request.inputs},
            [output.name for output in request.outputs],
            agreed(request.parameters["priority"].uint64_param, request.parameters["triptych_priority"].int64_param),
            request.parameters["timeout"].int64_param,
            request.id,
            dict(context.invocation_metadata()),
        )
        reply = self.script.next(seen)
        if reply.status:
            context.abort(grpc.StatusCode[reply.status], reply.message)
        answer = tensors_of(seen, self.script)
        form = service_pb2.ModelInferResponse.InferOutputTensor
        outputs = [form(name=name, datatype=np_to_triton_dtype(tensor.dtype), shape=tensor.shape) for name, tensor in answer.items()]
        raw = [tensor.tobytes() for tensor in answer.values()]
        return service_pb2.ModelInferResponse(model_name=seen.model, id=seen.request_id, outputs=outputs, raw_output_contents=raw)

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        config = model_config_pb2.ModelConfig(name=request.name, max_batch_size=MAX_BATCH)
        for key, value in self.script.parameters.items():
            config.parameters[key].string_value = value
        config.output.add(name="embedding", dims=[DIM])
        return service_pb2.ModelConfigResponse(config=config)

    def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return service_pb2.ServerReadyResponse(ready=self.script.ready)


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        size = int(self.headers["Inference-Header-Content-Length"])
        request, position = json.loads(body[:size]), size
        inputs = {}
        for tensor in request["inputs"]:
            length = tensor["parameters"]["binary_data_size"]
            inputs[tensor["name"]] = read(tensor["datatype"], body[position : position + length])
            position += length
        seen = Seen(
            self.path.split("/")[-2],
            inputs,
            {t["name"]: t["datatype"] for t in request["inputs"]},
            {t["name"]: t["shape"] for t in request["inputs"]},
            [output["name"] for output in request["outputs"]],
            agreed(request["parameters"]["priority"], request["parameters"]["triptych_priority"]),
            request["parameters"]["timeout"],
            request.get("id", ""),
            {name.lower(): value for name, value in self.headers.items()},
        )
        reply = self.script.next(seen)
        if reply.status:
            self.answer(HTTP_STATUS[reply.status], json.dumps({"error": reply.message}).encode())
            return
        answer = tensors_of(seen, self.script)
        outputs = [
            {
                "name": name,
                "datatype": np_to_triton_dtype(tensor.dtype),
                "shape": tensor.shape,
                "parameters": {"binary_data_size": tensor.nbytes},
            }
            for name, tensor in answer.items()
        ]
        head = json.dumps({"model_name": seen.model, "outputs": outputs}).encode()
        binary = b"".join(tensor.tobytes() for tensor in answer.values())
        self.answer(200, head + binary, {"Inference-Header-Content-Length": str(len(head))})

    def do_GET(self) -> None:
        self.answer(200, json.dumps({"name": "search_text", "max_batch_size": MAX_BATCH}).encode())

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def grpc_server(script: Script, credentials: Any = None, port: int = 0) -> Iterator[str]:
    """Serve gRPC (port 0: any free one); yields host:port."""
    server = grpc.server(ThreadPoolExecutor(32))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Grpc(script), server)
    address = f"127.0.0.1:{port}"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


@contextmanager
def http_server(script: Script, context: Any = None, port: int = 0) -> Iterator[str]:
    """Serve HTTP (port 0: any free one); yields host:port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (Http,), {"script": script}))
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
