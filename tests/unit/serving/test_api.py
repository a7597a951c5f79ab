import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from starlette.testclient import TestClient
from toy.synthetic import noise, pair, png, sound_film
from typer.testing import CliRunner

from pneumo.cli import app as command_line
from pneumo.cli.serve import without_query
from pneumo.radiograph import decoder_limits
from pneumo.reports.records import Record
from pneumo.serving import api, api_page, audit
from pneumo.serving.queue import Queue

# More examples look longer: PNEUMO_FUZZ_EXAMPLES=500.
EXAMPLES = int(os.environ.get("PNEUMO_FUZZ_EXAMPLES", "6"))
TOKEN = "a token of many letters"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    monkeypatch.delenv("PNEUMO_SITE", raising=False)


@pytest.fixture(scope="module")
def models(toy_models):
    return api.LoadedModels(toy_models)


@pytest.fixture
def films() -> Queue:
    return Queue(most=2)


@pytest.fixture(scope="module")
def server(models):
    with TestClient(api.create_app(models, Queue())) as client:
        yield client


@pytest.fixture(scope="module")
def film() -> bytes:
    return png(sound_film())


def ask(client, sent, name="film.png", **options):
    return client.post("/api/predict", files={"file": (name, sent)}, params=options)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def told(response):
    return response.json()["detail"]


def pneumo(monkeypatch, folder, film, *options):
    """Return the line that the command line prints of a film."""
    (folder / "film.png").write_bytes(film)
    monkeypatch.chdir(folder)
    return CliRunner().invoke(command_line.app, ["predict", "film.png", "--json", *map(str, options)]).stdout


@pytest.mark.parametrize("kind", ["sound", "noise", "broken", "forced", "common"])
def test_the_answer_is_the_line_of_the_command_line_to_the_bit(kind, server, film, toy_models, tmp_path, monkeypatch):
    sent = {"noise": png(noise()), "broken": film[:200], "forced": png(noise())}.get(kind, film)
    options = {"forced": {"force": True}, "common": {"prevalence": 0.05, "model": "cnn"}}.get(kind, {})
    flags = {"forced": ["--force"], "common": ["--prevalence", 0.05, "--model", "cnn"]}.get(kind, [])

    answer = ask(server, sent, **options)

    assert answer.text + "\n" == pneumo(monkeypatch, tmp_path, sent, "--models", toy_models, *flags)
    assert answer.status_code == (422 if kind == "broken" else 200)


def test_a_film_is_a_field_of_a_form_or_the_body_itself(server, film):
    form, body = (
        ask(server, film, name="film"),
        server.post("/api/predict", content=film, headers={"Content-Type": "image/png"}),
    )
    assert form.text == body.text


def test_options_are_fields_of_the_form_too(server):
    answer = server.post("/api/predict", files={"file": ("a.png", png(noise()))}, data={"force": "true"})
    assert answer.json()["forced"]


def test_a_film_is_put_right_where_that_is_asked_for(server):
    inverted = png(255 - sound_film())
    refused, answered = ask(server, inverted), ask(server, inverted, correct=True)
    assert refused.json()["status"] == "refused"
    assert refused.json()["reasons"][0].endswith("Send it again with correct=true.")
    assert answered.json()["status"] == "ok"


def test_which_of_several_films_in_a_picture_is_cut_out_is_chosen(server):
    picture = png(pair())
    offered = ask(server, picture).json()["findings"][0]["crops"]
    assert [ask(server, picture, correct=True, film=number).json()["crop"] for number in (1, 2)] == offered


def test_the_schema_knows_every_key_of_a_record_and_names_none_besides(server, film):
    record = ask(server, film).json()
    named, aside = set(api_page.RECORD["properties"]), {"heatmap", "report", "count", "similar", "limits"}
    assert named == set(Record.__dataclass_fields__) - aside
    assert set(record) <= named
    assert set(api_page.RECORD["required"]) <= set(record)


def test_a_token_is_asked_for_where_one_is_set(models, films, film):
    server = TestClient(api.create_app(models, films, TOKEN))
    for shown in ({}, {"Authorization": "Bearer another"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = server.post("/api/predict", files={"file": film}, headers=shown)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "Authorization: Bearer" in told(answer)
    assert server.get("/api/models").status_code == 401
    assert server.get("/api/health").status_code == 200
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert server.post("/api/predict", files={"file": film}, headers=shown).status_code == 200


def test_the_token_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv(api.TOKEN, f" {TOKEN}\n")
    assert api.token_of_environment() == TOKEN
    monkeypatch.setenv(api.TOKEN, " ")
    assert api.token_of_environment() is None


def test_a_full_queue_asks_to_come_back(models, films, film):
    server = TestClient(api.create_app(models, films))
    with films.enter("a"), films.enter("b"):
        answer = ask(server, film)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    assert told(answer) == "pneumo is busy: 2 films are waiting to be read. Try again in a minute."
    assert ask(server, film).status_code == 200


def test_what_is_too_large_is_refused_before_it_is_held(server, monkeypatch, film):
    monkeypatch.setattr("pneumo.serving.upload.MAX_BYTES", len(film) - 70_000 if len(film) > 70_000 else 10)
    monkeypatch.setattr("pneumo.serving.upload.MOST_OVERHEAD", 10)
    whole = ask(server, film)
    in_parts = server.post(
        "/api/predict",
        content=(film[part : part + 64] for part in range(0, len(film), 64)),
        headers={"Content-Type": "image/png"},
    )
    for answer in (whole, in_parts):
        assert answer.status_code == 413 and "Export the film in a smaller size." in told(answer)


def test_a_picture_of_too_many_pixels_is_refused_as_everywhere(server, monkeypatch, film):
    monkeypatch.setattr(decoder_limits, "MAX_PIXELS", 100)
    answer = ask(server, film)
    assert answer.status_code == 413
    assert "more than 0 million" in answer.json()["reasons"][0]


def test_another_type_of_body_is_refused_with_what_to_send(server):
    answer = server.post("/api/predict", json={"film": "no"})
    assert answer.status_code == 415 and "multipart/form-data" in told(answer)


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"files": {"picture": b"x"}}, "no film"),
        ({"files": [("file", b"x"), ("file", b"y")]}, "more than one film"),
        ({"content": b"--", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, "no film"),
        ({"content": b"--", "headers": {"Content-Type": "multipart/form-data"}}, "damaged"),
        ({"content": b"", "headers": {"Content-Type": "image/png"}}, "no film"),
        ({"files": {"file": b"x"}, "params": {"prevalence": 2}}, "prevalence: Input should be less than 1"),
        ({"files": {"file": b"x"}, "params": {"Anna Example": 2}}, "an option: Extra inputs"),
        ({"files": {"file": b"x"}, "data": {"Anna Example": "2"}}, "The options are: model"),
        ({"files": {"file": b"x"}, "params": {"model": "../gate"}}, "Choose one of: cnn, dense."),
        ({"files": {"file": b"x"}, "params": {"model": "lungs"}}, "Choose one of: cnn, dense."),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(sent, words, server):
    answer = server.post("/api/predict", **sent)
    assert answer.status_code == 422 and words in told(answer)
    assert "Anna" not in answer.text


def test_a_film_of_megabytes_stays_in_memory_and_its_name_out_of_the_log(server, monkeypatch, caplog):
    def no_disk(self):
        raise AssertionError("the film went to disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", no_disk)
    caplog.set_level(logging.DEBUG)
    large = png(np.random.default_rng(0).integers(0, 255, (1500, 1500), np.uint8))
    assert len(large) > 2_000_000
    answer = ask(server, large, name="Anna Example.png")
    assert answer.json()["file"] == "Anna Example.png"
    assert answer.json()["image_sha256"] if answer.status_code == 200 else answer.json()["status"] == "error"
    assert not [line for line in caplog.records if "Anna" in line.getMessage() and "httpx" not in line.name]


def test_the_log_of_requests_holds_no_query():
    line = logging.LogRecord(
        "uvicorn.access",
        logging.INFO,
        "",
        1,
        '%s - "%s %s HTTP/%s" %d',
        ("1.2.3.4:5", "POST", "/a?n=Anna", "1.1", 200),
        None,
    )
    assert without_query(line) and "Anna" not in line.getMessage()


@pytest.fixture
def served(monkeypatch) -> list:
    """The configurations of servers that were to run; none does, and the log of the tests stays as it is."""
    configurations = []
    monkeypatch.setattr("uvicorn.Server.run", lambda server: configurations.append(server.config))
    monkeypatch.setattr("uvicorn.Config.configure_logging", lambda config: None)
    return configurations


def test_the_command_serves_the_api_with_the_token_of_the_environment(toy_models, monkeypatch, served):
    monkeypatch.delenv(api.TOKEN, raising=False)
    arguments = ["serve-api", "--port", "8601", "--models", str(toy_models)]

    here = CliRunner().invoke(command_line.app, arguments)
    monkeypatch.setenv(api.TOKEN, TOKEN)
    away = CliRunner().invoke(command_line.app, [*arguments, "--host", "0.0.0.0"])

    assert (here.exit_code, away.exit_code) == (0, 0)
    assert [(config.host, config.port) for config in served] == [("127.0.0.1", 8601), ("0.0.0.0", 8601)]
    assert [TestClient(config.app).get("/api/models").status_code for config in served] == [200, 401]
    assert "PNEUMO_API_TOKEN" not in away.stderr


def test_without_a_token_a_server_that_others_reach_says_so(toy_models, monkeypatch, served):
    monkeypatch.delenv(api.TOKEN, raising=False)
    said = CliRunner().invoke(command_line.app, ["serve-api", "--host", "0.0.0.0", "--models", str(toy_models)])
    assert "set PNEUMO_API_TOKEN" in said.stderr


def test_a_missing_package_is_told_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    said = CliRunner().invoke(command_line.app, ["serve-api"])
    assert said.exit_code == 2 and "pip install 'pneumo[api]'" in said.stderr


def test_an_unforeseen_failure_is_a_number_and_its_log_tells_no_message(server, film, monkeypatch, caplog):
    def fail(*_, **__):
        raise RuntimeError(patient)

    patient = "Anna Example"

    monkeypatch.setattr(api, "read_film", fail)
    answer = ask(server, film)
    number = re.search(r"the number (\w+);", told(answer))[1]
    assert answer.status_code == 500
    assert f"Failure {number}: RuntimeError" in caplog.text and "Anna" not in caplog.text
    monkeypatch.undo()
    assert ask(server, film).status_code == 200


def test_a_server_is_ready_once_its_model_has_answered(toy_models):
    models = api.LoadedModels(toy_models)
    client = TestClient(api.create_app(models))
    assert client.get("/api/health").json() == {"status": "ok"}
    with client:
        wait_for(lambda: client.get("/api/ready").json() == {"status": "ready"})


def test_a_damaged_model_is_told_and_the_server_lives(toy_models, tmp_path, film, caplog):
    (tmp_path / "cnn").mkdir()
    (tmp_path / "cnn" / "card.json").write_bytes((toy_models / "cnn" / "card.json").read_bytes())
    models = api.LoadedModels(tmp_path)
    client = TestClient(api.create_app(models))
    answer = ask(client, film)
    assert (answer.status_code, client.get("/api/ready").status_code) == (503, 503)
    assert "cnn/model.keras is missing" in told(answer)
    wait_for(lambda: "could not be loaded" in caplog.text)
    shutil.copy(toy_models / "cnn" / "model.keras", tmp_path / "cnn")
    wait_for(lambda: client.get("/api/ready").status_code == 200)
    assert ask(client, film, unchecked=True).status_code == 200


def test_every_answer_of_the_api_and_the_command_line_is_in_the_audit_log_without_its_name(
    server, film, toy_models, tmp_path, monkeypatch
):
    log = tmp_path / "audit.jsonl"
    monkeypatch.setenv(audit.VARIABLE, str(log))
    record = ask(server, film, name="Anna Example.png").json()
    ask(server, png(noise()), name="Anna Example.png")
    ask(server, film[:200], name="Anna Example.png")
    pneumo(monkeypatch, tmp_path, film, "--models", toy_models)

    lines = list(audit.entries([log]))
    assert [(line["via"], line["status"]) for line in lines] == [
        *(("api", "ok"), ("api", "refused"), ("api", "error"), ("cli", "ok"))
    ]
    assert all(lines[0][key] == record[key] for key in ("answer", "probability", "image_sha256", "model_sha256"))
    assert [line["findings"] for line in lines] == [[], ["not_chest_film"], None, []]
    assert lines[3]["image_sha256"] == lines[0]["image_sha256"]
    assert not re.search("Anna|film.png", log.read_text())
    assert audit.verify([log]).is_sound


def test_without_a_log_that_can_be_written_there_is_no_answer(server, film, tmp_path, monkeypatch):
    monkeypatch.setenv(audit.VARIABLE, str(tmp_path / "nowhere" / "audit.jsonl"))
    answer = ask(server, film)
    assert (answer.status_code, answer.json()["answer"]) == (503, None)
    assert answer.json()["reasons"][0].startswith("The audit log cannot be written (No such file or directory)")


def test_models_are_those_of_the_command_line(server, toy_models):
    printed = CliRunner().invoke(command_line.app, ["models", "--json", "--models", str(toy_models)]).stdout
    assert server.get("/api/models").json() == json.loads(printed)


def test_the_page_of_the_api_loads_nothing(server):
    page = server.get("/api")
    assert "POST /api/predict" in page.text and "prevalence" in page.text
    assert not re.search(r"https?:|src=|<script|<link|@import|url\(", page.text)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("path", "method"),
    [("/api/predict", "POST"), ("/api/models", "GET"), ("/api/health", "GET"), ("/api/ready", "GET")],
)
def test_whatever_is_sent_is_answered_as_the_schema_says(path, method, server):
    described = schemathesis.openapi.from_asgi("/api/openapi.json", server.app)

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy())
    def answers_as_described(case):
        case.call_and_validate(checks=[not_a_server_error, status_code_conformance, response_schema_conformance])

    answers_as_described()
