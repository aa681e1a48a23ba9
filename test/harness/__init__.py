"""What the tests stand on: real servers, real programs, each test in a world of its own."""
