"""A Hugging Face hub on this machine: real HTTP on 127.0.0.1, the parts of the protocol that pulling uses, and faults on demand.

It speaks the model API (revisions, files with sizes and checksums), resolve addresses (HEAD and GET, ranges, ETag, X-Repo-Commit),
sends large files on to a second address as the real one does to its CDN, and answers 401, 403 and 404 with the real one's
X-Error-Code. It offers no Xet.
"""

import hashlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".onnx", ".data", ".safetensors", ".armnn", ".rknn", ".bin")
"""Kept in large-file storage, as hubs do with these."""

Files = dict[str, bytes]


@dataclass
class Fault:
    """What happens to the next `times` answers for paths that match `where`: a status, a connection cut or stalled after so many
    bytes, changed bytes, or a range that is not honoured."""

    where: str
    status: int | None = None
    cut: int | None = None
    stall: int | None = None
    corrupt: bool = False
    whole: bool = False
    times: int = 1


@dataclass
class Asked:
    """One request that came."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class Hub:
    """What is on it. `revisions`: {repository: {revision: commit}}; `tokens`: {repository: the token that may read it}."""

    url: str = ""
    cdn: str = ""
    commits: dict[tuple[str, str], Files] = field(default_factory=dict)
    revisions: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    pace: float = 0.0
    closing: threading.Event = field(default_factory=threading.Event)

    def add(self, repository: str, files: Files | Path, revision: str = "main") -> str:
        """Put files (or those of a folder) on a revision; returns the commit."""
        if isinstance(files, Path):
            files = {file.relative_to(files).as_posix(): file.read_bytes() for file in files.rglob("*") if file.is_file()}
        digest = hashlib.sha1(repr(sorted((name, hashlib.sha1(data).digest()) for name, data in files.items())).encode())
        commit = digest.hexdigest()
        self.commits[repository, commit] = files
        self.revisions.setdefault(repository, {})[revision] = commit
        return commit

    def fault(self, where: str, **what: Any) -> None:
        self.faults.append(Fault(where, **what))

    def take_fault(self, path: str) -> Fault | None:
        sends_on = "/resolve/" in path and path.endswith(LARGE)  # no bytes that a fault could concern
        for fault in self.faults:
            if re.search(fault.where, path) and fault.times > 0 and not (sends_on and fault.status is None):
                fault.times -= 1
                return fault
        return None

    def gets(self, part: str = "") -> list[Asked]:
        """The requests for files whose path contains `part`, at the address that sends the bytes."""
        return [asked for asked in self.asked if asked.method == "GET" and "/cdn/" in asked.path and part in asked.path]


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub with nothing on it, on free ports of 127.0.0.1, until the block ends."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    hub.url, hub.cdn = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(Asked(self.command, path, {name.lower(): value for name, value in self.headers.items()}))
        fault = self.hub.take_fault(path)
        if fault and fault.status:
            return self.refuse(fault.status, message="made to fail")
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self.model(found[1], found[2] or "main", fault)
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.resolve(found[1], found[2], found[3], fault)
        if found := re.fullmatch(r"/cdn/([^/]+/[^/]+)/([^/]+)/(.+)", path):
            return self.content(self.hub.commits[found[1], found[2]][found[3]], fault)
        return self.refuse(404)

    def allowed(self, repository: str) -> bool:
        """Whether the request may see it; else it has been answered."""
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token == "hf_wrong":
            self.refuse(401, message="Invalid credentials in Authorization header")
        elif repository not in self.hub.revisions or (token != self.hub.tokens.get(repository, token) and repository not in self.hub.gated):
            self.refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        elif token != self.hub.tokens.get(repository, token):
            self.refuse(403, "GatedRepo", "Access to this repository is restricted")
        else:
            return True
        return False

    def model(self, repository: str, revision: str, fault: Fault | None) -> None:
        if not self.allowed(repository):
            return None
        commit = self.commit(repository, revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        siblings = []
        for path, data in self.hub.commits[repository, commit].items():
            sibling: dict[str, Any] = {"rfilename": path}
            if "blobs=" in self.path:
                sibling |= {"size": len(data), "blobId": _blob(data)}
                if path.endswith(LARGE):
                    sibling["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 134}
            siblings.append(sibling)
        body = {
            "_id": "1",
            "id": repository,
            "modelId": repository,
            "sha": commit,
            "private": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
        }
        return self.content(json.dumps(body | {"siblings": siblings}).encode(), fault, kind="application/json")

    def resolve(self, repository: str, revision: str, path: str, fault: Fault | None) -> None:
        if not self.allowed(repository):
            return None
        commit = self.commit(repository, revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        data = self.hub.commits[repository, commit].get(path)
        if data is None:
            return self.refuse(404, "EntryNotFound", "Entry not found")
        large = path.endswith(LARGE)
        etag = hashlib.sha256(data).hexdigest() if large else _blob(data)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"'}
        if not large:
            return self.content(data, fault, headers)
        self.send_response(302)
        self.send_header("Location", f"{self.hub.cdn}/cdn/{repository}/{commit}/{path}?signature=secret")
        for name, value in (headers | {"X-Linked-Size": str(len(data)), "X-Linked-Etag": f'"{etag}"', "Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()
        return None

    def content(
        self, data: bytes, fault: Fault | None, headers: Mapping[str, str] | None = None, kind: str = "application/octet-stream"
    ) -> None:
        fault = fault or Fault("")
        if fault.corrupt:
            data = bytes([data[0] ^ 1]) + data[1:]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked and not fault.whole else 0
        if start >= len(data) > 0:
            return self.refuse(416)
        self.send_response(206 if start else 200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Type", kind)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "HEAD":
            return None
        stop = fault.cut if fault.cut is not None else fault.stall
        self.send(data[start:] if stop is None else data[start : start + stop])
        if fault.stall is not None:
            self.hub.closing.wait(30)
        if stop is not None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        return None

    def send(self, data: bytes) -> None:
        """All at once, or in pieces with a pause after each."""
        step = 65536 if self.hub.pace else max(len(data), 1)
        try:
            for at in range(0, len(data), step):
                self.wfile.write(data[at : at + step])
                self.wfile.flush()
                time.sleep(self.hub.pace)
        except (BrokenPipeError, ConnectionResetError):  # the client went away, as some tests want it to
            self.close_connection = True

    def commit(self, repository: str, revision: str) -> str | None:
        return self.hub.revisions[repository].get(revision) or (revision if (repository, revision) in self.hub.commits else None)

    def refuse(self, status: int, code: str = "", message: str = "") -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        if message:
            self.send_header("X-Error-Message", message)
        body = json.dumps({"error": message}).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def clip_files(seed: int = 1, size: int = 300_000) -> Files:
    """A CLIP as Immich's legacy revision has it, with noise for networks, and the files of other runtimes that must not be fetched."""
    return {
        ".gitattributes": b"*.onnx filter=lfs",
        "README.md": b"# a model",
        "config.json": json.dumps({"embed_dim": 8, "vision_cfg": {"image_size": 32}, "text_cfg": {"context_length": 16}}).encode(),
        "visual/model.onnx": noise(seed, size),
        "visual/preprocess_cfg.json": b'{"size": [32, 32]}',
        "visual/model.armnn": noise(seed + 1, 5000),
        "visual/rknpu/rk3588/model.rknn": noise(seed + 2, 5000),
        "textual/model.onnx": noise(seed + 3, size // 2),
        "textual/tokenizer.json": b'{"version": "1.0"}',
        "textual/tokenizer_config.json": b"{}",
        "textual/model.armnn": noise(seed + 4, 5000),
        "textual/rknpu/rk3566/model.rknn": noise(seed + 5, 5000),
    }


def clip_v2_files(seed: int = 11) -> Files:
    """The same in the v2 revision's form: weights in a file of their own, here and there with an exporter's odd names."""
    return clip_files(seed, 3000) | {
        "visual/model.safetensors": noise(seed + 6, 200_000),
        "textual/model.onnx.data": noise(seed + 7, 100_000),
        "textual/onnx__MatMul_1234": noise(seed + 8, 7000),
    }


def face_files(seed: int = 21) -> Files:
    """A face pack."""
    return {
        "README.md": b"# faces",
        "detection/model.onnx": noise(seed, 40_000),
        "detection/model.armnn": noise(seed + 1, 400),
        "detection/rknpu/rk3568/model.rknn": noise(seed + 2, 400),
        "recognition/model.onnx": noise(seed + 3, 90_000),
        "recognition/model.rknn": noise(seed + 4, 400),
    }


def noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress, the same for the same seed."""
    import random

    return random.Random(seed).randbytes(size)


def hub_environment(hub: Hub, cache: Path, **more: str) -> dict[str, str]:
    """For a `triptych` of its own process: this hub, a cache of its own, nothing of the user's."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_") and not name.lower().endswith("_proxy")}
    folders = {"HF_HOME": str(cache.parent / "hf"), "XDG_CACHE_HOME": str(cache.parent / "xdg"), "TRIPTYCH_CACHE": str(cache)}
    return clean | {"HF_ENDPOINT": hub.url} | folders | more


def _blob(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
