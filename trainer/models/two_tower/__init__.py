"""The two-tower model and the parts that it is made of."""
