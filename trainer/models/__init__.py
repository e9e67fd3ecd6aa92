"""The models, one a module; registry names them."""
