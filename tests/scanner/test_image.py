"""Container images: by layer, with what became of each file and what the configuration says."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scanner import ScanOptions, scan
from scanner.sources import image
from tests.scanner.packing import tarred
from tests.scanner.secrets import github_token
from vocabulary.errors import ExitCode


def line(seed):
    return f"t = '{github_token(seed)}'\n".encode()


LAYERS = [
    {"etc/deleted.env": line(1), "etc/kept.env": line(2), "srv/app/in.env": line(3),
     "opaque/x.env": line(4), "etc/replaced.env": line(5)},
    {"etc/.wh.deleted.env": b"", "srv/.wh.app": b"", "opaque/.wh..wh..opq": b"",
     "etc/replaced.env": b"clean\n"},
]  # fmt: skip
CONFIG = {
    "config": {"Env": ["PATH=/bin", f"TOKEN={github_token(6)}"], "Labels": {"a": "b"}},
    "history": [
        {"created": "2024-01-01T00:00:00Z", "created_by": "ADD rootfs"},
        {"created_by": "ENV a=b", "empty_layer": True},
        {"created": "2024-01-02T00:00:00Z", "created_by": f"RUN login {github_token(7)}"},
    ],
}
WANTED = {
    "etc/deleted.env": "layer 2 deletes the file, but it is still in the image",
    "etc/kept.env": "",
    "srv/app/in.env": "layer 2 deletes the file, but it is still in the image",
    "opaque/x.env": "layer 2 deletes the file, but it is still in the image",
    "etc/replaced.env": "layer 2 replaces the file, but it is still in the image",
}


def digest(raw):
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def config(layers):
    diffs = [digest(layer) for layer in layers]
    return json.dumps({**CONFIG, "rootfs": {"type": "layers", "diff_ids": diffs}}).encode()


def docker(compress=lambda raw: raw):
    layers = [tarred(files) for files in LAYERS]
    raw = config(layers)
    files = {f"{n}/layer.tar": compress(layer) for n, layer in enumerate(layers)}
    name = digest(raw)[7:] + ".json"
    manifest = [{"Config": name, "RepoTags": ["app:1"], "Layers": list(files)}]
    return {**files, name: raw, "manifest.json": json.dumps(manifest).encode()}


def oci(compress=gzip.compress):
    layers = [tarred(files) for files in LAYERS]
    blobs = {}

    def blob(raw):
        blobs["blobs/" + digest(raw).replace(":", "/")] = raw
        return {"digest": digest(raw), "size": len(raw)}

    made = {
        "config": blob(config(layers)),
        "layers": [blob(compress(layer)) for layer in layers],
    }
    inner = {"manifests": [blob(json.dumps(made).encode())]}
    index = {"manifests": [blob(json.dumps(inner).encode())]}
    return {**blobs, "index.json": json.dumps(index).encode(), "oci-layout": b"{}"}


KINDS = {
    "docker": docker,
    "docker, gzip": lambda: docker(gzip.compress),
    "oci": oci,
    "oci, zstd": lambda: oci(zstandard.compress),
    "oci, plain": lambda: oci(lambda raw: raw),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_file_is_told_with_its_layer_and_what_became_of_it(tmp_path, kind):
    (tmp_path / "app.tar").write_bytes(tarred(KINDS[kind]()))
    report = scan(tmp_path / "app.tar")
    assert report.receipt.source == "image"
    assert report.receipt.incomplete == []
    by_path = {finding.path: finding for finding in report}
    assert len(report) == 7
    layers = [digest(tarred(files)) for files in LAYERS]
    for path, fate in WANTED.items():
        finding = by_path[f"app.tar!{path}"]
        assert (finding.commit, finding.date) == (layers[0], "2024-01-01T00:00:00Z")
        assert "in layer 1 of 2, made by step 1 of its history" in finding.reasons
        assert (fate in finding.reasons) if fate else "still" not in finding.reasons[-1]
    assert by_path["app.tar!(environment)"].line == 2
    assert by_path["app.tar!(history)"].line == 3


def test_a_layout_in_a_folder(tmp_path):
    for name, raw in oci().items():
        (tmp_path / "app" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "app" / name).write_bytes(raw)
    report = scan(tmp_path / "app")
    assert report.receipt.source == "image"
    assert len(report) == 7


def test_layers_that_an_older_docker_links_are_followed_within(tmp_path):
    files = docker()
    layer = files.pop("0/layer.tar")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, raw in {**files, "shared/layer.tar": layer}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            archive.addfile(entry, io.BytesIO(raw))
        for name, target in (("0/layer.tar", "../shared/layer.tar"), ("x", "/etc/passwd")):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    (tmp_path / "app.tar").write_bytes(out.getvalue())
    report = scan(tmp_path / "app.tar")
    assert len(report) == 7
    assert report.receipt.incomplete == []


@pytest.mark.parametrize("part", ["config", "container_config"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Env", lambda secret: [f"T={secret}"]),
        ("Labels", lambda secret: {"token": secret}),
        ("Entrypoint", lambda secret: ["run", "--token", secret]),
        ("Cmd", lambda secret: [f"login {secret}"]),
        ("OnBuild", lambda secret: [f"RUN login {secret}"]),
    ],
    ids=["Env", "Labels", "Entrypoint", "Cmd", "OnBuild"],
)
def test_a_secret_in_whatever_containers_are_started_with_is_found(
    tmp_path, monkeypatch, part, field, value
):
    monkeypatch.setitem(CONFIG, part, {field: value(github_token(8))})
    (tmp_path / "app.tar").write_bytes(tarred(docker()))
    found = list(scan(tmp_path / "app.tar"))
    monkeypatch.setitem(CONFIG, part, {})
    (tmp_path / "app.tar").write_bytes(tarred(docker()))
    assert len(found) == len(list(scan(tmp_path / "app.tar"))) + 1


def test_a_layer_that_is_damaged_is_named_and_the_others_are_told_whole(tmp_path):
    files = docker(gzip.compress)
    files["1/layer.tar"] = files["1/layer.tar"][:40]
    (tmp_path / "app.tar").write_bytes(tarred(files))
    report = scan(tmp_path / "app.tar")
    assert report.receipt.exit_code == ExitCode.INCOMPLETE
    paths = {place.path for finding in report for place in finding.places}
    assert any(path.endswith("etc/kept.env") for path in paths)


def test_a_layer_that_is_missing_is_named(tmp_path):
    files = docker()
    del files["0/layer.tar"]
    (tmp_path / "app.tar").write_bytes(tarred(files))
    report = scan(tmp_path / "app.tar")
    assert report.receipt.exit_code == ExitCode.INCOMPLETE
    assert report.receipt.incomplete == ["app.tar!0/layer.tar is named by the image and missing"]


def test_what_no_table_of_contents_names_is_scanned_too(tmp_path):
    (tmp_path / "app.tar").write_bytes(tarred({**docker(), "blobs/x": tarred({"y": line(9)})}))
    assert "app.tar!blobs/x!y" in {finding.path for finding in scan(tmp_path / "app.tar")}


def of_odd_kind(raw):
    """Give the first member of an archive a kind that nobody knows."""
    head = bytearray(raw[:512])
    head[156:157], head[148:156] = b"Z", b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + raw[512:]


HIDDEN = {
    "a name that is there twice": {"manifest.json": line(9)},
    "what lies behind the end": {"y": line(9)},
    "what is no file": {"y": line(9)},
    "more than is looked at": {**{f"{n}": b"" for n in range(50)}, "y": line(9)},
}


@pytest.mark.parametrize("what", HIDDEN)
def test_nothing_hides_beside_an_image(tmp_path, monkeypatch, what):
    monkeypatch.setattr(image, "_MEMBERS", 50)
    hidden = tarred(HIDDEN[what])
    hidden = of_odd_kind(hidden) if what == "what is no file" else hidden
    (tmp_path / "app.tar").write_bytes(tarred(docker()) + hidden)
    (tmp_path / "alone").write_bytes(line(9))
    (alone,) = scan(tmp_path / "alone")
    assert alone.fingerprint in {finding.fingerprint for finding in scan(tmp_path / "app.tar")}


def test_an_ordinary_tar_archive_is_no_image(tmp_path):
    (tmp_path / "x.tar").write_bytes(tarred({"manifest.txt": line(1)}))
    assert scan(tmp_path / "x.tar").receipt.source == "file"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["manifests", "layers", "config", "digest", "Layers", "Config", "RepoTags",
                         "history", "rootfs", "diff_ids", "Env", "Labels"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(JSON, JSON)
@example([{"Layers": [], "RepoTags": True}], None)
def test_whatever_the_tables_say_is_no_error(tmp_path, first, second):
    files = {"manifest.json": json.dumps(first).encode(), "index.json": json.dumps(second).encode()}
    (tmp_path / "app.tar").write_bytes(tarred(files))
    with (tmp_path / "app.tar").open("rb") as raw:
        for one in image.images(image.store_of(raw)):
            assert one.layers is not None


def test_a_table_that_nests_without_end_is_no_error(tmp_path):
    deep = b"[" * 50_000 + b"]" * 50_000
    (tmp_path / "app.tar").write_bytes(tarred({"manifest.json": deep, "x.txt": line(1)}))
    assert len(scan(tmp_path / "app.tar", ScanOptions())) == 1


def test_layers_that_tags_share_are_scanned_and_told_once(tmp_path):
    files = docker()
    (entry,) = json.loads(files["manifest.json"])
    entries = [entry, {**entry, "RepoTags": ["app:2"]}]
    once, twice = tmp_path / "once.tar", tmp_path / "twice.tar"
    once.write_bytes(tarred(files))
    twice.write_bytes(tarred({**files, "manifest.json": json.dumps(entries).encode()}))
    first, second = scan(once), scan(twice)
    assert [(f.fingerprint, f.count) for f in second] == [(f.fingerprint, f.count) for f in first]
    assert second.receipt.incomplete == []
