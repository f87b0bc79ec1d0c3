"""The corpus: different JPEGs of 1440 px and quality 80, real where there are enough, else drawn and always the same."""

from io import BytesIO

import pytest
from PIL import Image

from triptych_server.benchmark import photos
from triptych_server.benchmark.photos import LONG_SIDE, MINIMUM, Corpus, drawn_picture, encode, load_corpus, own_photos
from triptych_server.errors import ConfigError


@pytest.fixture(scope="module")
def drawn():
    return load_corpus(None)


def put_photos(folder, names):
    for i, name in enumerate(names):
        Image.new("RGB", (64, 48), (i, 2 * i, 3 * i)).save(folder / name)


def test_without_photos_there_are_enough_different_drawn_ones(drawn):
    assert drawn.source == "drawn pictures"
    assert len(set(drawn.jpegs)) == len(drawn.jpegs) >= MINIMUM


def test_every_picture_has_a_long_side_of_1440(drawn):
    assert {max(Image.open(BytesIO(jpeg)).size) for jpeg in drawn.jpegs} == {LONG_SIDE}


def test_drawn_pictures_are_as_large_as_previews_of_photos(drawn):
    assert 150_000 < drawn.mean_bytes < 400_000


def test_drawing_is_seeded():
    assert drawn_picture(3).tobytes() == drawn_picture(3).tobytes() != drawn_picture(4).tobytes()


def test_jpegs_are_of_quality_80():
    reference = BytesIO()
    Image.new("RGB", (16, 16)).save(reference, "JPEG", quality=80)
    encoded = Image.open(BytesIO(encode(Image.new("L", (30, 20)))))
    assert encoded.mode == "RGB"
    assert encoded.quantization == Image.open(reference).quantization


def test_real_photos_are_taken_where_there_are_enough(tmp_path):
    put_photos(tmp_path, [f"{i:02}.jpg" for i in range(MINIMUM)])
    corpus = load_corpus(tmp_path)
    assert (corpus.source, len(corpus.jpegs)) == ("real photos", MINIMUM)
    assert Image.open(BytesIO(corpus.jpegs[0])).size == (1440, 1080)


def test_variants_of_a_motif_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "drawn_picture", lambda seed: Image.new("L", (64, 48), 9 * seed))
    put_photos(tmp_path, [f"variant_{i}.jpg" for i in range(MINIMUM)])
    assert load_corpus(tmp_path).source == "drawn pictures"


def test_a_corpus_of_one_picture_many_times_is_refused():
    with pytest.raises(ValueError, match="1 different photos found"):
        Corpus("copies", (b"same",) * MINIMUM)


def test_the_digest_names_the_bytes(drawn):
    assert drawn.digest == Corpus("other name", drawn.jpegs).digest
    assert drawn.digest != Corpus("turned", drawn.jpegs[::-1]).digest


def test_the_files_are_the_corpus(tmp_path, drawn):
    drawn.write(tmp_path)
    assert tuple(path.read_bytes() for path in sorted(tmp_path.iterdir())) == drawn.jpegs


def test_a_folder_without_photos_is_an_error_instead_of_drawn_pictures(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ConfigError, match="expected"):
            own_photos(folder)
    (tmp_path / "one.JPG").write_bytes(b"as it is")
    assert own_photos(tmp_path) == (b"as it is",)
