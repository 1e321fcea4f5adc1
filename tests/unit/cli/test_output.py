from pathlib import Path

import pytest

from worker.cli.output import open_output


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with open_output(path) as out:
        out.write("{}\n")
        assert not path.exists()
    assert path.read_text() == "{}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text("old")
    with pytest.raises(TypeError), open_output(path) as out:
        out.writelines(["half", 0])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named_as_the_user_wrote_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, open_output(tmp_path / "no" / "x.csv"):
        pass
    assert caught.value.filename == str(tmp_path / "no" / "x.csv")


def test_a_device_is_written_to_not_replaced() -> None:
    with open_output(Path("/dev/null")) as out:
        out.write("x")
    assert Path("/dev/null").is_char_device()


def test_a_full_disk_is_an_os_error() -> None:
    with pytest.raises(OSError, match="No space left"), open_output(Path("/dev/full")) as out:
        out.write("x")


def test_a_dash_is_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with open_output(Path("-")) as out:
        out.write("x")
    assert capsys.readouterr().out == "x"
