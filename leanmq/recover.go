package leanmq

import "context"

// Recover returns middleware that turns a panic into a [*PanicError] where it
// stands, so that the middleware outside of it sees an error and goes on. Without
// it a panic passes through all middleware: a consumer takes it for an error too,
// but only at the very end.
func Recover() Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m *Message) error { return call(ctx, next, m) }
	}
}
