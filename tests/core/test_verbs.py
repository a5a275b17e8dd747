from core.verbs import VERBS


def test_every_verb_is_one_lower_case_word_that_a_sentence_can_begin_with() -> None:
    assert all(verb == verb.lower() and verb.replace("-", "").isalpha() for verb in VERBS)


def test_the_words_inside_a_command_are_no_verbs() -> None:
    assert not VERBS & {"because", "for", "until", "to", "all", "mine", "completed", "failed"}
