"""``import lakekey`` beside an interpreter that does nothing."""

from harness import Bench, Row


def run(bench: Bench) -> list[Row]:
    medians = bench.process_times({"pass": "pass", "lakekey": "import lakekey"}, rounds=10)
    ours, nothing = medians["lakekey"], medians["pass"]
    return [
        Row("python -c pass", nothing),
        Row("python -c 'import lakekey'", ours, "python -c pass", ours / nothing, 1.2),
    ]
