"""Names, curated schemas and settings rules that every other package shares.

`features` names every raw and transformed feature once, `settings` turns
typed configuration into JSON and back, `errors` marks what is the user's to
mend, `progress` tells people who wait, and `curated` gives the schema files.
Standard library only, so that a Beam worker or a configuration tool can import
it in no time.
"""
