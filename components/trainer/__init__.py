"""The Trainer component: the stock one with the catalog as a further input."""
