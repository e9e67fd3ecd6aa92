def pytest_addoption(parser):
    parser.addoption("--chaos-seed", type=int, help="of the faults that make chaos draws")
    parser.addoption("--chaos-faults", type=int, default=200)
