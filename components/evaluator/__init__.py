"""The Evaluator: the stock one with a judge around the models that it evaluates."""
