import pytest

from wzp_cli.protocol.names.look_alikes import look_alike


@pytest.mark.parametrize(
    "name",
    [
        *("Bob", "bob", "BOB", " b o b ", "Bob.", "B-o-b!", "Böb", "B0b", "Ｂｏｂ"),
        *("Воb", "ВОВ", "Βοβ"),
    ],
)
def test_names_that_are_taken_for_bob(name: str) -> None:
    assert look_alike(name, "Bob")
    assert look_alike("Bob", name)


@pytest.mark.parametrize(
    ("one", "other"), [("Paul", "PauI"), ("Lil", "IiI"), ("Paul", "Раul")]
)
def test_letters_that_are_drawn_alike(one: str, other: str) -> None:
    assert look_alike(one, other)


@pytest.mark.parametrize("name", ["", "...", "Bo", "Bobby", "Rob", "Вор", "鮑勃"])
def test_names_that_are_not(name: str) -> None:
    assert not look_alike(name, "Bob")


def test_nobody_is_like_nobody() -> None:
    assert not look_alike("", "")
    assert not look_alike("!", "?")


def test_names_in_other_letters_are_compared_too() -> None:
    assert look_alike("Мария", "мария")
    assert look_alike("鮑勃", "鮑 勃")
    assert not look_alike("Мария", "Марина")
