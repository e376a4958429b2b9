"""Delta tables on open-source Spark, which has no Delta: they become Parquet, and are replaced in three steps.

Databricks' tables are Delta unless they say otherwise, and so are those of a plain dbt project.
"""

from collections.abc import Sequence

# What the sandbox says of an operation that only Delta has.
NOTE = (
    "The sandbox's Spark engine keeps Delta tables as Parquet, whose rows cannot be updated, deleted or merged. "
    "In dbt, set incremental_strategy to append or insert_overwrite."
)
_NEXT = "__lakekey_next"


def statements(words: Sequence[str]) -> list[str]:
    """A definition of a table as open-source Spark can run it; any other statement as it is.

    Args:
        words: The statement, cut into words, blanks and comments, which together are its text.

    Returns:
        Statements to be run in turn; what the client asked for is the first one.
    """
    found = list(words)
    telling = [index for index, word in enumerate(found) if not word.isspace() and not word.startswith(("--", "/*"))]
    said = [found[index].upper() for index in telling]
    if said[:1] not in (["CREATE"], ["REPLACE"]):
        return ["".join(found)]
    for place in range(len(said) - 1):
        if said[place] == "AS":
            break
        if said[place] == "USING" and said[place + 1].strip("`") == "DELTA":
            found[telling[place + 1]] = "parquet"
    start = next((len(head) for head in (["CREATE", "OR"], []) if said[: len(head)] == head), 0)
    if said[start : start + 2] != ["REPLACE", "TABLE"]:
        return ["".join(found)]
    last = start + 2
    while last + 2 < len(said) and said[last + 1] == ".":
        last += 2
    name = "".join(found[telling[start + 2] : telling[last] + 1])
    # A table keeps its catalog: the new name may not say it.
    within = "".join(found[telling[max(start + 2, last - 2)] : telling[last] + 1])
    ahead = f"{name.rstrip('`')}{_NEXT}{'`' if name.endswith('`') else ''}"
    rest = "".join(found[telling[last] + 1 :])
    # The table that is replaced may be read by the query that replaces it.
    return [
        f"CREATE TABLE {ahead}{rest}",
        f"DROP TABLE IF EXISTS {name}",
        f"ALTER TABLE {ahead} RENAME TO {within}",
    ]
