"""The Evaluator component: TFMA's figures of exported models, and a gate of our own."""
