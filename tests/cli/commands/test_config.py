from pathlib import Path

from tests.cli.test_schema import fits
from tests.support.processes import Processes


def test_a_file_is_made_found_and_shown(processes: Processes, tmp_path: Path) -> None:
    place = tmp_path / "config" / "wzp" / "config.toml"
    ada = processes.user("ada", XDG_CONFIG_HOME=str(tmp_path / "config"))
    answer = ada.ask("config", "path")
    fits(answer.document, "config-path.json")
    assert answer.result == {"path": str(place), "exists": False}
    assert "wzp config init" in ada.run("config", "show").stdout

    made = ada.ask("config", "init")
    fits(made.document, "config-init.json")
    assert made.result == {"path": str(place)}
    shown = ada.ask("config", "show").result["settings"]
    assert {each["origin"] for each in shown} == {"default", "variable"}

    place.write_text('relay = ["a.example", "b.example"]\nring = false\n')
    ada.environment["WZP_NAME"] = "Ada"
    answer = ada.ask("config", "show")
    fits(answer.document, "config-show.json")
    said = {each["key"]: each for each in answer.result["settings"]}
    assert said["relay"]["value"] == ["a.example", "b.example"]
    assert said["ring"] == {"key": "ring", "value": False, "origin": "file"}
    assert said["name"] == {"key": "name", "value": "Ada", "origin": "variable"}
    assert said["port"] == {"key": "port", "value": None, "origin": "default"}
    assert "(WZP_NAME)" in ada.run("config", "show").stdout


def test_a_file_that_is_there_stays(processes: Processes, tmp_path: Path) -> None:
    place = tmp_path / "mine.toml"
    place.write_text("port = 1\n")
    ada = processes.user("ada", WZP_CONFIG=str(place))
    refused = ada.ask("config", "init", expect=1)
    fits(refused.document, "config-init.json")
    assert place.read_text() == "port = 1\n"
    ada.ask("config", "init", "--force")
    assert "#port =" in place.read_text()


def test_a_file_that_is_wrong_can_be_found(
    processes: Processes, tmp_path: Path
) -> None:
    place = tmp_path / "mine.toml"
    place.write_text("prot = 1\n")
    ada = processes.user("ada", WZP_CONFIG=str(place))
    assert ada.run("config", "path").stdout == f"{place}\n"
    refused = ada.ask("config", "show", expect=78)
    fits(refused.document, "config-show.json")
    assert "did you mean 'port'" in refused.document["error"]["message"]
