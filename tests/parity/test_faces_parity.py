"""The face path against the insightface package on the same weights and photos: its RetinaFace, its alignment and its ArcFaceONNX."""

import numpy as np
import onnxruntime
import pytest
from insightface.model_zoo import arcface_onnx as arcface
from insightface.model_zoo import retinaface
from insightface.utils import face_align
from PIL import Image, ImageOps

from tests.support.faces import expected, iou, photo
from tests.support.real import REAL, needs_real
from triptych_server.models.import_faces import import_detector, import_embedder
from triptych_server.vision.alignment import aligned_crops, similarities
from triptych_server.vision.decode import Limits, decode_picture
from triptych_server.vision.detections import Detections, find_faces
from triptych_server.vision.face_pixels import FacePixels
from triptych_server.vision.letterbox import Letterbox

pytestmark = [needs_real, pytest.mark.filterwarnings("ignore:`estimate` is deprecated")]

SCORE = 0.6
KNOWN = expected() if REAL else {}
PEOPLE = [name for name, faces in KNOWN.items() if faces and name != "animal_cat.jpg"]


class FlatOutputs:
    """A session whose outputs have no batch axis, as insightface wants them; everything else is the session's."""

    def __init__(self, session):
        self._session = session

    def __getattr__(self, name):
        return getattr(self._session, name)

    def run(self, names, feeds):
        return [output[0] for output in self._session.run(names, feeds)]


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def their_detector():
    detector = retinaface.RetinaFace(session=FlatOutputs(session(REAL / "models" / "yunet_n_scrfd_io.onnx")))
    detector.prepare(0, det_thresh=SCORE, input_size=(640, 640))
    return detector


@pytest.fixture(scope="module")
def their_recogniser():
    path = REAL / "models" / "mobilefacenet_arcface_128.onnx"
    return arcface.ArcFaceONNX(str(path), session(path))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Our served graphs: (detector, recogniser), as functions from uint8 pixels to arrays by name."""
    folder = tmp_path_factory.mktemp("served")
    import_detector(REAL / "models" / "yunet_n_scrfd_io.onnx", folder / "detector.onnx")
    import_embedder(REAL / "models" / "mobilefacenet_arcface_128.onnx", folder / "recogniser.onnx")

    def runner(path):
        opened = session(path)
        names = [output.name for output in opened.get_outputs()]
        return lambda image: dict(zip(names, opened.run(names, {"image": image}), strict=True))

    return runner(folder / "detector.onnx"), runner(folder / "recogniser.onnx")


def upright_bgr(name):
    with Image.open(REAL / "photos" / name) as image:
        return np.ascontiguousarray(np.asarray(ImageOps.exif_transpose(image).convert("RGB"))[..., ::-1])


def our_faces(served, name):
    """Faces in photo pixels, the square they were found in and where the photo lies in it."""
    square, size = FacePixels().square(photo(name))
    raw = served[0](square[None])
    found = find_faces(Detections(raw["boxes"][0], raw["scores"][0], raw["landmarks"][0]), SCORE)
    place = Letterbox(*size.tolist())
    return (
        Detections(place.to_photo(found.boxes.reshape(-1, 2, 2)).reshape(-1, 4), found.scores, place.to_photo(found.landmarks)),
        square,
        place,
    )


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_boxes_and_landmarks_of_the_same_square_are_within_a_pixel(served, their_detector, name):
    ours, square, place = our_faces(served, name)
    boxes, landmarks = their_detector.detect(np.ascontiguousarray(square[..., ::-1]))
    assert len(ours) == len(boxes)
    np.testing.assert_allclose(ours.scores, boxes[:, 4], atol=1e-4)
    np.testing.assert_allclose(ours.boxes, place.to_photo(boxes[:, :4].reshape(-1, 2, 2)).reshape(-1, 4), atol=1)
    if len(boxes):
        np.testing.assert_allclose(ours.landmarks, place.to_photo(landmarks), atol=1)


@pytest.mark.parametrize("name", PEOPLE)
def test_the_whole_photo_gives_the_same_faces_but_for_the_resizer(served, their_detector, name):
    ours, _, _ = our_faces(served, name)
    boxes, _ = their_detector.detect(upright_bgr(name))
    assert len(ours) == len(boxes)
    for box in boxes[:, :4]:
        assert max(iou(box, mine) for mine in ours.boxes) >= 0.9


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_similarities_are_theirs(name):
    for face in KNOWN[name]:
        landmarks = face.landmarks.astype(np.float32)
        np.testing.assert_allclose(similarities(landmarks[None])[0, :2], face_align.estimate_norm(landmarks), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", PEOPLE)
def test_embeddings_of_the_same_landmarks_are_theirs(served, their_recogniser, name):
    picture, pixels = decode_picture(photo(name), Limits()), upright_bgr(name)
    for face in KNOWN[name]:
        landmarks = face.landmarks.astype(np.float32)
        crop = aligned_crops(picture, landmarks[None])
        theirs = face_align.norm_crop(pixels, landmarks)[..., ::-1]
        assert np.abs(crop[0].astype(int) - theirs).mean() < 1
        embedding = their_recogniser.get_feat(np.ascontiguousarray(theirs[..., ::-1])).ravel()
        assert served[1](crop)["embedding"][0] @ embedding / np.linalg.norm(embedding) >= 0.999


@pytest.mark.parametrize("name", PEOPLE)
def test_embeddings_by_the_path_that_serves_are_theirs(served, their_recogniser, name):
    """Scaled decoding and our landmarks, against full decoding and the same landmarks."""
    ours, _, _ = our_faces(served, name)
    crops, pixels = FacePixels().crops(photo(name), ours.landmarks), upright_bgr(name)
    for crop, landmarks in zip(crops, ours.landmarks, strict=True):
        theirs = their_recogniser.get_feat(face_align.norm_crop(pixels, landmarks)).ravel()
        assert served[1](crop[None])["embedding"][0] @ theirs / np.linalg.norm(theirs) >= 0.995
