"""`python3 dev.py attack`: the attacks that docs/security.md speaks of, carried out.

rules/NN-*.toml     one file for each rule: the attacks, the tests that carry them out,
                    and how each rule is taken out again (a patch of wzp_cli)
catalogue.py        reads them
recorder.py         a plugin of pytest's that writes down how each test ended
trial.py            runs tests, here or in a copy of the tree with a rule taken out
table.py            what is printed

It stands beside tests/, as bench/ does: it is run and read by people; the attacks
themselves are tests like any other and run with them.
"""
