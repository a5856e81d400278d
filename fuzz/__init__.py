"""Coverage-guided fuzzing of what arrives from outside: `python3 dev.py fuzz NAME`.

Each module without an underscore is a target: `one` takes any bytes, raises nothing but
an AssertionError where a rule is broken, and `SEEDS` are where to begin. What was found
worth keeping is in corpus/NAME.txt, and is played again by tests/test_fuzz_corpus.py.
"""

__all__: list[str] = []
