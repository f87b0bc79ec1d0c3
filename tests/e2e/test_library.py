"""A library over the demo's album on the real Triton: indexed, stopped, gone on with, moved, searched; its people named and met again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from demo.album import draw_album, photos
from demo.faces.album import draw_people_album
from demo.scenes import caption
from tests.support.serving import CHECKOUT
from triptych import Client
from triptych.library import Library, LibraryError, ModelChanged, NotInLibrary, Only

SCENES, PEOPLE = 10, 16
TRIPTYCH = str(Path(sys.executable).with_name("triptych"))


@pytest.fixture(scope="module")
def client(engine):
    with Client(engine.grpc_url) as client:
        yield client


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The album's first pictures, drawn once."""
    folder = tmp_path_factory.mktemp("drawn")
    list(draw_album(folder / "scenes", count=SCENES))
    list(draw_people_album(folder / "people", count=PEOPLE))
    return folder


@pytest.fixture
def album(drawn, tmp_path):
    """A copy to change."""
    return Path(shutil.copytree(drawn, tmp_path / "album"))


@pytest.fixture
def library(tmp_path):
    with Library.open(tmp_path / "library.sqlite") as library:
        yield library


@pytest.fixture
def run(engine, tmp_path):
    environment = {**os.environ, "TRIPTYCH_URL": engine.grpc_url, "TRIPTYCH_LIBRARY": str(tmp_path / "library.sqlite")}

    def run(*arguments):
        return subprocess.run([TRIPTYCH, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, env=environment)

    return run


def who(library):
    """Person -> the names of the files that show it."""
    return {person.id: {face.photo.path.name for face in library.people.faces(person.id)} for person in library.people.all()}


def test_a_folder_becomes_searchable(run, album, tmp_path):
    (album / "broken.jpg").write_bytes((album / "scenes" / photos(1)[0].name).read_bytes()[:300])
    first = run("index", album)
    assert first.returncode == 1
    assert re.search(r"skipped \S*broken.jpg: \S", first.stderr)
    assert f"{SCENES + PEOPLE} added" in first.stdout
    again = run("index", "--json")
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert (report["unchanged"], report["known_bad"], report["added"]) == (SCENES + PEOPLE, 1, 0)

    scenes = photos(SCENES)
    places = []
    for photo in scenes[:3]:
        done = run("search", caption(photo.scene), album / "scenes", "--json", "--top", SCENES)
        assert done.returncode == 0, done.stderr
        places.append([Path(row["photo"]).name for row in json.loads(done.stdout)].index(photo.name))
    assert sorted(places)[1] <= 1, places

    found = run("search", "a person", "--limit", 3, "--folder", album / "people", "--sheet", tmp_path / "sheet.png")
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("people-") == 3
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 1000
    alike = run("similar", album / "scenes" / scenes[0].name, "--json")
    assert alike.returncode == 0, alike.stderr
    assert scenes[0].name not in alike.stdout
    assert len(json.loads(alike.stdout)) == 10


def test_ctrl_c_loses_nothing_and_the_next_run_goes_on(engine, run, drawn, tmp_path, library):
    many = tmp_path / "many"
    many.mkdir()
    for place, photo in enumerate(sorted((drawn / "scenes").iterdir())):
        with Image.open(photo) as image:
            pixels = image.convert("RGB")
        for quality in range(70, 90):
            pixels.save(many / f"{place}-{quality}.jpg", quality=quality)
    total = len(list(many.iterdir()))
    command = [TRIPTYCH, "index", str(many), "--url", engine.grpc_url, "--library", str(library.file), "--concurrency", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while len(library) < 3:
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    kept = len(library)
    assert 3 <= kept < total
    assert f"stopped with {total - kept} photos to go; the library has {kept}" in said
    assert "Traceback" not in said
    rest = run("index", many, "--json")
    assert rest.returncode == 0, rest.stderr
    report = json.loads(rest.stdout)
    assert (report["added"], report["unchanged"], report["photos"]) == (total - kept, kept, total)


def test_moved_copied_changed_and_deleted_files_are_followed(library, client, album):
    library.index(album, client)
    before = {photo.path.name: photo for photo in library.photos(limit=100)}
    people = who(library)
    moved, copied, deleted, changed = (f"people-{n:02}" for n in (1, 2, 3, 4))
    name = {stem: next(one for one in before if one.startswith(stem)) for stem in (moved, copied, deleted, changed)}
    (album / "elsewhere").mkdir()
    (album / "people" / name[moved]).rename(album / "elsewhere" / ("moved" + name[moved]))
    shutil.copy(album / "people" / name[copied], album / "elsewhere" / ("copy" + name[copied]))
    (album / "people" / name[deleted]).unlink()
    with Image.open(album / "people" / name[changed]) as image:
        image.convert("RGB").save(album / "people" / name[changed], quality=80)
    os.utime(album / "scenes" / photos(1)[0].name)  # touched only

    report = library.index([], client)
    assert (report.moved, report.copied, report.removed, report.changed, report.added) == (1, 1, 1, 1, 0)
    after = {photo.path.name: photo for photo in library.photos(limit=100)}
    assert after["moved" + name[moved]].id == before[name[moved]].id
    assert name[deleted] not in after
    assert after[name[changed]].id == before[name[changed]].id
    for person, files in who(library).items():
        old = {{name[moved]: "moved" + name[moved]}.get(file, file) for file in people[person]} - {name[deleted]}
        assert files - {"copy" + name[copied]} == old
    (group,) = library.duplicates(0.9999)
    assert {photo.path.name for photo in group} == {name[copied], "copy" + name[copied]}


def test_a_disk_that_is_not_there_empties_nothing(library, client, album, tmp_path):
    library.index(album, client)
    count = len(library)
    album.rename(tmp_path / "unplugged")
    album.mkdir()
    with pytest.raises(LibraryError, match="is its disk there"):
        library.index([], client)
    assert len(library) == count
    assert library.forget(album) == count
    assert library.folders == []
    assert library.people.all() == []


def test_people_keep_their_names_when_photos_are_added_and_when_all_is_made_anew(library, client, album, run):
    later = sorted((album / "people").iterdir())[PEOPLE // 2 :]
    waiting = album.parent / "waiting"
    waiting.mkdir()
    for photo in later:
        photo.rename(waiting / photo.name)
    library.index(album, client)
    people = library.people.all()
    assert len(people) >= 3
    named = run("people", "name", people[0].id, "Änne")
    assert named.returncode == 0, named.stderr
    before = who(library)
    for photo in later:
        (waiting / photo.name).rename(album / "people" / photo.name)
    library.index(album, client)
    after = who(library)
    assert all(before[person] <= after[person] for person in before)
    assert library.people.find("änne").id == people[0].id
    hits = json.loads(run("search", "someone", "--person", "Änne", "--json", "--limit", 50).stdout)
    assert {Path(hit["photo"]).name for hit in hits} == after[people[0].id]
    assert run("people", "show", "nobody").stderr == "triptych: there is no person 'nobody'; `triptych people` lists them\n"

    library.begin_anew()
    library.index(album, client)
    assert who(library) == after
    assert library.people.find("Änne").id == people[0].id


def test_another_model_is_noticed_before_anything_is_mixed(library, client, album, run):
    library.index(album / "scenes", client)
    with library._store.writing() as connection:  # what another model would have said
        connection.execute("UPDATE witness SET vector = (SELECT vector FROM witness WHERE kind = 'text') WHERE kind = 'photo'")
    (album / "scenes" / "new.png").write_bytes((album / "people" / "people-01.jpg").read_bytes())
    with pytest.raises(ModelChanged, match="search_image.*--anew"):
        library.index([], client)
    assert len(library) == SCENES
    with library._store.writing() as connection:
        connection.execute("UPDATE witness SET vector = (SELECT vector FROM photo_vector LIMIT 1) WHERE kind = 'text'")
    with pytest.raises(ModelChanged, match="search_text"):
        library.search("a boat", client)
    done = run("index", "--anew", "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["changed"], json.loads(done.stdout)["added"]) == (SCENES, 1)
    assert len(library.search("a boat", client)) == SCENES + 1


def test_heic_dates_and_filters(library, client, album):
    pillow_heif.register_heif_opener()
    source = next((album / "people").glob("people-01.*"))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2019:08:31 23:59:30"
    with Image.open(source) as image:
        size = image.size
        image.convert("RGB").save(album / "camera.heic", exif=exif, quality=90)
    library.index(album, client)
    (photo,) = library.photos(only=Only(since=date(2019, 8, 31), until=date(2019, 8, 31)))
    assert (photo.path.name, photo.size, photo.taken) == ("camera.heic", size, "2019-08-31T23:59:30")
    twin = library.similar(photo.id, limit=1)[0]
    assert (twin.photo.path, twin.score > 0.99) == (source, True)
    boxes = [[face.box for face in library.faces(one)] for one in (photo.id, twin.photo.id)]
    assert len(boxes[0]) == len(boxes[1]) > 0
    assert boxes[0][0] == pytest.approx(boxes[1][0], abs=6)
    assert [face.person for face in library.faces(photo.id)] == [face.person for face in library.faces(twin.photo.id)]
    assert library.photos(only=Only(until=date(2019, 8, 30))) == []
    assert (
        Counter(hit.photo.path.parent.name for hit in library.search("x", client, only=Only(folder=album / "scenes")))["scenes"] == SCENES
    )
    with pytest.raises(NotInLibrary):
        library.search("x", client, only=Only(people=["nobody"]))


def test_the_example_of_the_documentation_runs(engine, album):
    text = (CHECKOUT.root / "docs" / "library.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    code = example.replace("Client()", f"Client({engine.grpc_url!r})")
    done = subprocess.run([sys.executable, "-c", code], cwd=album.parent, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n{SCENES + PEOPLE} ()" in done.stdout.replace("\r", "\n")
    assert done.stdout.count("album") == 5
