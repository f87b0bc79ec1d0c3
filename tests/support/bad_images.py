"""A deterministic corpus of bad images, (name, bytes, fragment of the message they must get), and one of odd images that are good.

The messages are those for the default limits, but for `over_byte_budget`, which is one byte over `SMALL_BYTE_BUDGET`.
"""

import re
import struct
import zlib
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.support.drawn import ENCODINGS, encode, picture

SMALL_BYTE_BUDGET = 200_000
INSIDE = re.compile(r"/(work|tmp|usr|root|home|opt|venv|site-packages)\b|Traceback|\.py\b")
"""What no message to a caller may show."""


class BadImage(NamedTuple):
    """One bad input, and what its error must say."""

    name: str
    data: bytes
    reason: str


def bad_images() -> list[BadImage]:
    """At least 70 inputs, each of which must be refused with a sentence that contains `reason`."""
    cases = [*_no_pictures(), *_other_formats(), *_wrong_magic(), *_truncated(), *_zero_sized(), *_bombs(), *_damaged(), *_odd_pixels()]
    return [BadImage(*case) for case in cases]


def over_byte_budget() -> BadImage:
    """A good JPEG, padded to one byte over `SMALL_BYTE_BUDGET`."""
    jpeg = encode(picture(), "jpeg")
    return BadImage("over_byte_budget", jpeg + bytes(SMALL_BYTE_BUDGET + 1 - len(jpeg)), "more than the limit of 200,000")


def odd_but_good() -> list[tuple[str, bytes]]:
    """Pictures with broken or absurd metadata, or of unusual but sound make: none of them may be refused."""
    exif = {
        "exif_is_noise": b"Exif\0\0" + np.random.default_rng(5).bytes(400),
        "exif_header_only": b"Exif\0\0",
        "exif_offset_beyond_end": b"Exif\0\0II*\0" + struct.pack("<I", 0xFFFFFFF0),
        "exif_count_absurd": b"Exif\0\0II*\0" + struct.pack("<IHHHII", 8, 0xFFFF, 0x0112, 3, 0xFFFFFFFF, 6),
        "exif_points_at_itself": b"Exif\0\0II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8),
        "exif_orientation_0": _orientation(0),
        "exif_orientation_9": _orientation(9),
        "exif_orientation_65535": _orientation(65535),
        "exif_orientation_is_text": b"Exif\0\0II*\0" + struct.pack("<IHHHI4sI", 8, 1, 0x0112, 2, 4, b"six\0", 0),
        "exif_orientation_is_two_numbers": b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 2, 6, 8, 0),
        "exif_orientation_divides_by_zero": b"Exif\0\0II*\0" + struct.pack("<IHHHIIIII", 8, 1, 0x0112, 5, 1, 26, 0, 1, 0),
    }
    jpeg, large = encode(picture(), "jpeg"), encode(picture(900, 700), "jpeg")
    return [
        *((f"jpeg_{name}", with_segment(jpeg, 0xE1, block)) for name, block in exif.items()),
        *((f"large_jpeg_{name}", with_segment(large, 0xE1, block)) for name, block in exif.items()),
        *((f"png_{name}", _png(extra=[(b"eXIf", block[6:])])) for name, block in exif.items()),
        *((f"webp_{name}", encode(picture(), "webp", exif=block)) for name, block in exif.items() if len(block) > 6),
        ("jpeg_without_huffman_tables", jpeg[: jpeg.index(b"\xff\xc4")] + jpeg[jpeg.index(b"\xff\xda") :]),  # the standard's hold
        ("jpeg_trailing_noise", jpeg + bytes(1000)),
        ("large_jpeg_trailing_noise", large + b"\0\xff" * 500),
        ("jpeg_icc_is_noise", with_segment(jpeg, 0xE2, b"ICC_PROFILE\0\1\1" + bytes(50))),
        ("jpeg_comment_of_64k", with_segment(jpeg, 0xFE, b"x" * 65000)),
        ("jpeg_mpf_is_noise", with_segment(jpeg, 0xE2, b"MPF\0" + bytes(40))),
        ("jpeg_1x1", encode(picture(1, 1), "jpeg")),
        ("png_1x1", encode(picture(1, 1), "png")),
        ("png_1x3000", encode(picture(1, 3000), "png")),
        ("jpeg_3000x1", encode(picture(3000, 1), "jpeg")),
        ("png_no_end_chunk", encode(picture(), "png")[:-12]),
    ]


def _no_pictures() -> list[tuple[str, bytes, str]]:
    unknown = "no picture of a format we read"
    return [
        ("empty", b"", "empty"),
        ("one_byte", b"\xff", unknown),
        ("one_zero_byte", b"\0", unknown),
        ("zeros", bytes(5000), unknown),
        ("text", b"this is no picture, only a sentence", unknown),
        ("utf8_text", "это не картинка".encode(), unknown),
        ("html", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", unknown),
        ("json", b'{"error": "not found"}', unknown),
        ("base64_of_a_jpeg", b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQ=", unknown),
        *((f"random_bytes_{seed}", np.random.default_rng(seed).bytes(4096), unknown) for seed in range(6)),
    ]


def _other_formats() -> list[tuple[str, bytes, str]]:
    unknown = "no picture of a format we read"
    small = picture(8, 8)
    ppm = b"P6 8 8 255\n" + small.tobytes()
    return [
        ("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", unknown),
        ("pdf", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF", unknown),
        ("svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', unknown),
        ("psd", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(300), unknown),
        ("ppm", ppm, unknown),
        ("ico", b"\0\0\1\0\1\0\x10\x10" + bytes(200), unknown),
        ("fits", b"SIMPLE  =                    T".ljust(2880), unknown),
        ("tga", bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 24, 0]) + small.tobytes(), unknown),
        ("jpeg2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100), unknown),
        ("heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), unknown),
        ("avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(100), unknown),
        ("mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100), unknown),
        ("zip", b"PK\3\4" + bytes(100), unknown),
        ("wav_in_riff", b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), unknown),
    ]


def _wrong_magic() -> list[tuple[str, bytes, str]]:
    cannot = "cannot be decoded"
    png, jpeg, bmp = (encode(picture(), kind) for kind in ("png", "jpeg", "bmp"))
    return [
        ("jpeg_magic_on_png", jpeg[:3] + png[3:], cannot),
        ("png_magic_on_jpeg", png[:8] + jpeg, cannot),
        ("gif_magic_on_text", b"GIF89a and then nothing of use", cannot),
        ("bmp_magic_on_text", b"BM is how this sentence begins, by chance only, but it is long enough.", cannot),
        ("tiff_magic_on_text", b"II*\0 and some other words", cannot),
        ("webp_magic_on_bmp", b"RIFF" + struct.pack("<I", len(bmp)) + b"WEBP" + bmp, cannot),
        ("png_first_byte_wrong", b"\x88" + png[1:], "no picture of a format we read"),
        ("jpeg_first_byte_wrong", b"\xfe" + jpeg[1:], "no picture of a format we read"),
    ]


def _truncated() -> list[tuple[str, bytes, str]]:
    cases = []
    for kind in ENCODINGS:
        whole = encode(picture(), kind)
        for percent in (10, 50, 90):
            cut = whole[: len(whole) * percent // 100]
            cases.append((f"{kind}_cut_at_{percent}", cut, "cannot be decoded"))
    large = encode(picture(1200, 900), "jpeg")  # large enough to be decoded reduced
    progressive = encode(picture(1200, 900), "progressive")
    grey = encode(picture(1200, 900, "L"), "jpeg")
    cmyk = encode(picture(1200, 900, "CMYK"), "jpeg")
    for name, whole in (("large_jpeg", large), ("large_progressive", progressive), ("large_grey", grey), ("large_cmyk", cmyk)):
        cases += [(f"{name}_cut_at_{percent}", whole[: len(whole) * percent // 100], "truncated") for percent in (60, 80, 99)]
    return cases


def _zero_sized() -> list[tuple[str, bytes, str]]:
    zero = "zero-sized"
    gif = encode(picture(), "gif")
    bmp = encode(picture(), "bmp")
    jpeg = encode(picture(), "jpeg")
    return [
        ("png_zero_width", _png(width=0), zero),
        ("png_zero_height", _png(height=0), zero),
        ("gif_zero_by_zero", gif[:6] + bytes(4) + b"\0\0\0;", "cannot be decoded"),
        ("bmp_zero_width", bmp[:18] + bytes(4) + bmp[22:], zero),
        ("bmp_zero_height", bmp[:22] + bytes(4) + bmp[26:], zero),
        ("tiff_zero_width", _tiff(0, 64), zero),
        ("tiff_zero_height", _tiff(96, 0), zero),
        ("jpeg_zero_width", _jpeg_of_size(jpeg, 0, 64), zero),
        ("jpeg_zero_height", _jpeg_of_size(jpeg, 96, 0), zero),
    ]


def _bombs() -> list[tuple[str, bytes, str]]:
    limit = "more than the limit of 100,000,000"
    gif, bmp, jpeg = (encode(picture(), kind) for kind in ("gif", "bmp", "jpeg"))
    vp8x = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0\xff\x3f\0"
    vp8l = b"VP8L" + struct.pack("<I", 5) + b"\x2f\xff\xff\xff\x0f" + b"\0"
    vp8 = b"VP8 " + struct.pack("<I", 10) + b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383)
    return [
        ("png_60000x60000", _png(width=60000, height=60000), limit),
        ("png_2_billion_wide", _png(width=2**31 - 1, height=2**31 - 1), limit),
        ("png_just_over", _png(width=10_001, height=10_000), limit),
        ("gif_65535x65535", gif[:6] + b"\xff" * 4 + gif[10:], limit),
        ("bmp_60000x60000", bmp[:18] + struct.pack("<ii", 60000, 60000) + bmp[26:], limit),
        ("bmp_upside_down_60000x60000", bmp[:18] + struct.pack("<ii", 60000, -60000) + bmp[26:], limit),
        ("tiff_60000x60000", _tiff(60000, 60000), limit),
        ("jpeg_65500x65500", _jpeg_of_size(jpeg, 65500, 65500), limit),
        *(
            (f"webp_{name}_16383x16383", b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk, limit)
            for name, chunk in (("extended", vp8x), ("lossless", vp8l), ("lossy", vp8))
        ),
    ]


def _damaged() -> list[tuple[str, bytes, str]]:
    cannot = "cannot be decoded"
    png, gif, jpeg = (encode(picture(), kind) for kind in ("png", "gif", "jpeg"))
    large = encode(picture(1200, 900), "jpeg")
    idat = png.index(b"IDAT")
    scan, frame, tables = jpeg.index(b"\xff\xda"), jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xc4")
    return [
        ("png_header_crc_wrong", png[:29] + bytes([png[29] ^ 1]) + png[30:], cannot),
        ("png_pixels_are_noise", png[: idat + 4] + np.random.default_rng(7).bytes(60) + png[idat + 64 :], cannot),
        ("png_no_pixels", _png(pixels=b""), cannot),
        ("png_too_few_rows", _png(pixels=bytes(97 * 3)), cannot),
        ("png_colour_type_9", _png(colour_type=9), cannot),
        ("png_depth_3", _png(depth=3), cannot),
        ("png_header_missing", png[:8] + png[33:], cannot),
        ("png_signature_only", png[:8], cannot),
        ("png_text_bomb", _png(extra=[(b"zTXt", b"a\0\0" + zlib.compress(bytes(80 << 20)))]), cannot),
        ("gif_without_frames", gif[:10] + b"\0\0\0;", cannot),
        ("gif_signature_only", gif[:6], cannot),
        ("gif_code_size_255", _gif_code_size(gif, 255), cannot),
        ("jpeg_start_only", jpeg[:3], cannot),
        ("jpeg_no_frame", jpeg[:frame] + jpeg[tables:], cannot),
        ("jpeg_ends_before_scan", jpeg[:scan] + b"\xff\xd9", cannot),
        ("jpeg_scan_only", jpeg[:2] + jpeg[scan:], cannot),
        ("jpeg_precision_9", jpeg[: frame + 4] + b"\x09" + jpeg[frame + 5 :], cannot),
        ("jpeg_arithmetic_without_tables", jpeg[: frame + 1] + b"\xcb" + jpeg[frame + 2 :], cannot),
        ("jpeg_5_components", jpeg[: frame + 9] + b"\x05" + jpeg[frame + 10 :], cannot),
        ("jpeg_sampling_0", jpeg[: frame + 11] + b"\x00" + jpeg[frame + 12 :], cannot),
        ("jpeg_huffman_counts_absurd", _huffman_counts_absurd(jpeg), cannot),
        ("large_jpeg_huffman_counts_absurd", _huffman_counts_absurd(large), cannot),
        ("tiff_directory_beyond_end", b"II*\0\xff\xff\xff\x7f", cannot),
        ("tiff_without_tags", b"II*\0\x08\0\0\0\0\0\0\0\0\0", cannot),
        ("tiff_unknown_compression", _tiff(96, 64, compression=12345), cannot),
        ("bmp_depth_7", encode(picture(), "bmp")[:28] + b"\x07\0" + encode(picture(), "bmp")[30:], cannot),
        ("bmp_header_size_absurd", b"BM" + bytes(12) + b"\xff\xff\xff\x7f" + bytes(60), cannot),
        ("webp_without_frames", b"RIFF\x04\0\0\0WEBP", cannot),
    ]


def _odd_pixels() -> list[tuple[str, bytes, str]]:
    grey = picture(mode="L")
    return [
        ("tiff_floating_point", encode(grey.convert("F"), "tiff"), "32-bit"),
        ("tiff_32_bit", encode(grey.convert("I"), "tiff"), "32-bit"),
        ("tiff_lab", encode(Image.new("LAB", (96, 64), (120, 30, 40)), "tiff"), "Lab"),
    ]


def _orientation(value: int) -> bytes:
    return b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, value, 0, 0)


def with_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    """`jpeg` with one more segment right behind its start."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def _jpeg_of_size(jpeg: bytes, width: int, height: int) -> bytes:
    frame = jpeg.index(b"\xff\xc0")
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


def _huffman_counts_absurd(jpeg: bytes) -> bytes:
    tables = jpeg.index(b"\xff\xc4")
    return jpeg[: tables + 5] + b"\xff" * 16 + jpeg[tables + 21 :]


def _gif_code_size(gif: bytes, size: int) -> bytes:
    """`gif` with the LZW code size of its first frame replaced."""
    descriptor = gif.index(b"\x2c\0\0\0\0")
    table = 3 * 2 ** ((gif[descriptor + 9] & 7) + 1) if gif[descriptor + 9] & 0x80 else 0
    at = descriptor + 10 + table
    return gif[:at] + bytes([size]) + gif[at + 1 :]


def _png(
    width: int = 96,
    height: int = 64,
    depth: int = 8,
    colour_type: int = 2,
    pixels: bytes = bytes((96 * 3 + 1) * 64),
    extra: list[tuple[bytes, bytes]] | None = None,
) -> bytes:
    """A PNG made chunk by chunk, with right checksums, whatever its header says; `extra` chunks come before the pixels."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)),
        *(extra or []),
        (b"IDAT", zlib.compress(pixels)),
        (b"IEND", b""),
    ]
    parts = [struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body)) for tag, body in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _tiff(width: int, height: int, compression: int = 1) -> bytes:
    """A one-strip grey TIFF of 96 x 64 bytes of pixels whose header may say something else."""
    tags = [(256, width), (257, height), (258, 8), (259, compression), (262, 1), (273, 8 + 2 + 9 * 12 + 4), (277, 1), (278, height)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in [*tags, (279, 96 * 64)])
    return b"II*\0" + struct.pack("<IH", 8, 9) + entries + bytes(4) + bytes(96 * 64)
