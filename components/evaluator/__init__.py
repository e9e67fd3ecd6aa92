"""The Evaluator component: TFMA's figures of judged models, and a gate of our own."""
