"""What lies free in the allocator goes back to the system."""

import ctypes
import gc
import mmap
import weakref
from pathlib import Path

import numpy as np
import pytest

from vocabulary import memory
from vocabulary.memory import give_back

BLOCKS, WORDS = 400, 12_500
"""Blocks of 100 KB: those the allocator takes from its heap, and keeps."""


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="of glibc")
def test_holes_between_what_is_used_are_given_back():
    blocks = [np.ones(WORDS) for _ in range(BLOCKS)]
    used = blocks[::2]
    del blocks
    before = resident_bytes()
    give_back()
    assert before - resident_bytes() > BLOCKS // 4 * WORDS * 8
    assert all((block == 1).all() for block in used)


class Held:
    """Something that holds itself."""

    def __init__(self):
        self.itself = self


def test_what_is_old_and_held_by_a_cycle_alone_is_freed_by_a_thorough_look():
    one = Held()
    gc.collect()  # it is of the oldest generation by now
    seen = weakref.ref(one)
    del one
    give_back()
    assert seen() is not None
    give_back(thoroughly=True)
    assert seen() is None


def test_where_the_c_library_cannot_be_asked_cycles_are_freed_all_the_same(monkeypatch):
    def refuses(name):
        raise TypeError(name)  # as on Windows, where no name is no library

    monkeypatch.setattr(ctypes, "CDLL", refuses)
    monkeypatch.setattr(memory, "_TRIM", memory._trim())
    seen = weakref.ref(Held())
    give_back()
    assert memory._TRIM is None
    assert seen() is None
