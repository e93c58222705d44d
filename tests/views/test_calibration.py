"""What the admin page says about the confidence, and forgetting what was learnt."""

from __future__ import annotations

from tests.views.site import Site

SHIPPED = {"answers": 0, "needed": 50, "fitted_on": 0, "offset": 0.0, "slope": 1.0}


def one_answer(album: Site) -> Site:
    """Obama is named, and then suggested where both are."""
    album.confirm(album.photos["obama"], "Barack Obama")
    (face, *_) = album.photo(album.photos["both"])["faces"]
    album.post("/confirm/", {"image_path": face["image_path"], "label": "Barack Obama", "face_id": face["id"]})
    return album


def test_the_admin_page_says_that_nothing_was_learnt_yet(untouched: Site) -> None:
    assert untouched.get("/admin/").get_json()["calibration"] == SHIPPED
    page = untouched.page("/admin/")
    assert "as it was shipped" in page.text
    assert page.all("form", action="/calibration/forget") == []


def test_answers_are_counted(album: Site) -> None:
    one_answer(album)
    assert album.get("/admin/").get_json()["calibration"] == SHIPPED | {"answers": 1}
    assert "so far there are 1" in album.page("/admin/").text


def test_forgetting_answers_with_what_there_is_then(album: Site) -> None:
    answer = one_answer(album).post("/calibration/forget")
    assert (answer.status_code, answer.get_json()) == (200, SHIPPED)


def test_a_form_forgets_and_comes_back_to_the_admin_page(album: Site) -> None:
    one_answer(album)
    assert len(album.page("/admin/").all("form", action="/calibration/forget")) == 1
    answer = album.post("/calibration/forget", html=True)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/#confidence")
    page = album.page("/admin/")
    assert "Forgotten" in page.text
    assert page.all("form", action="/calibration/forget") == []


def test_forgetting_nothing_is_refused_and_changes_nothing(album: Site) -> None:
    before = album.everything()
    answer = album.post("/calibration/forget")
    assert answer.status_code == 409
    assert "nothing to forget" in answer.get_json()["message"]
    assert album.everything() == before


def test_asking_to_forget_by_get_is_not_taken(untouched: Site) -> None:
    assert untouched.get("/calibration/forget").status_code == 405
