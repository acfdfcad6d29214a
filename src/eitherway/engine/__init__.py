"""What an engine is: the contract, its capabilities, how one is found, and the conformance kit."""
