"""The committed face networks find and tell apart people they never saw; groups, sheets and the album of people hold what they promise."""

import numpy as np
import onnx
import pytest
from PIL import Image

from demo.faces.album import FRIENDS, draw_people_album, people_photos
from demo.faces.evaluate import average_precision, evaluate_detection, evaluate_recognition
from demo.faces.grouping import group_faces
from demo.faces.networks import HEADS, WEIGHTS, DemoFaces
from demo.faces.sheet import FACE, PER_ROW, FaceOnPhoto, people_sheet, sheet_size
from demo.people import EVALUATION_PEOPLE, TRAINING_PEOPLE, VALIDATION_PEOPLE


@pytest.fixture(scope="module")
def networks():
    return DemoFaces()


def test_held_out_faces_are_found_where_they_are(networks):
    report = evaluate_detection(networks, 48)
    assert report.faces > 80
    assert report.precision >= 0.98
    assert report.recall >= 0.97
    assert report.false_alarms < 0.1
    assert report.landmark_error < 0.06


def test_held_out_people_are_told_apart_and_known_again(networks):
    report = evaluate_recognition(networks, people=12, pictures=4)
    assert report.pairs == 2 * 12 * 6
    assert report.accuracy >= 0.95
    assert report.same - report.different > 0.5


def test_average_precision_is_that_of_the_textbook():
    assert average_precision([(0.9, True), (0.8, True)], 2) == pytest.approx(1.0)
    assert average_precision([(0.9, True), (0.8, False), (0.7, True)], 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([(0.9, True)], 2) == pytest.approx(0.5)
    assert average_precision([], 2) == 0
    with pytest.raises(ValueError, match="no face"):
        average_precision([(0.9, False)], 0)


def test_nobody_is_met_in_training_and_in_evaluation():
    seeds = [set(TRAINING_PEOPLE), set(VALIDATION_PEOPLE), set(EVALUATION_PEOPLE), set(FRIENDS)]
    assert len(set.union(*seeds)) == sum(map(len, seeds))


def test_the_detector_has_the_form_of_an_scrfd_export():
    graph = onnx.load(WEIGHTS / "detection" / "model.onnx").graph
    (source,) = graph.input
    assert (source.name, [d.dim_value for d in source.type.tensor_type.shape.dim]) == ("input.1", [1, 3, 640, 640])
    found = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in graph.output}
    rows = (12800, 3200, 800)
    for names, channels in ((HEADS.scores, 1), (HEADS.boxes, 4), (HEADS.landmarks, 10)):
        assert [found[name] for name in names] == [[count, channels] for count in rows]
    assert (WEIGHTS / "detection" / "model.onnx").stat().st_size < 1.5e6


def test_the_embedder_has_the_form_of_an_arcface_export(networks):
    graph = onnx.load(WEIGHTS / "recognition" / "model.onnx").graph
    (source,), (result,) = graph.input, graph.output
    shape = source.type.tensor_type.shape.dim
    assert (source.name, [d.dim_value for d in shape[1:]], bool(shape[0].dim_param)) == ("input.1", [3, 112, 112], True)
    assert result.type.tensor_type.shape.dim[1].dim_value == 512
    assert (WEIGHTS / "recognition" / "model.onnx").stat().st_size < 2.2e6
    crops = np.random.default_rng(1).integers(0, 256, (70, 112, 112, 3), dtype=np.uint8)
    together = networks.embed(crops)
    assert together.shape == (70, 512)
    np.testing.assert_allclose(together[3:4], networks.embed(crops[3:4]), atol=1e-4)


def test_faces_are_grouped_by_their_nearness_the_largest_group_first():
    rng = np.random.default_rng(2)
    middles = np.eye(3, 32)
    who = np.array([0, 1, 0, 2, 1, 0])
    near = (middles[who] + rng.normal(0, 0.05, (6, 32))).astype(np.float32)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    assert group_faces(near) == [[0, 2, 5], [1, 4], [3]]
    assert group_faces(near, threshold=2.0) == [[row] for row in range(6)]
    assert group_faces(near[:0]) == []


def test_groups_are_joined_by_their_mean_not_by_their_nearest_faces():
    """A chain of faces, each near the next: its ends are no one person."""
    angles = np.radians([0, 50, 100, 150])
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert group_faces(chain) == [[0, 1], [2, 3]]


def test_the_album_meets_every_friend_more_than_once():
    photos = people_photos()
    assert photos == people_photos()
    met = [guest.person.seed for photo in photos for guest in photo.group.guests]
    assert all(met.count(friend) >= 3 for friend in FRIENDS)
    assert set(met) == set(FRIENDS)
    assert len({photo.name for photo in photos}) == 30


def test_pictures_are_drawn_in_the_formats_of_their_names(tmp_path):
    (tmp_path / "old.jpg").write_bytes(b"of another album")
    written = list(draw_people_album(tmp_path, count=2, processes=1))
    assert sorted(written) == sorted(tmp_path.iterdir())
    for path, photo in zip(written, people_photos(), strict=False):
        with Image.open(path) as image:
            assert image.size == photo.size


def test_the_sheet_shows_every_face_upright_in_the_row_of_its_person(tmp_path):
    colours = {"red": (250, 0, 0), "blue": (0, 0, 250)}
    image = Image.new("RGB", (200, 100), colours["red"])
    image.paste(colours["blue"], (100, 0, 200, 100))
    exif = Image.Exif()
    exif[0x0112] = 3
    image.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "turned.png", exif=exif)
    red, blue = (FaceOnPhoto(tmp_path / "turned.png", box) for box in ((30.0, 30.0, 60.0, 60.0), (130.0, 30.0, 160.0, 60.0)))
    sheet = people_sheet([[red] * 12, [blue]], "People", "two")
    assert sheet.size == sheet_size(2)
    pixels = np.asarray(sheet, dtype=int)
    shares = {}
    for name, colour in colours.items():
        where = np.argwhere(np.abs(pixels - colour).sum(axis=2) < 12)
        shares[name] = len(where) / FACE**2, where[:, 0].mean()
    assert PER_ROW - 0.5 < shares["red"][0] < PER_ROW + 0.1
    assert 0.9 < shares["blue"][0] < 1.1
    assert shares["red"][1] < shares["blue"][1]


def test_a_face_at_the_edge_is_shown_with_what_the_photo_has_around_it(tmp_path):
    Image.new("RGB", (200, 100), (250, 0, 0)).save(tmp_path / "red.png")
    for box in ((-4.0, -4.0, 36.0, 36.0), (170.0, 70.0, 204.0, 101.0), (0.0, 0.0, 180.0, 100.0)):
        sheet = people_sheet([[FaceOnPhoto(tmp_path / "red.png", box)]], "People")
        red = np.abs(np.asarray(sheet, dtype=int) - (250, 0, 0)).sum(axis=2) < 12
        assert 0.97 < red.sum() / FACE**2 < 1.01


def test_a_sheet_without_people_is_an_error():
    with pytest.raises(ValueError, match="one person or more"):
        people_sheet([], "People")
