"""The page over HTTP, against a real ``twocet serve``: limits, refusals and headers."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
from waiting import PATIENCE
from web_client import REFERENCE, TARGET, Client, decoded

from twocet import cli
from twocet.web.pictures import MAX_BYTES

ASKED = {"kind": "random", "strength": 1.0, "face": 1, "seed": 5}


def test_a_picture_is_given_shown_and_edited(client):
    given = client.send("PUT", "/api/photos/target", TARGET.read_bytes(), **{"X-Name": "..%2Fme.jpg"})
    assert given.json["name"] == "me.jpg"
    assert (given.json["width"], given.json["height"], len(given.json["faces"])) == (1024, 1024, 1)
    shown = decoded(client.send("GET", "/api/photos/target").body)
    edited = client.send("POST", "/api/render", ASKED)
    assert (edited.status, edited.headers["content-type"]) == (200, "image/jpeg")
    assert "edit;dur=" in edited.headers["server-timing"]
    assert np.abs(decoded(edited.body).astype(int) - shown).max() > 60
    assert len(client.send("POST", "/api/strip", ASKED).json["pictures"]) == 9
    presets = client.send("POST", "/api/presets", ASKED).json["pictures"]
    assert list(presets) == ["across", "upward"]
    assert len(set(presets.values())) == 2


def test_examples_are_given_by_name_alone(client):
    assert client.send("GET", "/examples/target-1.jpg").status == 200
    assert client.send("PUT", "/api/photos/reference/example/reference-1-happy").status == 200
    for path in ("/examples/nobody.jpg", "/examples/..%2F..%2Fpyproject.jpg", "/static/../app.py"):
        assert client.send("GET", path).status == 404
    assert client.send("PUT", "/api/photos/target/example/..%2F..%2F..%2Fetc%2Fpasswd").status == 404


def test_no_face_and_no_photo_are_said(client, wall):
    no_face = client.send("PUT", "/api/photos/target", wall, **{"X-Name": "wall.jpg"})
    assert no_face.status == 400
    assert no_face.json["error"].startswith("No face found in wall.jpg: choose")
    assert client.send("POST", "/api/render", ASKED).json == {"error": "A target is missing: choose a photo first."}
    assert client.send("POST", "/api/render", b"{").status == 400
    assert client.send("PUT", "/api/photos/passport", b"x").status == 404


def test_an_upload_ends_at_the_limit(client):
    refused = client.send("PUT", "/api/photos/target", bytes(MAX_BYTES + 1))
    assert (refused.status, "more than 50 MB" in refused.json["error"]) == (413, True)


def test_sessions_are_private_and_end(address):
    one, other = Client(address), Client(address)
    one.send("PUT", "/api/photos/target", TARGET.read_bytes())
    assert other.send("GET", "/api/photos/target").status == 400
    assert other.send("GET", "/api/photos/target", **{"X-Session": "guessed"}).status == 410
    assert one.send("GET", "/api/photos/target").status == 200
    one.send("POST", "/api/sessions/leave", one.session.encode())
    assert one.send("GET", "/api/photos/target").status == 410
    other.leave()


def test_other_websites_and_other_names_are_refused(client):
    assert client.send("POST", "/api/sessions", Origin="https://elsewhere.example").status == 403
    assert client.send("POST", "/api/sessions", Origin=client.address).status == 200
    assert client.send("GET", "/", Host="elsewhere.example").status == 400


def test_nothing_is_cached_nor_loaded_from_elsewhere(client):
    page = client.send("GET", "/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    for path in ("/", "/static/app.js", "/static/server.js", "/static/style.css"):
        text = client.send("GET", path).body.decode()
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert "https://" not in text


def test_the_reference_may_be_shown_too(client):
    client.send("PUT", "/api/photos/reference", REFERENCE.read_bytes())
    assert decoded(client.send("GET", "/api/photos/reference").body).shape == (1024, 1024, 3)


def test_a_taken_port_is_the_users_matter(address, model_file):
    port = address.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "twocet", "serve", "--port", port, "--model", str(model_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"127.0.0.1:{port} cannot be used" in done.stderr
    assert done.stderr.count("\n") == 1


def test_missing_packages_are_named(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else find_spec(name))
    assert cli.main(["serve"]) == 2
    assert "pip install 'twocet[web]'" in capsys.readouterr().err
