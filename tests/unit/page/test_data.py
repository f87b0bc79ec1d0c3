"""What the page's scripts ask for: photos, faces, people and their names, searches, the index run; and what is refused."""

import fcntl
import io

import numpy as np
import pytest

from tests.support.drawn import encode, picture
from tests.unit.client.scripted_server import Reply, grpc_server
from tests.unit.page.conftest import until
from triptych.library import Progress
from triptych.library.running import only_run

JPEG = {"content-type": "application/octet-stream"}


@pytest.fixture
def people(album):
    """Three photos of two people, each of whom is on two or more."""
    rng = np.random.default_rng(3)
    photos = [album.add(f"{at}.jpg", encode(picture(), "jpeg"), (640, 480)) for at in range(3)]
    for at, who in ((0, 1), (0, 2), (1, 1), (1, 2), (2, 1)):
        album.add_face(photos[at], who, rng, 60 * who)
    album.library.people.group()
    return {person.faces: person.id for person in album.library.people.all()}


def test_photos_by_date_and_by_pages(page, album):
    for day in range(1, 8):
        album.add(f"{day}.jpg", taken=f"2024-05-0{day}T12:00:00")
    first = page.get("/ui/api/photos?limit=5").json()
    assert [photo["taken"][8:10] for photo in first["photos"]] == ["07", "06", "05", "04", "03"]
    assert first["more"] is True
    rest = page.get("/ui/api/photos?limit=5&offset=5").json()
    assert ([photo["name"] for photo in rest["photos"]], rest["more"]) == (["2.jpg", "1.jpg"], False)
    assert set(first["photos"][0]) == {"id", "name", "width", "height", "taken"}  # no path
    assert page.get("/ui/api/library").json()["photos"] == 7


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "offset=-1", "offset=99999999999999999999", "person=0", "person=Anna", "limit=%C2%B2"]
)
def test_odd_numbers_are_refused(page, query):
    assert page.get(f"/ui/api/photos?{query}").status_code == 422


def test_a_photo_with_its_faces_and_what_is_like_it(page, album, people):
    album.library.people.name(people[3], "Anna")
    seen = page.get("/ui/api/photos/1").json()
    assert (seen["name"], len(seen["faces"])) == ("0.jpg", 2)
    names = {face["person"]: face["name"] for face in seen["faces"]}
    assert names == {people[3]: "Anna", people[2]: None}
    face = seen["faces"][0]
    assert page.get(f"/ui/photos/1/faces/{face['id']}").headers["content-type"] == "image/jpeg"
    assert page.get(f"/ui/photos/2/faces/{face['id']}").status_code == 404
    alike = page.get("/ui/api/photos/1/similar").json()["photos"]
    assert sorted(photo["id"] for photo in alike) == [2, 3]
    assert alike[0]["score"] >= alike[1]["score"]
    assert page.get("/ui/api/photos/99/similar").status_code == 404


def test_people_are_named_joined_and_taken_apart(page, people):
    anna, other = people[3], people[2]
    assert page.get("/ui/api/people").json()["people"][0] == {"id": anna, "name": None, "faces": 3, "photos": 3}
    assert page.get(f"/ui/people/{anna}/face").status_code == 200
    assert page.patch(f"/ui/api/people/{anna}", json={"name": " Anna "}).json()["name"] == "Anna"
    taken = page.patch(f"/ui/api/people/{other}", json={"name": "anna"})
    assert (taken.status_code, "already" in taken.json()["detail"]) == (409, True)
    assert len(page.get(f"/ui/api/photos?person={other}").json()["photos"]) == 2
    joined = page.post(f"/ui/api/people/{anna}/merge", json={"people": [other]}).json()
    assert joined == {"id": anna, "name": "Anna", "faces": 5, "photos": 3}
    assert page.get(f"/ui/api/people/{other}").status_code == 404
    faces = [face["id"] for face in page.get(f"/ui/api/people/{anna}").json()["shown"]]
    assert len(faces) == 5
    moved = page.post(f"/ui/api/people/{anna}/split", json={"faces": faces[:1]}).json()
    assert (moved["faces"], moved["name"]) == (1, None)
    halves = page.post(f"/ui/api/people/{anna}/split", json={}).json()
    assert halves["faces"] in (1, 2)
    assert page.post(f"/ui/api/people/{moved['id']}/split", json={}).status_code == 409
    assert page.delete(f"/ui/api/faces/{faces[0]}").status_code == 204
    assert page.patch(f"/ui/api/people/{anna}", json={"name": None}).json()["name"] is None
    assert page.delete("/ui/api/faces/999").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "people/1", b"no JSON"),
        ("PATCH", "people/1", b"[]"),
        ("PATCH", "people/1", b'{"name": 7}'),
        ("PATCH", "people/1", b'{"name": "' + b"x" * 1001 + b'"}'),
        ("POST", "people/1/merge", b"{}"),
        ("POST", "people/1/merge", b'{"people": ["2"]}'),
        ("POST", "people/1/merge", b'{"people": [true]}'),
        ("POST", "people/1/split", b'{"faces": []}'),
        ("POST", "people/1/split", b'{"faces": [99999999999999999999]}'),
        ("POST", "index", b'{"run": 1}'),
        ("POST", "index", b""),
    ],
)
def test_odd_bodies_are_refused(page, people, method, path, body):
    answer = page.request(method, f"/ui/api/{path}", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, bool(answer.json()["detail"])) == (422, True)


def test_a_large_body_is_not_read(page):
    answer = page.patch("/ui/api/people/1", content=b" " * 100_000, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_without_a_server_photos_are_shown_and_a_search_says_why_not(page, photo):
    assert len(page.get("/ui/api/photos").json()["photos"]) == 1
    refused = page.get("/ui/api/search?q=a+boat")
    assert (refused.status_code, refused.json()["detail"].startswith("no Triton is ready")) == (503, True)
    (triton,) = page.get("/ui/api/status").json()["tritons"]
    assert (triton["models"], triton["ready"], len(triton["problems"])) == ([], False, 1)
    for query in ("", "q=", "q=+", "q=" + "x" * 1001):
        assert page.get(f"/ui/api/search?{query}").status_code == 422


def state_of(client):
    return client.get("/ui/api/index").json()


def indexed(client):
    client.post("/ui/api/index", json={"run": True})
    until(lambda: not state_of(client)["running"])
    return state_of(client)


def test_folders_are_indexed_searched_and_searched_by_a_picture(served, album, script):
    for at in range(4):
        (album.folder / f"{at}.jpg").write_bytes(encode(picture(60 + at, 40), "jpeg"))
    (album.folder / "note.txt").write_text("no photo")
    state = indexed(served)
    assert (state["phase"], state["report"]["added"], state["done"], state["total"], state["error"]) == ("done", 4, 4, 4, None)
    found = served.get("/ui/api/search?q=boats&limit=3").json()["photos"]
    assert len(found) == 3
    assert [photo["score"] for photo in found] == sorted((photo["score"] for photo in found), reverse=True)
    stream = io.BytesIO()
    picture(30, 20).save(stream, "HEIF")
    asked = len(script.seen)
    for data in (encode(picture(30, 20), "jpeg"), stream.getvalue()):
        answer = served.post("/ui/api/similar", content=data, headers=JPEG)
        assert (answer.status_code, len(answer.json().get("photos", ()))) == (200, 4), answer.text
    sent = [seen.inputs["image"][0][:3] for seen in script.seen[asked:] if seen.model == "search_image"]
    assert [start for start in sent if start != b"\x89PN"] == [
        b"\xff\xd8\xff"
    ] * 2  # HEIC goes as JPEG; the PNG asks whether the model is the same
    assert indexed(served)["report"]["unchanged"] == 4


def test_an_index_run_is_stopped_and_goes_on(served, album, script):
    for at in range(40):
        (album.folder / f"{at:02}.jpg").write_bytes(encode(picture(60 + at, 40), "jpeg"))
    script.replies = [Reply(delay=0.05) for _ in range(60)]
    served.post("/ui/api/index", json={"run": True})
    refused = served.post("/ui/api/index", json={"run": True})
    assert (refused.status_code, "already" in refused.json()["detail"]) == (409, True)
    until(lambda: state_of(served)["done"])
    assert served.post("/ui/api/index", json={"run": False}).status_code == 202
    until(lambda: not state_of(served)["running"])
    state = state_of(served)
    assert state["phase"] == "stopped", state
    assert state["error"] is None
    left = state["report"]["left"]
    assert left > 0
    assert served.get("/ui/api/library").json()["photos"] == 40 - left
    assert indexed(served)["report"]["added"] == left


def test_what_fails_is_told(served, album):
    (album.folder / "broken.heic").write_bytes(b"no picture")
    state = indexed(served)
    assert [failure["name"] for failure in state["report"]["failed"]] == ["broken.heic"]
    told = served.get("/ui/api/library").json()
    assert (told["failed"], told["failures"][0]["name"]) == (1, "broken.heic")
    album.library.forget(album.folder)
    state = indexed(served)
    assert (state["phase"], "no folder is indexed" in state["error"]) == ("failed", True)


def test_a_first_face_that_the_server_alone_can_decode_ends_no_run(served, album, script):
    script.faces = 1
    (album.folder / "odd.jpg").write_bytes(b"what Pillow does not read, and the server does")
    state = indexed(served)
    assert (state["phase"], state["report"]["added"]) == ("done", 1), state


def test_a_picture_that_is_sent_is_bounded(opened, script, album, photo):
    stream = io.BytesIO()
    picture(300, 200).save(stream, "HEIF")
    with grpc_server(script) as address, opened(address, max_upload=20_000, max_pixels=50_000) as client:
        answer = client.post("/ui/api/similar", content=stream.getvalue(), headers=JPEG)
        assert (answer.status_code, answer.json()["detail"]) == (400, "it has 300 x 200 pixels, more than the limit of 50,000")
        assert client.post("/ui/api/similar", content=bytes(20_001), headers=JPEG).status_code == 413
        assert client.post("/ui/api/similar", content=b"", headers=JPEG).status_code == 422


def test_folders_that_were_named_are_indexed_at_the_start(opened, script, album):
    (album.folder / "one.jpg").write_bytes(encode(picture(), "jpeg"))
    with grpc_server(script) as address, opened(address, [album.folder]) as client:
        until(lambda: state_of(client)["phase"] == "done")
        assert client.get("/ui/api/library").json()["photos"] == 1


def test_photos_are_narrowed_down_by_date_and_by_folder(page, album):
    (album.folder / "trips" / "north").mkdir(parents=True)
    one, two = album.add("one.jpg", taken="2022-12-31T23:59:59"), album.add("trips/two.jpg", taken="2023-01-01T00:00:00")
    three = album.add("trips/north/three.jpg", taken="2024-05-31T23:59:59")
    trips = str(album.folder / "trips")

    def ids(path="photos", **query):
        return [photo["id"] for photo in page.get(f"/ui/api/{path}", params=query).json()["photos"]]

    assert ids() == [three, two, one]
    assert ids(since="2023") == [three, two]
    assert ids(until="2022") == [one]
    assert ids(since="2024-05-31", until="2024-05") == [three]
    assert ids(until="9999") == ids(since="0001", until="9999-12-31") == [three, two, one]
    assert ids(folder=trips, until="2023") == [two]
    assert ids(folder=f"{trips}/north/") == [three]
    assert ids(folder="/elsewhere") == ids(folder=f"{trips}/..") == []
    assert sorted(ids(f"photos/{one}/similar", folder=trips)) == [two, three]
    assert ids(f"photos/{one}/similar", since="2024") == [three]


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "until=2024-13", "since=2024-02-30", "until=10000", "folder=trips", "folder=/a%00b", f"folder=/{'x' * 5000}"],
)
def test_odd_filters_are_refused(page, photo, query):
    answer = page.get(f"/ui/api/photos?{query}")
    assert (answer.status_code, query.partition("=")[0] in answer.json()["detail"]) == (422, True)


def test_what_photos_can_be_narrowed_down_to(page, album, tmp_path):
    for name, taken in (
        ("a.jpg", "2023-05-01T12:00:00"),
        ("trips/b.jpg", "2024-05-01T12:00:00"),
        ("trips/north/c.jpg", "2024-06-01T12:00:00"),
    ):
        (album.folder / name).parent.mkdir(parents=True, exist_ok=True)
        album.add(name, taken=taken)
    folder = str(album.folder)
    told = page.get("/ui/api/filters").json()
    assert told["years"] == [{"year": 2024, "photos": 2}, {"year": 2023, "photos": 1}]
    assert (told["above"], told["folders"]) == ([], [{"path": f"{folder}/trips", "name": "trips", "photos": 2}])
    told = page.get("/ui/api/filters", params={"folder": f"{folder}/trips"}).json()
    assert [each["name"] for each in told["above"]] == ["album", "trips"]
    assert told["folders"] == [{"path": f"{folder}/trips/north", "name": "north", "photos": 1}]
    assert page.get("/ui/api/filters", params={"folder": "/etc"}).json()["folders"] == []
    with album.store.writing() as connection:
        connection.execute("INSERT INTO root VALUES (?)", (str(tmp_path / "other"),))
    told = page.get("/ui/api/filters").json()
    assert [(each["name"], each["photos"]) for each in told["folders"]] == [("album", 3), ("other", 0)]


def test_a_run_of_another_program_is_told_and_not_disturbed(served, album):
    (album.folder / "one.jpg").write_bytes(encode(picture(), "jpeg"))
    with only_run(album.file) as run:
        assert state_of(served)["phase"] == "looking"
        run.tell(Progress(0, 10, 0))
        run.tell(Progress(10, 10, 2))
        state = state_of(served)
        assert (state["phase"], state["done"], state["failed"], state["running"], state["elsewhere"]) == ("grouping", 10, 2, True, True)
        refused = served.post("/ui/api/index", json={"run": True})
        assert (refused.status_code, "already" in refused.json()["detail"]) == (409, True)
        assert served.post("/ui/api/index", json={"run": False}).json()["elsewhere"] is True
    assert state_of(served)["phase"] == "idle"
    assert indexed(served)["report"]["added"] == 1


def test_folders_that_were_named_wait_for_a_triton_and_for_another_program(opened, script, album, free_port):
    (album.folder / "one.jpg").write_bytes(encode(picture(), "jpeg"))
    with opened(f"127.0.0.1:{free_port}", [album.folder]) as client:
        until(lambda: state_of(client)["phase"] == "waiting")
    with grpc_server(script) as address, only_run(album.file) as run, opened(address, [album.folder]) as client:
        until(lambda: client.get("/ping").status_code == 200)
        assert state_of(client)["elsewhere"] is True
        fcntl.flock(run.descriptor, fcntl.LOCK_UN)  # as when the other program dies
        until(lambda: state_of(client)["phase"] == "done")
        assert client.get("/ui/api/library").json()["photos"] == 1


def test_an_empty_library_names_the_command_for_this_file_and_server(page, album, free_port):
    told = page.get("/ui/api/library").json()
    assert (told["photos"], told["command"]) == (0, f"triptych index ~/Pictures --library {album.file} --url 127.0.0.1:{free_port}")
