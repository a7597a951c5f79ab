import pandas as pd
import pytest
from toy import synthetic

from pneumo.errors import PneumoError
from pneumo.results import checklist
from pneumo.results.checklist import IN_PART, MET, NEEDS, NOT_APPLICABLE, NOT_MET


def measured(folder, *splits):
    for split in splits:
        path = folder / "toy" / "predictions" / f"{split}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return folder


def status(folder, guideline, number, **changes):
    (found,) = (
        each
        for each in checklist.items(synthetic.card(**changes), folder)
        if (each.guideline, each.number) == (guideline, number)
    )
    return found.status, found.reason


def test_every_item_of_both_guidelines_is_there_once(tmp_path):
    listed = checklist.items(synthetic.card(), tmp_path)

    numbers = {name: [each.number for each in listed if each.guideline == name] for name in ("CLAIM 2024", "TRIPOD+AI")}
    assert numbers["CLAIM 2024"] == [str(number) for number in range(1, 45)]
    mains = dict.fromkeys(number.rstrip("abcdefg") for number in numbers["TRIPOD+AI"])
    assert list(mains) == [str(number) for number in range(1, 28)]
    assert len(set(numbers["TRIPOD+AI"])) == len(numbers["TRIPOD+AI"]) == 52
    assert all(each.asks and each.reason for each in listed)


def test_every_need_is_asked_for():
    table = pd.read_csv(checklist.TABLE, keep_default_na=False)

    assert set(table["needs"]) - {""} == set(NEEDS)


def test_external_testing_is_met_by_models_that_were_tested_elsewhere_only(tmp_path):
    assert status(tmp_path, "CLAIM 2024", "33") == (NOT_MET, "the model was not measured at another hospital")
    assert status(measured(tmp_path, "external_nih"), "CLAIM 2024", "33")[0] == MET


def test_the_test_split_is_asked_for(tmp_path):
    assert status(tmp_path, "TRIPOD+AI", "12e")[0] == NOT_MET
    assert status(measured(tmp_path, "test"), "TRIPOD+AI", "12e")[0] == MET


def test_ensembling_applies_to_ensembles_only(tmp_path):
    assert status(tmp_path, "CLAIM 2024", "27") == (NOT_APPLICABLE, "the model is a single network")
    assert status(tmp_path, "CLAIM 2024", "27", members=[{"name": "a"}])[0] == MET
    assert status(tmp_path, "CLAIM 2024", "31", cam_layer=None)[0] == NOT_MET


def test_the_summary_counts_every_item(tmp_path):
    listed = checklist.items(synthetic.card(), tmp_path)

    counts = [sum(each.status == wanted for each in listed) for wanted in (MET, IN_PART, NOT_MET, NOT_APPLICABLE)]
    assert sum(counts) == len(listed)
    met, part, missing, beside = counts
    assert checklist.summary(listed) == (
        f"{met} of {len(listed)} met, {part} in part, {missing} not met, {beside} not applicable"
    )
    assert set(checklist.readable(listed)["Status"]) == set(checklist.STATUSES.values())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a,b\n1,2\n",
        "guideline,item,asks,status,needs,reason\nX,1,asks,perhaps,,why\n",
        "guideline,item,asks,status,needs,reason\nX,1,asks,met,luck,why\n",
        "guideline,item,asks,status,needs,reason\nX,1,asks,met,,\n",
    ],
)
def test_a_damaged_list_is_one_error(tmp_path, content):
    path = tmp_path / "list.csv"
    path.write_text(content)

    with pytest.raises(PneumoError):
        checklist.items(synthetic.card(), tmp_path, path)
