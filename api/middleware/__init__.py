"""What every request passes through, in pure ASGI: request id, guard, key, rate, body. Routes begin behind them."""
