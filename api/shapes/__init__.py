"""What the interface promises to answer: one model per JSON answer, one family per file.

The models are words for OpenAPI (`response_model=` of a route, `openapi_examples.PLAIN` for the plain ones) and for the
types of the page that are made from it. Nothing is validated while the service answers: routes hand over finished
bytes, so a hot route pays nothing. That no model lies is held by the tests: every JSON answer that a test obtains is
compared with what the interface says about it (`tests/api/promised.py`).
"""
