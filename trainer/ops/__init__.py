"""TensorFlow functions and file operations that training, serving and evaluation share."""
