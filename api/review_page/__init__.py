"""The review page: what people judge on. Server-rendered, on the same store as the API; what it changes goes through the API itself."""
