"""The Tuner component: searches the Trainer's hyper-parameters on the valid split."""
