"""Any bytes, as the JSON files that a hub or an older version left in a folder -> manifest, served names, preprocessing.

Must hold: CacheError, ConfigError and ModelImportError at most, each of its reader; a manifest that was read names files below its folder
alone and is written back as it was; preprocessing that was read is one that a config can hold.
"""

import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.fuzz.target import Target
from tests.support.serving import CHECKOUT
from triptych_server.errors import CacheError, ConfigError, ModelImportError
from triptych_server.models import manifest, preprocess, served_names
from triptych_server.repository import FOLDERS, Repository
from triptych_server.vision.clip_transform import ClipTransform


@cache
def _made() -> tempfile.TemporaryDirectory:
    """One for the whole process, which looks like a repository and like a model's folder; it is removed at its end."""
    made = tempfile.TemporaryDirectory()
    for name in (*FOLDERS, "visual"):
        (Path(made.name) / name).mkdir()
    return made


def folder() -> Path:
    return Path(_made().name)


def check(data: bytes) -> None:
    _manifest(data)
    (folder() / served_names.FILE).write_bytes(data)
    with suppress(ConfigError):
        assert isinstance(served_names.served_names(Repository(folder())), dict)
    for name in ("config.json", "preprocessor_config.json", "visual/preprocess_cfg.json"):
        file = folder() / name
        file.write_bytes(data)
        with suppress(ModelImportError):
            read = preprocess.read_preprocess(folder())
            ClipTransform(read.size, read.resize_mode, read.interpolation)
        file.unlink()


def _manifest(data: bytes) -> None:
    file = folder() / manifest.FILE
    file.write_bytes(data)
    try:
        read = manifest.Manifest.read(folder())
    except CacheError:
        return
    assert all((folder() / each.path).resolve().is_relative_to(folder().resolve()) for each in read.files), read
    assert read.size >= 0
    read.write(folder())
    assert manifest.Manifest.read(folder()) == read
    for _ in read.damage(folder()):
        pass


def seeds() -> list[bytes]:
    visual = CHECKOUT.demo_weights / "visual" / "preprocess_cfg.json"
    whole = (
        b'{"repository":"a/b","revision":"main","commit":"0","endpoint":"e","files":[{"path":"visual/model.onnx","size":3,"sha256":"00"}]}'
    )
    texts = [
        b'{"vision_cfg":{"image_size":[224,224],"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5],"image_interpolation":"bicubic"}}',
        b'{"do_normalize":true,"size":{"shortest_edge":224},"crop_size":{"height":224,"width":224},"resample":3,"do_center_crop":true}',
        b'{"clip":{"repository":"a/b","revision":"main","commit":"0","legacy_resize":false}}',
        b'{"size":"1e9","mean":[1e999,NaN,-0],"std":"123","mode":"L"}',
        b"[]",
        b"null",
        b"{",
        b"",
        b"\xff",
        b"[" * 5000,
    ]
    return [visual.read_bytes(), (CHECKOUT.demo_weights / "config.json").read_bytes(), whole, *texts]


TARGET = Target(check, seeds, max_length=6000)
