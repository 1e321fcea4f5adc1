import json
from pathlib import Path

import pytest

from worker.cli.policy_files import draft_body, read_draft
from worker.moderation.errors import RejectedError
from worker.moderation.policy import PLAIN, UNEXPLAINED, Explaining, Opening

BAND = {"verdict": "real", "agreed": True, "pass_below": 0.1, "flag_from": None}


def written(folder: Path, **version: object) -> Path:
    path = folder / "version.json"
    path.write_text(json.dumps({"bands": [BAND], **version}))
    return path


def test_a_file_says_what_is_opened_and_is_written_out_again_as_it_was(tmp_path: Path) -> None:
    opening = {"flag_queue": "flags", "disagreement_queue": None, "qa_share": 0.02, "double_share": 0.5}
    draft = read_draft(written(tmp_path, **opening))
    assert draft.opening == Opening(flag_queue="flags", qa_share=0.02, double_share=0.5)
    assert draft_body(draft).items() >= {"bands": [BAND], "queue": "default", **opening}.items()


def test_a_file_says_what_is_explained_and_is_written_out_again_as_it_was(tmp_path: Path) -> None:
    said = {"faithfulness_share": 0.5, "least_drop": 0.1, "attention_share": 0.25, "languages": ["de", "ar"], "accuracy_floor": 0.8}
    draft = read_draft(written(tmp_path, **said))
    assert draft.explaining == Explaining(faithfulness_share=0.5, least_drop=0.1, attention_share=0.25, languages=("de", "ar"))
    assert draft.accuracy_floor == 0.8
    assert draft_body(draft).items() >= said.items()
    assert read_draft(written(tmp_path)).explaining == UNEXPLAINED


@pytest.mark.parametrize("languages", [["deutsch!"], ["de", "de"], [""], ["DE"], ["de", "tlh"]])
def test_languages_that_are_none_that_nobody_knows_or_that_stand_twice_are_refused(tmp_path: Path, languages: list[str]) -> None:
    with pytest.raises(RejectedError, match="language"):
        read_draft(written(tmp_path, languages=languages))


def test_a_file_that_says_nothing_of_it_opens_what_the_bands_ask_for(tmp_path: Path) -> None:
    assert read_draft(written(tmp_path)).opening == PLAIN


def test_a_share_that_is_none_and_a_word_that_is_unknown_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RejectedError, match="qa_share is a share"):
        read_draft(written(tmp_path, qa_share=2))
    with pytest.raises(RejectedError, match="qa_shares"):
        read_draft(written(tmp_path, qa_shares=0.1))
