import subprocess
import sys


def fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_the_evaluator_comes_without_its_command_line() -> None:
    code = "import sys, core.evaluator as e; print(e.compile('1 + 1').execute({}), 'prompt_toolkit' in sys.modules)"

    assert fresh(code) == "2 False"


def test_its_command_line_can_still_be_loaded_by_who_wants_it() -> None:
    for code in ("import core.evaluator, cel.cli", "import cel.cli, core.evaluator"):
        assert fresh(f"{code}; print(hasattr(cel.cli, 'app'))") == "True"
