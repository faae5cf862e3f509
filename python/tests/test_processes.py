"""A parent's call, a fork, a child's call; calls from several threads; matchers that are kept."""

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import mpixcorr
from mpixcorr import _batch, _library, match

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # newer Pythons warn of any fork beside threads


@pytest.fixture(autouse=True)
def _small_images_too(monkeypatch, request):
    """Threads are at work though the images of these tests are small."""
    if "kept" not in request.node.name:
        monkeypatch.setattr(_batch, "SMALL_PX", 0)


def _child(case, queue):
    result = match(case.images, case.templates, case.pairs, threads=2)
    other = match(case.images[0][:50], case.templates[0][:, :17], threads=2)  # a shape that the parent never planned
    queue.put((result.peaks.tobytes(), other.peaks.tobytes()))


def _ask_child(case):
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_child, args=(case, queue), daemon=True)
    child.start()
    child.join(60)
    assert child.exitcode == 0, "the child did not end by itself"
    return queue.get()


def test_child_after_parent(case):
    expected = match(case.images, case.templates, case.pairs, threads=2).peaks.tobytes()
    assert _ask_child(case)[0] == expected
    assert match(case.images, case.templates, case.pairs, threads=2).peaks.tobytes() == expected


def test_child_while_a_thread_of_the_parent_matches(case):
    """New shapes all the time, so that the thread is mostly planning its transforms."""
    expected = match(case.images, case.templates, case.pairs, threads=2).peaks.tobytes()
    stop = threading.Event()

    def busy():
        for rows in range(20, 61):
            if stop.is_set():
                return
            match(case.images[0][:rows], case.templates[0][:9, : rows // 3])

    thread = threading.Thread(target=busy)
    thread.start()
    try:
        assert all(_ask_child(case)[0] == expected for _ in range(3))
    finally:
        stop.set()
        thread.join()


def test_threads_side_by_side(case):
    expected = match(case.images, case.templates, case.pairs)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(match(case.images, case.templates, case.pairs, threads=1)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and all(np.array_equal(r.peaks, expected.peaks) for r in found)


def test_matchers_are_kept_and_released(case):
    mpixcorr.release()
    for _ in range(3):
        match(case.images, case.templates, case.pairs, threads=1)
    assert len(_library._idle) == 1
    for _ in range(3):
        match(case.images, case.templates, case.pairs, threads=3)  # three small images side by side
    assert 1 <= len(_library._idle) <= 3
    for eps in range(10):
        match(case.images[0], case.templates[0], eps=float(eps))
    assert len({kind for kind, _ in _library._idle}) == _library._IDLE_KINDS
    mpixcorr.release()
    assert not _library._idle


def test_planning_is_kept_for_the_next_process(tmp_path):
    program = """
import numpy as np
from mpixcorr import _library, match
image = np.random.default_rng(0).normal(size=(67, 83))
match(image, image[:31, :29], threads=1)
print(_library._idle[0][1].seconds("planning_s"))
"""

    def planning_s(cache):
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        ran = subprocess.run([sys.executable, "-c", program], env=environment, check=True, stdout=subprocess.PIPE)
        return float(ran.stdout)

    first, second = planning_s(tmp_path), planning_s(tmp_path)
    assert second < first / 3, f"{second} s of planning with the cache, {first} s without"
    (tmp_path / "file").write_text("no folder")
    assert planning_s(tmp_path / "file") > 0, "a cache that cannot be written is no error"
