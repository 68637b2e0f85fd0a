"""The decision package, format 2: a folder of JSON files, named by the hash of its content, that holds everything a decision needs besides its facts.

    manifest.json          format, name, version, effective dates; which files play which part
    variables.json         the input schema: every variable with type, range, sources, freshness, default and what missing means
    lists.json             named lists (blacklist) that variables may ask
    rules/*.json           decision tables as JDM graphs; their DMN hit policies stand in the manifest
    scorecards/*.json      points per bin, given or from WoE and PDO
    models/*.json          gradient-boosted trees as flat arrays
    combinations/*.json    score band x model band -> outcome
    prices.json            price tables: limit, rate, fee and flow in one row
    routes.json            scene x segment -> scorecard, model, combination, price table
    reasons.json           a text in en and zh for every code
    docs/*                 what goes with it (model card, report): hashed, not read

`docs/decision-package.md` describes every field. `reading.read(folder)` gives a checked Package or names every fault; `files.of(...)` writes one.
"""
