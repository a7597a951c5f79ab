import json
import multiprocessing
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumo.serving import audit
from pneumo.serving.audit import AuditError, AuditLog, verify


@pytest.fixture
def log(tmp_path) -> AuditLog:
    return written(tmp_path / "audit.jsonl", 6)


def written(file, films: int, **options) -> AuditLog:
    log = AuditLog(file, **options)
    for film in range(films):
        log.append({"status": "ok", "probability": film / 10})
    return log


def lines_of(log) -> list[bytes]:
    return log.file.read_bytes().splitlines(keepends=True)


def change(log, lines) -> None:
    log.file.write_bytes(b"".join(lines))


def test_a_log_that_was_only_added_to_is_sound(log):
    found = verify(log.files)
    assert found.is_sound and (found.lines, found.first, found.torn) == (6, 1, ())
    last = json.loads(lines_of(log)[-1])
    assert (last["number"], found.last_hash) == (6, last["hash"])
    assert oct(log.file.stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize("line", [0, 3, 5])
def test_a_changed_line_is_found(log, line):
    lines = lines_of(log)
    lines[line] = lines[line].replace(b'"ok"', b'"no"')
    change(log, lines)
    assert verify([log.file]).problems == (f"audit.jsonl, line {line + 1} (number {line + 1}) was changed.",)


def test_a_line_that_was_changed_with_its_hash_is_found_by_the_next(log):
    lines = lines_of(log)
    values = json.loads(lines[2])
    values["probability"] = 0.9
    del values["hash"]
    lines[2] = json.dumps({**values, "hash": audit._hash(values)}).encode() + b"\n"
    change(log, lines)
    assert verify([log.file]).problems == (
        "Number 3 was changed: audit.jsonl, line 4 (number 4) is not chained to it.",
    )


def test_a_line_that_is_no_json_any_more_is_found(log):
    lines = lines_of(log)
    lines[2] = lines[2][:40] + b"\n"
    change(log, lines)
    assert verify([log.file]).problems == ("audit.jsonl, line 3 was changed: it is no line of a log.",)


def test_a_removed_line_is_found(log):
    lines = lines_of(log)
    del lines[1:3]
    change(log, lines)
    assert verify([log.file]).problems == (
        "Number 2, before audit.jsonl, line 2, was removed.",
        "Number 3, before audit.jsonl, line 2, was removed.",
    )


def test_reordered_lines_are_found(log):
    lines = lines_of(log)
    lines[1], lines[2] = lines[2], lines[1]
    change(log, lines)
    assert verify([log.file]).problems == (
        "audit.jsonl, line 3 (number 2) stands after number 3: lines were reordered or added.",
    )


def test_an_added_line_is_found(log):
    lines = lines_of(log)
    change(log, [*lines[:3], lines[2], *lines[3:]])
    assert "line 4 (number 3) stands after number 3" in verify([log.file]).problems[0]


def test_lines_removed_from_the_end_are_found_by_a_hash_that_was_kept_elsewhere(log):
    kept = verify([log.file]).last_hash
    change(log, lines_of(log)[:4])
    assert verify([log.file]).is_sound
    assert verify([log.file], kept).problems == (
        f"No line has the hash {kept}: it was removed, or lines were written anew.",
    )
    log.append({})
    assert verify([log.file], verify([log.file]).last_hash).is_sound


@given(left=st.integers(2, 100))
def test_a_line_that_a_kill_broke_off_is_no_tampering(tmp_path_factory, left):
    log = written(tmp_path_factory.mktemp("log") / "audit.jsonl", 3)
    lines = lines_of(log)
    broken = lines[2][:-left]
    change(log, [*lines[:2], broken])

    found = verify([log.file])
    assert found.is_sound and found.lines == 2
    assert found.torn == ("audit.jsonl, line 3 ends in the middle: the process that wrote it was killed.",)

    log.append({"status": "ok"})
    log.append({"status": "ok"})
    found = verify([log.file])
    assert found.is_sound and found.lines == 4
    assert found.torn == ("audit.jsonl, line 3 was broken off when the process that wrote it was killed.",)


def test_a_line_that_lacks_only_its_end_counts(log):
    change(log, [b"".join(lines_of(log))[:-1]])
    assert verify([log.file]).lines == 6
    log.append({})
    assert verify([log.file]).is_sound and verify([log.file]).lines == 7


def test_a_first_line_that_a_kill_broke_off_is_no_tampering(tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    log.file.write_bytes(b'{"number": 1, "ti')
    assert verify([log.file]).torn
    log.append({})
    found = verify([log.file])
    assert found.is_sound and found.lines == 1 and found.torn


def test_a_broken_line_that_is_said_to_be_a_kill_must_be_the_one(log):
    lines = lines_of(log)
    change(log, [*lines[:5], lines[5][:-30]])
    log.append({})
    lines = lines_of(log)
    lines[5] = b"another fragment\n"
    change(log, lines)
    assert verify([log.file]).problems == ("audit.jsonl, line 6 was changed: it is no line of a log.",)


def test_rotation_keeps_the_chain(tmp_path):
    log = written(tmp_path / "audit.jsonl", 20, most_bytes=1000)
    files = log.files
    assert len(files) > 3 and files[0].name == "audit.jsonl.1" and files[-1] == log.file
    shuffled = random.Random(0).sample(files, len(files))
    found = verify(shuffled)
    assert found.is_sound and (found.lines, found.first) == (20, 1)


def test_a_file_that_is_missing_from_the_middle_of_a_rotation_is_found(tmp_path):
    files = written(tmp_path / "audit.jsonl", 20, most_bytes=1000).files
    assert all("was removed" in problem for problem in verify([files[0], *files[2:]]).problems)
    later = verify(files[1:])
    assert later.is_sound and later.first > 1


def test_the_chain_goes_on_where_the_newest_file_was_just_rotated(tmp_path):
    log = written(tmp_path / "audit.jsonl", 4)
    log.file.rename(tmp_path / "audit.jsonl.1")
    log.append({})
    assert verify(log.files).is_sound and verify(log.files).lines == 5


def append_many(file, films):
    written(file, films, most_bytes=4000)


def test_several_processes_write_one_chain(tmp_path):
    file = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=append_many, args=(file, 25)) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = verify(AuditLog(file).files)
    assert found.is_sound and found.lines == 100


def test_a_disk_that_is_full_leaves_no_part_of_a_line(log, monkeypatch):
    before, write = log.file.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:20]))
    with pytest.raises(AuditError, match="No space left on device"):
        log.append({})
    assert log.file.read_bytes() == before


def test_a_log_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(AuditError, match=r"\(No such file or directory\), so no answer"):
        AuditLog(tmp_path / "nowhere" / "audit.jsonl").append({})
