"""The engines that ship with eitherway: independent siblings, found by URL (`engine.loader`)."""
