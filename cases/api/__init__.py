"""The REST API of cases: the same verbs, questions and words as the pages."""
