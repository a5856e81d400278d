import pytest

from wzp_cli.protocol.names.policy import STRANGER, Answering, Policy, answers_itself

FRIEND = Policy("Ada")
WELCOME = Policy("Bob", auto_answer=True)
NEVER = Policy("Carol", auto_answer=False)


@pytest.mark.parametrize(
    ("answering", "taken"),
    [
        ("nobody", []),
        ("chosen", [WELCOME]),
        ("contacts", [FRIEND, WELCOME]),
        ("all", [STRANGER, FRIEND, WELCOME]),
    ],
)
def test_whose_calls_are_taken_without_asking(
    answering: Answering, taken: list[Policy]
) -> None:
    everybody = [STRANGER, FRIEND, WELCOME, NEVER]
    assert [each for each in everybody if answers_itself(answering, each)] == taken


@pytest.mark.parametrize("answering", ["nobody", "chosen", "contacts", "all"])
def test_who_is_refused_is_never_answered(answering: Answering) -> None:
    refused = Policy("Eve", auto_answer=True, refused=True)
    assert not answers_itself(answering, refused)


def test_a_stranger_is_not_chosen_whatever_is_said() -> None:
    assert not answers_itself("chosen", Policy(auto_answer=True))
