import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from pneumo.errors import BusyError, SpoolError
from pneumo.serving.spool import Spool

LIMIT = 1000


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def spool(folder):
    spool = Spool(folder, LIMIT)
    yield spool
    with suppress(OSError):
        spool.close()


def files(folder):
    return sorted(path.name.partition(".")[2] for path in folder.iterdir() if path.name != "lock")


def test_a_film_is_replaced_by_its_answers_and_these_by_nothing(spool, folder):
    spool.add(b"film")
    film, data = spool.next_film()
    spool.answer(film, {"report": b"r", "picture": b"p"})
    names = spool.wait_for_answers(0)

    assert (data, film.attempts) == (b"film", 1)
    assert [spool.read_answer(name) for name in names] == [b"r", b"p"]
    assert files(folder) == ["picture.answer", "report.answer"]
    for name in names:
        spool.delivered(name)
    assert files(folder) == []
    assert spool.wait_for_answers(0) == []


def test_what_was_kept_is_there_after_a_restart_in_the_order_it_came(spool, folder):
    for number, content in enumerate((b"first", b"second", b"third")):
        spool.add(content)
        for path in folder.glob("*.film0"):
            if path.read_bytes() == content:
                os.utime(path, ns=(number, number))
    film, _ = spool.next_film()
    spool.answer(film, {"report": b"r"})
    spool.close()

    again = Spool(folder, LIMIT)

    assert (again.films, again.answers) == (2, 1)
    assert again.next_film()[1] == b"second"
    again.close()


def test_a_film_that_ended_the_process_has_its_attempts_counted(spool, folder):
    spool.add(b"film")
    spool.next_film()
    spool.close()

    again = Spool(folder, LIMIT)

    assert again.next_film()[0].attempts == 2
    again.close()


def test_what_was_half_written_is_gone_after_a_restart(spool, folder):
    spool.add(b"film")
    (folder / "half.film0.part").write_bytes(b"fi")
    spool.close()

    again = Spool(folder, LIMIT)

    assert again.films == 1
    assert files(folder) == ["film0"]
    again.close()


class KilledError(BaseException):
    """The process is gone."""


def test_killed_at_any_step_it_has_the_film_or_what_is_left_of_its_answers(tmp_path, monkeypatch):
    steps = [(os, "open"), (os, "fsync"), (Path, "rename"), (Path, "unlink"), (Path, "read_bytes")]
    left = [0]

    def before(step):
        def run(*arguments, **options):
            left[0] -= 1
            if left[0] == 0:
                raise KilledError
            return step(*arguments, **options)

        return run

    for owner, name in steps:
        monkeypatch.setattr(owner, name, before(getattr(owner, name)))
    for kill_at in range(1, 100):
        done, folder = [], tmp_path / str(kill_at)
        spool = Spool(folder, LIMIT)
        left[0] = kill_at
        with suppress(KilledError):
            live(spool, done)
        left[0] = 0
        spool.close()
        again = Spool(folder, LIMIT)
        kept = {name.partition(".")[2] for name in again.wait_for_answers(0)}

        assert "added" not in done or again.films or kept | {*done} >= {"report.answer", "picture.answer"}
        assert not list(folder.glob("*.part"))
        again.close()
        if "end" in done:
            assert not again.films and not kept
            return
    pytest.fail("it never came to an end")


def live(spool, done):
    """Take a film, answer it and deliver the answers; say in `done` what has been done."""
    spool.add(b"film")
    done.append("added")
    film, _ = spool.next_film()
    spool.answer(film, {"report": b"r", "picture": b"p"})
    for name in spool.wait_for_answers(0):
        spool.read_answer(name)
        # The archive has it from here on.
        done.append(name.partition(".")[2])
        spool.delivered(name)
    done.append("end")


def test_a_film_that_finds_no_room_is_refused_and_leaves_nothing(spool, folder):
    spool.add(b"x" * 900)

    with pytest.raises(BusyError, match="full"):
        spool.add(b"y" * 101)
    spool.add(b"y" * 100)

    assert files(folder) == ["film0", "film0"]


def test_a_disk_that_is_full_refuses_a_film(spool, folder, monkeypatch):
    def no_space(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)

    with pytest.raises(SpoolError, match="cannot be written"):
        spool.add(b"film")

    assert files(folder) == []
    assert spool.films == 0


def test_the_same_film_is_kept_once(spool):
    spool.add(b"x" * 600)
    spool.add(b"x" * 600)

    assert spool.films == 1


def test_while_it_is_full_no_film_is_read_until_answers_have_gone(spool):
    spool.add(b"first")
    spool.add(b"second")
    film, _ = spool.next_film()
    spool.answer(film, {"report": b"r" * LIMIT})
    read = []
    reader = threading.Thread(target=lambda: read.append(spool.next_film()[1]))
    reader.start()
    reader.join(0.1)

    assert read == []
    [name] = spool.wait_for_answers(0)
    spool.delivered(name)
    reader.join(5)
    assert read == [b"second"]


def test_stopping_wakes_up_who_waits(spool):
    read = []
    reader = threading.Thread(target=lambda: read.append(spool.next_film()))
    reader.start()

    spool.stop()

    reader.join(5)
    assert read == [None]
    assert spool.wait_for_answers(None) == []


def test_nobody_else_can_look_into_it(spool, folder):
    spool.add(b"film")

    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == {0o600}


def test_a_folder_has_one_process(spool, folder):
    with pytest.raises(SpoolError, match="no other pneumo"):
        Spool(folder, LIMIT)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SpoolError, match="cannot be used"):
        Spool(tmp_path / "file" / "spool", LIMIT)
