"""The page in a real browser, over an album that the real Triton indexes meanwhile: typed searches, people, keys, a phone, the dark."""

import io
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import pytest
from PIL import Image

from demo.album import draw_album, photos
from demo.faces.album import draw_people_album
from demo.scenes import caption
from tests.support.browser import chromium, tab
from triptych.library import Library

SCENES, PEOPLE = 8, 14
TRIPTYCH = str(Path(sys.executable).with_name("triptych"))


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    folder = tmp_path_factory.mktemp("album")
    list(draw_album(folder / "scenes", count=SCENES))
    list(draw_people_album(folder / "people", count=PEOPLE))
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return tmp_path_factory.mktemp("library") / "library.sqlite"


@contextmanager
def ui(engine, library, folder, *photos):
    """The address of `triptych ui`, whose own files lie in `folder`, told to index `photos` first."""
    command = [
        TRIPTYCH,
        "ui",
        *photos,
        "--library",
        library,
        "--port",
        "0",
        "--triton",
        engine.grpc_url,
        "--metrics-url",
        engine.metrics_url,
    ]
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"  # where the engine notes its control key
    environment = {
        "XDG_STATE_HOME": str(state),
        "XDG_CACHE_HOME": str(folder),
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ":".join(sys.path),
    }
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        try:
            line = process.stdout.readline()
            assert line.startswith("the page: http://127.0.0.1:"), Path(log.name).read_text()
            yield line.split()[2]
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture(scope="module")
def url(engine, album, library, tmp_path_factory):
    with ui(engine, library, tmp_path_factory.mktemp("ui"), album) as address:
        yield address


@pytest.fixture(scope="module")
def indexed(browser, url):
    """The page's address, when its progress has come to an end before somebody's eyes."""
    with tab(browser, f"{url}#/status") as page:
        page.get_by_text("Up to date").wait_for()
        assert page.locator(".figure").text_content() == f"{SCENES + PEOPLE} photos"
    return url


def shown(page):
    """Ids of the photos in the grid."""
    return page.locator("#main .tile[data-item]").evaluate_all("tiles => tiles.map(tile => Number(tile.dataset.item))")


def test_typing_finds_photos_and_keys_open_them(browser, indexed, library):
    scene = photos(SCENES)[0]
    text = caption(scene.scene)
    with tab(browser, indexed, viewport={"width": 1280, "height": 800}) as page:
        page.wait_for_function(
            "count => document.querySelectorAll('#main .tile.there').length > 5 && document.querySelectorAll('#main .tile').length === count",
            arg=SCENES + PEOPLE,
        )
        page.keyboard.press("/")
        page.keyboard.type(text)
        page.wait_for_function("() => document.querySelector('#main .tile[title*=\" · \"]') !== null")
        page.wait_for_function("text => new URLSearchParams(location.hash.split('?')[1]).get('q') === text", arg=text)
        found = page.evaluate("q => fetch(`api/search?${new URLSearchParams({ q })}`).then(answer => answer.json())", text)["photos"]
        page.wait_for_function(
            "ids => ids === [...document.querySelectorAll('#main .tile[data-item]')].map(tile => tile.dataset.item).join()",
            arg=",".join(str(photo["id"]) for photo in found),
        )
        assert scene.name in [photo["name"] for photo in found[:3]]

        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.locator("#viewer .panel h2").wait_for()
        page.locator("#viewer .strip img").first.wait_for()
        assert f"photo={found[1]['id']}" in page.url
        for key, at in (("ArrowRight", 2), ("ArrowLeft", 1), ("ArrowLeft", 0)):
            page.keyboard.press(key)
            page.wait_for_url(re.compile(rf"photo={found[at]['id']}$"))
        page.keyboard.press("Escape")
        page.locator("#viewer").wait_for(state="hidden")
        assert "photo=" not in page.url
        assert shown(page) == [photo["id"] for photo in found]
        assert page.evaluate("document.activeElement.dataset.item") == str(found[0]["id"])


def test_somebody_is_opened_and_named(browser, indexed, library):
    with tab(browser, indexed, viewport={"width": 1280, "height": 800}) as page:
        page.get_by_role("link", name="People", exact=True).click()
        page.locator(".somebody").first.click()
        name = page.get_by_role("textbox", name="Name")
        name.fill("Änne")
        name.press("Enter")
        page.get_by_text("Saved: Änne").wait_for()
        with Library.open(library) as opened:
            person = opened.people.find("Änne")
        page.reload()
        page.wait_for_function("() => document.querySelector('.name')?.value === 'Änne'")
        page.wait_for_function("count => document.querySelectorAll('#main .tile.there').length === count", arg=person.photos)
        page.locator("#main .tile").first.click()
        page.locator(".face.named", has_text="Änne").wait_for()
        page.locator(".who", has_text="Änne").wait_for()
        before = page.url
        page.locator("#viewer .strip a").first.click()
        page.wait_for_function("before => location.href !== before", arg=before)
        page.locator("#viewer .close").click()
        page.locator("#viewer").wait_for(state="hidden")
        assert page.url.endswith(f"#/people/{person.id}")
        page.get_by_role("link", name="People", exact=True).click()
        page.locator(".somebody", has_text="Änne").wait_for()


def test_two_who_have_one_name_are_joined_when_the_user_says_so(browser, indexed, library):
    with Library.open(library) as opened:
        one, other = opened.people.all()[1:3]
        opened.people.name(one.id, "Ben")
    with tab(browser, f"{indexed}#/people/{other.id}") as page:
        name = page.get_by_role("textbox", name="Name")
        name.fill("ben")
        name.press("Enter")
        page.get_by_text("There is Ben already").wait_for()
        page.get_by_role("button", name="Yes, join the two").click()
        page.get_by_text("Saved: Ben").wait_for()
        page.wait_for_url(f"**/people/{one.id}")
    with Library.open(library) as opened:
        assert opened.people.find("Ben").faces == one.faces + other.faces


def test_a_picture_from_elsewhere_finds_its_like(browser, indexed, album):
    scene = photos(SCENES)[1].name
    with tab(browser, indexed) as page:
        page.set_input_files("#pick", album / "scenes" / scene)
        page.get_by_role("heading", name="Photos like yours").wait_for()
        page.locator("#main .tile.there").first.wait_for()
        assert page.locator("#main .tile img").first.get_attribute("alt") == scene


def test_the_models_are_listed_and_the_library_is_looked_through_again(browser, indexed):
    with tab(browser, f"{indexed}#/status") as page:
        row = page.locator("tr", has_text="clip_visual")
        row.wait_for()
        assert page.get_by_text("only ready models are listed").count() == 0
        assert row.locator(".asked").text_content() == row.locator(".device").text_content() == "CPU"
        page.get_by_role("button", name="Index now").click()
        page.get_by_text("Up to date; nothing was new").wait_for()


def test_photos_are_narrowed_down_and_the_address_keeps_it(browser, indexed, album):
    def tiles(count):
        page.wait_for_function("count => document.querySelectorAll('#main .tile[data-item]').length === count", arg=count)

    with tab(browser, indexed, viewport={"width": 1280, "height": 800}) as page:
        tiles(SCENES + PEOPLE)
        where = page.get_by_role("combobox", name="Where")
        where.select_option(label=f"people ({PEOPLE})")
        tiles(PEOPLE)
        assert f"folder={album}/people" in unquote(page.url)
        page.wait_for_function("list => list.selectedOptions[0]?.label === '\u2003people'", arg=where.element_handle())  # one step in
        page.keyboard.press("/")
        page.keyboard.type("a garden")
        page.wait_for_function(
            "() => location.hash.includes('q=a+garden') && document.querySelector('#main .tile[title*=\" · \"]') !== null"
        )
        tiles(PEOPLE)
        page.reload()
        tiles(PEOPLE)
        assert page.get_by_role("searchbox").input_value() == "a garden"
        assert where.input_value() == f"{album}/people"
        page.get_by_role("button", name="Clear").click()
        tiles(SCENES + PEOPLE)
        page.go_back()
        tiles(PEOPLE)

        page.goto(f"{indexed}#/")
        tiles(SCENES + PEOPLE)
        page.get_by_role("combobox", name="When").select_option("between")
        page.get_by_label("To", exact=True).fill("1850-01-31")
        page.get_by_role("heading", name="Nothing found").wait_for()
        assert page.get_by_text("No photo until 1850-01-31").is_visible()
        assert "until=1850-01-31" in page.url
        page.get_by_role("button", name="Clear the filters").click()
        tiles(SCENES + PEOPLE)
        assert not page.get_by_label("To", exact=True).is_visible()


def test_filters_that_come_late_do_not_stand_over_another_view(browser, indexed):
    held = []

    def hold_first(route):
        if held:
            route.continue_()
        held.append(route)

    with tab(browser, f"{indexed}#/status", viewport={"width": 1280, "height": 800}) as page:
        page.route("**/api/filters*", hold_first)
        with page.expect_request("**/api/filters*"):
            page.get_by_role("link", name="Photos", exact=True).click()
        page.locator("#main .tile.there").first.wait_for()
        page.get_by_role("link", name="People", exact=True).click()
        page.locator("#main .somebody").first.wait_for()
        with page.expect_response("**/api/filters*"):
            held[0].continue_()
        page.evaluate("() => fetch('api/filters').then((answer) => answer.json())")  # so that the page has had its turn
        assert page.locator("#filters").is_hidden()
        page.get_by_role("link", name="Photos", exact=True).click()
        page.locator("#filters").wait_for()


def test_an_empty_page_names_the_command_and_fills_while_it_runs(browser, engine, album, tmp_path_factory):
    folder = tmp_path_factory.mktemp("empty")
    with ui(engine, folder / "library.sqlite", folder) as url, tab(browser, url) as page:
        command = page.locator(".empty pre").text_content()
        assert command == f"triptych index ~/Pictures --library {folder / 'library.sqlite'} --url {engine.grpc_url}"
        words = [str(album) if word == "~/Pictures" else word for word in command.split()[1:]]
        done = subprocess.run([TRIPTYCH, *words], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        page.wait_for_function("count => document.querySelectorAll('#main .tile[data-item]').length === count", arg=SCENES + PEOPLE)
        page.locator("#main .tile.there").first.wait_for()


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 800, "light"), (390, 844, "dark")])
def test_every_view_fits_the_screen_by_day_and_by_night(browser, indexed, width, height, scheme):
    with tab(browser, indexed, viewport={"width": width, "height": height}, color_scheme=scheme) as page:
        page.locator("#main .tile.there").first.wait_for()
        first = shown(page)[0]
        for place, there in (
            ("", ".tile.there"),
            ("people", ".somebody"),
            ("status", "tr"),
            ("similar/1", ".tile.there"),
            (f"?photo={first}", ".panel .strip img"),
        ):
            page.goto(f"{indexed}#/{place}")
            page.locator(there).first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place
            with Image.open(io.BytesIO(page.screenshot())) as screen:
                paper = screen.convert("L").getpixel((2, height - 2))
            assert paper < 60 if scheme == "dark" else paper > 190, place
