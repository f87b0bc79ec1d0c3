"""Five landmarks to a crop: the similarity against Umeyama's by singular values, the pixels against plain bilinear sampling."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from tests.support.drawn import encode, picture
from triptych_server.vision.alignment import CROP, TEMPLATE, aligned_crops, crop_scale, similarities
from triptych_server.vision.decode import Limits, decode_picture

LANDMARKS = arrays(np.float32, (5, 2), elements=st.floats(-500, 5000, width=32))


def umeyama(points, target):
    """Umeyama 1991 by singular values, as scikit-image does it."""
    points, target = points.astype(float), target.astype(float)
    a, b = points - points.mean(0), target - target.mean(0)
    u, s, v = np.linalg.svd(b.T @ a / len(a))
    sign = np.array([1.0, 1.0 if np.linalg.det(u) * np.linalg.det(v) > 0 else -1.0])
    rotation = u @ np.diag(sign) @ v
    scale = (s * sign).sum() / a.var(0).sum()
    matrix = np.eye(3)
    matrix[:2, :2] = scale * rotation
    matrix[:2, 2] = target.mean(0) - scale * rotation @ points.mean(0)
    return matrix


def placed(scale, turn, shift):
    """Landmarks of a face that was moved so."""
    factor = scale * np.exp(1j * turn)
    points = (TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]) * factor + complex(*shift)
    return np.stack([points.real, points.imag], axis=1).astype(np.float32)


def plain_crop(pixels, landmarks):
    """Every pixel of the crop by itself, bilinear, black outside; pixels [H,W,3]."""
    height, width = pixels.shape[:2]
    back = np.linalg.inv(umeyama(landmarks, TEMPLATE))
    columns, rows = np.meshgrid(np.arange(CROP), np.arange(CROP))
    x, y = (back[i, 0] * columns + back[i, 1] * rows + back[i, 2] for i in range(2))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    crop = np.zeros((CROP, CROP, 3))
    for dy in (0, 1):
        for dx in (0, 1):
            i, j = top + dy, left + dx
            weight = np.abs(1 - dx - (x - left)) * np.abs(1 - dy - (y - top))
            inside = (i >= 0) & (i < height) & (j >= 0) & (j < width)
            crop += np.where(inside[..., None], pixels[i.clip(0, height - 1), j.clip(0, width - 1)], 0) * weight[..., None]
    return crop


def decoded(image, kind="png", **options):
    return decode_picture(encode(image, kind, **options), Limits())


@given(LANDMARKS)
def test_the_similarity_is_umeyamas(landmarks):
    assume(np.ptp(landmarks, axis=0).max() > 1)
    expected = umeyama(landmarks, TEMPLATE)
    np.testing.assert_allclose(similarities(landmarks[None])[0], expected, rtol=1e-6, atol=1e-6 * max(1, np.abs(expected).max()))


@given(st.floats(0.05, 40), st.floats(-3.2, 3.2), st.tuples(st.floats(-900, 900), st.floats(-900, 900)))
def test_a_face_that_is_the_template_moved_comes_back_exactly(scale, turn, shift):
    landmarks = placed(scale, turn, shift)
    matrix = similarities(landmarks[None])[0]
    moved = np.concatenate([landmarks, np.ones((5, 1))], axis=1) @ matrix.T
    np.testing.assert_allclose(moved[:, :2], TEMPLATE, atol=2e-4 / scale + 1e-3)
    assert crop_scale(landmarks[None]) == pytest.approx(1 / scale, rel=1e-3)


def test_many_faces_at_once_are_each_ones_own():
    faces = np.stack([placed(s, t, (30 * s, 9)) for s, t in ((0.5, 0.1), (2, -1), (1, 3))])
    for face, matrix in zip(faces, similarities(faces), strict=True):
        np.testing.assert_allclose(matrix, similarities(face[None])[0])
    assert crop_scale(faces) == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("turn", [0.0, 0.4, -2.0])
@pytest.mark.parametrize("shift", [(120, 90), (-40, 20), (300, 250)], ids=["inside", "over the left edge", "over the corner"])
def test_pixels_are_those_of_plain_bilinear_sampling(scale, turn, shift):
    image = picture(400, 300)
    landmarks = placed(scale, turn, shift)
    expected = plain_crop(np.asarray(image), landmarks)
    crop = aligned_crops(decoded(image), landmarks[None])[0]
    assert crop.shape == (CROP, CROP, 3)
    assert crop.dtype == np.uint8
    off = np.abs(crop - expected).max(axis=2)
    assert np.median(off) <= 1
    assert (off > 2).mean() < 0.03  # the line where the photo ends: there Pillow repeats it, where the reference fades


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_that_is_stored_turned_gives_the_same_crop(orientation):
    upright = picture(400, 300)
    exif = Image.Exif()
    exif[0x0112] = orientation
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Transpose methods that store it so
    stored = upright.transpose(Image.Transpose(back[orientation])) if orientation > 1 else upright
    landmarks = placed(1.3, 0.5, (150, 60))[None]
    crop = aligned_crops(decoded(stored, exif=exif.tobytes()), landmarks)
    off = np.abs(crop.astype(int) - aligned_crops(decoded(upright), landmarks)).max(axis=-1)
    assert off.max() <= 1


def test_a_reduced_picture_gives_nearly_the_same_crop():
    data = encode(picture(1600, 1200), "jpeg", quality=95)
    landmarks = placed(6.0, 0.3, (500, 200))[None]
    reduced = decode_picture(data, Limits(), 600)
    assert reduced.scale == 0.5
    off = np.abs(aligned_crops(reduced, landmarks).astype(int) - aligned_crops(decode_picture(data, Limits()), landmarks))
    assert off.mean() < 2


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK"])
def test_every_mode_gives_rgb_that_is_black_outside(mode):
    image = Image.new("RGB", (60, 60), (200, 200, 200)).convert(mode)
    crop = aligned_crops(decoded(image, "tiff" if mode == "CMYK" else "png"), placed(1.0, 0.0, (-50, -50))[None])[0]
    assert not crop[:40, :40].any()
    np.testing.assert_allclose(crop[60:, 60:][:40, :40], 200, atol=2)


@pytest.mark.parametrize("value", [np.nan, np.inf, 7.0], ids=["nan", "infinite", "all in one point"])
def test_landmarks_without_a_similarity_are_refused_without_a_crash(value):
    landmarks = placed(1.0, 0.0, (0, 0))[None]
    landmarks[0] = value
    assert not np.isfinite(similarities(landmarks)).all()
    with pytest.raises(ValueError, match="cannot be aligned"):
        aligned_crops(decoded(picture()), landmarks)


@given(arrays(np.float32, (2, 5, 2), elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_absurd_landmarks_never_crash(landmarks):
    photo = decoded(picture())
    try:
        assert aligned_crops(photo, landmarks).shape == (2, CROP, CROP, 3)
    except ValueError as error:
        assert "cannot be aligned" in str(error)
