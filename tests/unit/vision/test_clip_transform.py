"""ClipTransform against what OpenCLIP does with PIL, on real photos and drawn pictures."""

from importlib import import_module
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests.support.drawn import encode, picture
from tests.support.real import REAL, needs_real, photos
from triptych_server.errors import ConfigError
from triptych_server.vision.clip_transform import ClipTransform


def openclip(image: Image.Image, size: int = 224, resample: Image.Resampling = Image.Resampling.BICUBIC) -> NDArray[np.uint8]:
    """open_clip's inference transform up to ToTensor, with the arithmetic torchvision documents for Resize and CenterCrop."""
    width, height = image.size
    if width <= height:
        new_width, new_height = size, int(size * height / width)
    else:
        new_width, new_height = int(size * width / height), size
    image = image.resize((new_width, new_height), resample)
    left, top = round((new_width - size) / 2.0), round((new_height - size) / 2.0)
    return np.asarray(image.crop((left, top, left + size, top + size)).convert("RGB"))


def off_by(ours: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Mean absolute difference, in steps of 1/255."""
    assert ours.shape == reference.shape
    return float(np.abs(ours.astype(np.int16) - reference.astype(np.int16)).mean())


def upright(data: bytes) -> Image.Image:
    return ImageOps.exif_transpose(Image.open(BytesIO(data)))


def at_1440(path: Path) -> bytes:
    """The photo as Immich's preview of it: 1440 px, JPEG quality 80, 4:2:0."""
    image = Image.open(path).convert("RGB")
    factor = 1440 / max(image.size)
    resized = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
    return encode(resized, "jpeg", quality=80, subsampling=2)


@needs_real
@pytest.mark.parametrize("path", photos(), ids=lambda path: path.name)
@pytest.mark.parametrize("size", [224, 256, 336])
def test_exact_is_openclip_to_rounding_on_every_photo(path: Path, size: int) -> None:
    data = path.read_bytes()
    assert off_by(ClipTransform(size, decode="exact")(data), openclip(upright(data), size)) <= 0.05


@needs_real
@pytest.mark.parametrize("path", photos(), ids=lambda path: path.name)
@pytest.mark.parametrize("size", [224, 256, 336])
def test_scaled_is_within_one_step_of_openclip_on_every_photo(path: Path, size: int) -> None:
    data = path.read_bytes()
    assert off_by(ClipTransform(size)(data), openclip(upright(data), size)) <= 1.0


@needs_real
@pytest.mark.parametrize("path", [path for path in photos("*.jpg") if "exif6" not in path.name], ids=lambda path: path.name)
def test_scaled_is_within_one_step_on_previews_of_1440_px(path: Path) -> None:
    data = at_1440(path)
    difference = off_by(ClipTransform(224)(data), openclip(upright(data)))
    assert 0 < difference <= 1.0  # 0 would mean that nothing was decoded reduced


@needs_real
def test_scaled_decodes_fewer_pixels_than_exact() -> None:
    from triptych_server.vision.decode import Limits, decode_picture

    assert REAL
    data = (REAL / "photos" / "group_sts106_crew.jpg").read_bytes()  # 1280 x 878
    whole, reduced = decode_picture(data, Limits()), decode_picture(data, Limits(), min_side=300)
    assert (whole.image.size, whole.scale) == ((1280, 878), 1.0)
    assert (reduced.image.size, reduced.scale) == ((480, 330), 3 / 8)
    assert (reduced.width, reduced.height) == (1280, 878)


@needs_real
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("name", ["group_sts106_crew.jpg", "variant_exif6.jpg"])
def test_squash_resizes_the_whole_picture_to_a_square(name: str, interpolation: str) -> None:
    assert REAL
    data = (REAL / "photos" / name).read_bytes()
    resample = Image.Resampling[interpolation.upper()]
    reference = np.asarray(upright(data).resize((256, 256), resample))
    exact = ClipTransform(256, "squash", interpolation, "exact")(data)  # type: ignore[arg-type]
    scaled = ClipTransform(256, "squash", interpolation)(data)  # type: ignore[arg-type]
    assert off_by(exact, reference) <= 0.05
    assert off_by(scaled, reference) <= 1.0


def test_torchvision_agrees_with_the_reference_of_these_tests() -> None:
    try:
        transforms = import_module("torchvision.transforms")
    except (ImportError, RuntimeError):  # RuntimeError: its wheel does not go with the CPU wheel of torch
        pytest.skip("torchvision is not installed, or not for this torch")
    mode = transforms.InterpolationMode.BICUBIC
    for width, height in [(301, 200), (200, 301), (97, 96), (640, 427), (225, 1000)]:
        image = picture(width, height)
        theirs = transforms.Compose([transforms.Resize(224, mode), transforms.CenterCrop(224)])(image)
        assert np.array_equal(np.asarray(theirs), openclip(image))


def test_agrees_with_the_image_processor_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    processor = transformers.CLIPImageProcessorPil(do_normalize=False, do_rescale=False)
    image = picture(640, 426)  # long side 336: an even margin, where both round the crop alike
    theirs = processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    assert off_by(ClipTransform(224, decode="exact")(encode(image, "png")), theirs) <= 0.05


@given(width=st.integers(1, 400), height=st.integers(1, 400), size=st.sampled_from([16, 31, 64, 224]), squash=st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_exact_is_the_reference_for_every_size_and_proportion(width: int, height: int, size: int, squash: bool) -> None:
    if max(width, height) > 60 * min(width, height):
        width, height = 200, 7
    image = picture(width, height)
    ours = ClipTransform(size, "squash" if squash else "shortest", decode="exact")(encode(image, "png"))
    reference = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)) if squash else openclip(image, size)
    assert off_by(ours, reference) <= 0.05


@pytest.mark.parametrize("decode", ["scaled", "exact"])
@pytest.mark.parametrize("resize_mode", ["shortest", "squash"])
@pytest.mark.parametrize("size", [(1000, 701), (701, 1000), (130, 87)])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int, size: tuple[int, int], resize_mode: str, decode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture(*size), "jpeg", quality=95, exif=exif)
    standing = upright(data)
    assert standing.size == (size if orientation < 5 else size[::-1])
    transform = ClipTransform(64, resize_mode, decode=decode)  # type: ignore[arg-type]
    reference = openclip(standing, 64) if resize_mode == "shortest" else np.asarray(standing.resize((64, 64), Image.Resampling.BICUBIC))
    assert off_by(transform(data), reference) <= (0.05 if decode == "exact" else 1.0)


@pytest.mark.parametrize("kind", ["png", "webp_lossless", "tiff"])
@pytest.mark.parametrize("decode", ["scaled", "exact"])
def test_exif_orientation_of_other_formats_is_applied(kind: str, decode: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(picture(300, 200), kind, exif=exif)
    reference = openclip(picture(300, 200).transpose(Image.Transpose.ROTATE_270), 64)
    assert off_by(ClipTransform(64, decode=decode)(data), reference) <= (0.05 if decode == "exact" else 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp", "tiff", "gif"])
def test_result_is_a_writable_contiguous_uint8_square(kind: str) -> None:
    result = ClipTransform(224)(encode(picture(333, 250), kind))
    assert result.dtype.name == "uint8"
    assert result.shape == (224, 224, 3)
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert off_by(result, openclip(picture(333, 250))) < 12  # a GIF has 256 colours only


def test_a_memoryview_is_as_good_as_bytes() -> None:
    data = encode(picture(), "jpeg")
    assert np.array_equal(ClipTransform(32)(memoryview(data)), ClipTransform(32)(data))


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({}, "size is missing"),
        ({"size": "large"}, "'large'; expected a whole number"),
        ({"size": "0"}, "size is 0; expected 16"),
        ({"size": "224", "resize_mode": "longest"}, "'longest'; expected shortest or squash"),
        ({"size": "224", "interpolation": "nearest"}, "'nearest'; expected bicubic or bilinear"),
        ({"size": "224", "decode": "fast"}, "'fast'; expected scaled or exact"),
        ({"size": "224", "max_pixels": "0"}, "max_pixels is 0"),
        ({"size": "224", "max_bytes": "-1"}, "max_bytes is -1"),
        ({"size": "224", "resizemode": "squash"}, "Unknown parameter resizemode"),
    ],
)
def test_parameters_that_make_no_sense_are_config_errors(parameters: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        ClipTransform.from_parameters(parameters)


def test_parameters_become_settings_and_those_of_triton_are_passed_over() -> None:
    given = {"size": "384", "resize_mode": "squash", "interpolation": "bilinear", "decode": "exact", "max_pixels": "9", "max_bytes": "8"}
    expected = ClipTransform(384, "squash", "bilinear", "exact", 9, 8)
    assert ClipTransform.from_parameters(given | {"FORCE_CPU_ONLY_INPUT_TENSORS": "no"}) == expected


def test_many_threads_get_what_one_gets() -> None:
    transform = ClipTransform(64)
    files = [encode(picture(700 + 10 * i, 500), kind) for i in range(4) for kind in ("jpeg", "png", "webp", "gif", "tiff_lzw", "bmp")]
    alone = [transform(data) for data in files]
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(i for i, data in enumerate(files) if not np.array_equal(transform(data), alone[i]))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
