"""A story that fails leaves what its visitors saw: a picture, a trace and a film that can be opened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from PIL import Image, ImageChops, ImageStat
from processes import REPOSITORY

STORIES = """
def test_that_passes(visit):
    visit("ana").live()

def test_that_fails(visit):
    bo = visit("bo").live()
    bo.go("leases")
    bo.page.get_by_role("heading", name="Leases").wait_for()
    bo.page.locator(".lease").wait_for(timeout=500)
"""


def apart(one: Image.Image, other: Image.Image) -> float:
    """How far two pictures differ on average, of 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean) / 3


def test_what_a_failed_story_leaves_can_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "test_stories.py").write_text(STORIES)
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "tests")))}
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "journeys.conftest",
        "test_stories.py",
    ]
    told = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=300)
    assert "1 failed, 1 passed" in told.stdout, told.stdout + told.stderr
    kept = {each.name: each for each in (tmp_path / "build" / "page").iterdir()}
    picture, film, trace = (f"test_that_fails-1-bo{end}" for end in (".png", ".webp", ".zip"))
    assert set(kept) == {picture, film, trace}
    with ZipFile(kept[trace]) as archive:
        assert archive.testzip() is None and "trace.trace" in archive.namelist()
    with Image.open(kept[picture]) as end, Image.open(kept[film]) as frames:
        assert frames.size == end.size == (1280, 720)
        assert frames.n_frames > 3
        frames.seek(frames.n_frames - 1)
        assert apart(frames, end) < 5
        frames.seek(0)
        assert apart(frames, end) > 5
