"""What several test modules share: fakes, running servers, data."""
