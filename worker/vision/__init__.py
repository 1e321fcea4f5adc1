"""Who answers: the `VisionModel` protocol and its implementations."""
