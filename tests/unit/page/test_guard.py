"""Who may ask the page: other hosts, other sites and forms are turned away, and browsers are told to load nothing from elsewhere."""

import pytest
from starlette.datastructures import Headers

from triptych.gateway.refusals import Forbidden, Refused
from triptych.page.guard import check_host, check_site

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3033", "127.0.0.1:3033", "[::1]:3033", "[::1]"])
def test_hosts_of_this_machine(host):
    check_host(Headers({"host": host}))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:3033",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.5:3033",
        "",
        "[::1",
        "localhost@evil.example",
        "0.0.0.0",
        "localhost:x",
    ],
)
def test_a_rebound_name_is_another_host(host):
    with pytest.raises(Forbidden):
        check_host(Headers({"host": host}))


def test_one_host_and_no_more():
    with pytest.raises(Forbidden):
        check_host(Headers({}))
    with pytest.raises(Forbidden):
        check_host(Headers(raw=[(b"host", b"localhost"), (b"host", b"evil.example")]))


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {}),  # no browser
        ("GET", {"sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors"}),
        ("GET", {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"}),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}),  # a link
        ("POST", {**JSON, "sec-fetch-site": "same-origin", "origin": "http://localhost:3033"}),
        ("POST", {"content-type": "application/json; charset=utf-8"}),
        ("DELETE", {"sec-fetch-site": "same-origin", "origin": "http://localhost:3033"}),
    ],
)
def test_the_page_and_the_user_may(method, headers):
    check_site(method, Headers({"host": "localhost:3033", **headers}))


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}),  # another port of this machine
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}),
        ("POST", {**JSON, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}),
        ("POST", {**JSON, "origin": "http://evil.example"}),
        ("POST", {**JSON, "origin": "http://localhost:8000"}),
        ("POST", {**JSON, "origin": "null"}),
        ("PATCH", {**JSON, "origin": "http://[evil"}),
        ("DELETE", {"origin": "https://evil.example"}),
        ("POST", {"content-type": "text/plain"}),
        ("POST", {"content-type": "multipart/form-data; boundary=x"}),
        ("POST", {"content-type": "application/x-www-form-urlencoded"}),
        ("POST", {}),
    ],
)
def test_other_sites_may_not(method, headers):
    with pytest.raises(Refused):
        check_site(method, Headers({"host": "localhost:3033", **headers}))


def test_every_answer_carries_the_policy(page, photo):
    for path in ("/ui/", "/ui/static/app.js", "/ui/api/photos", f"/ui/tiles/{photo}", "/ui/api/photos/999", "/ui/nothing"):
        headers = page.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert (headers["x-content-type-options"], headers["cross-origin-resource-policy"]) == ("nosniff", "same-origin")
        assert "access-control-allow-origin" not in headers
    assert page.get("/ui/api/photos").headers["cache-control"] == "no-store"


def test_all_of_the_page_is_guarded_and_nothing_else(page, photo):
    for path in ("/ui/", "/ui/static/app.js", "/ui/api/photos", f"/ui/tiles/{photo}"):
        assert page.get(path, headers={"host": "evil.example"}).status_code == 403
    assert page.get("/", headers={"host": "immich-machine-learning:3003"}).json() == {"message": "Immich ML"}
    assert page.post("/ui/api/index", content=b'{"run":true}', headers={"content-type": "text/plain"}).status_code == 400
    assert page.get("/ui/api/index").json()["phase"] == "idle"


def test_a_browser_at_the_root_is_shown_the_page(page):
    answer = page.get("/", headers={"accept": "text/html,*/*"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/ui/")
    assert "<title>Triptych</title>" in page.get("/ui").text


def test_with_a_key_any_name_will_do_and_a_browser_can_give_it(opened, free_port, photo):
    with opened(f"127.0.0.1:{free_port}", api_key="sesame-of-the-page", base_url="http://photos.lan") as client:
        for path in ("/ui/", f"/ui/tiles/{photo}", "/ui/api/photos"):
            refused = client.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Basic ")
            assert client.get(path, auth=("anybody", "open")).status_code == 401
            assert client.get(path, headers={"authorization": "Basic !"}).status_code == 401
            assert client.get(path, auth=("anybody", "sesame-of-the-page")).status_code == 200
            assert client.get(path, headers={"authorization": "Bearer sesame-of-the-page"}).status_code == 200
        assert client.get("/v1/models", auth=("anybody", "sesame-of-the-page")).status_code == 401  # of the page alone
