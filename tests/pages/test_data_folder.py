from pages.parts.data import data_folder


def test_what_one_session_changes_of_a_list_no_other_one_sees(toy_data):
    first = data_folder._listed(toy_data, "unchanged")
    first.films["kind"] = "changed"

    assert "changed" not in set(data_folder._listed(toy_data, "unchanged").films["kind"])


def test_what_one_session_changes_of_the_figures_no_other_one_sees(toy_data):
    data = data_folder._listed(toy_data, "unchanged")
    first = data_folder._summary(toy_data, "unchanged", data, None)
    first.counts["films"] = 0
    for picture in first.pictures.values():
        picture[:] = 0

    second = data_folder._summary(toy_data, "unchanged", data, None)
    assert (second.counts["films"] > 0).all()
    assert all(picture.any() for picture in second.pictures.values())
