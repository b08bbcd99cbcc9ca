"""How commands speak and leave files: whole or not at all, links and pipes respected, quiet where nobody looks."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from migrate.report import output

ROOT = Path(__file__).resolve().parents[2]


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    output.write_whole(path, "one\n")
    output.write_whole(path, b"two\n")
    assert path.read_text() == "two\n"
    assert os.listdir(tmp_path) == ["report.txt"]


def test_what_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), output.whole(path) as temporary:
        temporary.write_text("hal")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["report.txt"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("before")
    (tmp_path / "link.txt").symlink_to("real.txt")
    output.write_whole(tmp_path / "link.txt", "after")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "after"


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev/stdout")
@pytest.mark.parametrize("to_file", [False, True], ids=["pipe", "file"])
def test_standard_output_is_written_to_as_it_is(tmp_path: Path, to_file: bool) -> None:
    code = "from pathlib import Path; from migrate.report.output import write_whole; write_whole(Path('/dev/stdout'), 'said')"
    run = [sys.executable, "-c", code]
    if to_file:
        with (tmp_path / "said.txt").open("w") as file:
            subprocess.run(run, cwd=ROOT, stdout=file, check=True)
        assert (tmp_path / "said.txt").read_text() == "said"
    else:
        assert subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "said"
    assert Path("/dev/stdout").is_symlink()


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "no/file", "There is no folder")):
        with pytest.raises(OSError, match=said):
            output.check_place(path)
    for path in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(OSError, match=r"is a file|gives you no permission"):
            output.check_folder(path)
    output.check_folder(tmp_path / "new/folders")
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        tmp_path.chmod(0o555)
        with pytest.raises(PermissionError, match="no permission"):
            output.check_place(tmp_path / "new")
        tmp_path.chmod(0o755)


def test_a_command_stops_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        output.stop("this was wrong", 2)
    assert ended.value.code == 2
    assert capsys.readouterr().err == "tfrevive: this was wrong\n"


def test_steps(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with output.Steps()("Loading"):
        pass
    with output.Steps(quiet=True, verbose=True)("Loading"):
        pass
    assert capsys.readouterr().err == ""
    with output.Steps(verbose=True)("Loading"):
        pass
    assert re.fullmatch(r"Loading: \d+\.\d\d s\n", capsys.readouterr().err)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with output.Steps()("Loading"):
        assert capsys.readouterr().err == f"{output.CLEAR}Loading ..."
    assert capsys.readouterr().err == output.CLEAR


def test_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with output.Progress() as step:
        assert step is None  # no terminal
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with output.Progress(quiet=True) as step:
        assert step is None
    with output.Progress() as step:
        assert step is not None
        step(3, 12, "a.py")
        step(4, 12, "soon after")  # too soon to be drawn
        step(12, 12, "z.py")
    said = capsys.readouterr().err
    assert f"[{'#' * 6}{' ' * 18}] 3/12 a.py" in said
    assert "soon" not in said
    assert said.endswith(f"[{'#' * 24}] 12/12 z.py{output.CLEAR}")


def test_refusals_keep_their_errno(tmp_path: Path) -> None:
    """Callers tell a missing folder from a forbidden one by it, as the savers of the stand-in do."""
    with pytest.raises(FileNotFoundError) as missing:
        output.write_whole(tmp_path / "no/file", "")
    assert missing.value.errno == errno.ENOENT
    with pytest.raises(IsADirectoryError) as folder:
        output.write_whole(tmp_path, "")
    assert folder.value.errno == errno.EISDIR
    assert "[Errno" not in str(folder.value)
