"""Archives from strangers: refused before anything large is read."""

import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from model.bundle.archive import LARGEST_TEXT, names, open_archive, read_array, read_text
from model.errors import BadInput


def archive(path: Path, compression: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return path


def header(dtype: str, shape: tuple[int, ...]) -> bytes:
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@given(shape=array_shapes(min_dims=0), dtype=st.sampled_from(["int32", "uint64", "float32"]))
def test_an_array_comes_back_as_it_was_saved(shape, dtype, tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "arrays.npz"
    saved = np.arange(np.prod(shape), dtype=dtype).reshape(shape)
    np.savez(path, a=saved, b=saved)
    with open_archive(path) as opened:
        assert names(opened) == {"a", "b"}
        found = read_array(opened, "a", dtype, shape)
    assert found.dtype == saved.dtype and np.array_equal(found, saved)


def refused_for_little(path: Path, sentence: str) -> None:
    tracemalloc.start()
    with open_archive(path) as opened, pytest.raises(BadInput, match=sentence):
        read_array(opened, "a", "int32", (10,))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20


def test_what_expands_to_more_than_its_shape_is_not_expanded(tmp_path):
    bomb = header("<i4", (10,)) + bytes(2**26)
    refused_for_little(archive(tmp_path / "a.npz", a=bomb), r"array a: expected at most 4,136 bytes, got 67,108,992")


@pytest.mark.parametrize("shape", [(10**9, 10**6), (11,), (10, 1), ()])
def test_a_header_of_another_shape_is_refused_before_there_is_an_array(shape, tmp_path):
    refused_for_little(archive(tmp_path / "a.npz", a=header("<i4", shape)), "expected int32 .10,., got int32")


@pytest.mark.parametrize("shape", ["-1", "1.5", "'x'", "[]", "9" * 5000, "(" * 300])
def test_a_header_that_says_nonsense_is_one_sentence(shape, tmp_path):
    text = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({shape},)}}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    with (
        open_archive(archive(tmp_path / "a.npz", a=content)) as opened,
        pytest.raises(BadInput, match="array a: expected"),
    ):
        read_array(opened, "a", "int32", (10,))


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED])
def test_damage_is_one_sentence_however_it_was_compressed(compression, tmp_path):
    values = np.random.default_rng(0).integers(-(2**31), 2**31, 10, dtype=np.int32)
    path = archive(tmp_path / "a.npz", compression, a=header("<i4", (10,)) + values.tobytes())
    whole = path.read_bytes()
    refused, places = 0, range(30, len(whole) - 80)
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        path.write_bytes(damaged)
        with open_archive(path) as opened:
            try:  # the end of a compressed stream and the size of LZMA's dictionary do not matter
                assert np.array_equal(read_array(opened, "a", "int32", (10,)), values)
            except BadInput as refusal:
                assert "array a: expected" in str(refusal)
                refused += 1
    assert refused >= len(places) - 6


@pytest.mark.parametrize("read", [read_text, open_archive])
def test_a_pipe_is_refused_and_not_waited_for(read, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="expected a plain file, got a folder, a pipe or a device"):
        read(tmp_path / "pipe")


def test_a_text_of_any_size_is_not_read(tmp_path):
    with (tmp_path / "manifest.json").open("wb") as file:
        file.truncate(LARGEST_TEXT + 1)
    with pytest.raises(BadInput, match="expected at most 16,777,216 bytes, got 16,777,217"):
        read_text(tmp_path / "manifest.json")
