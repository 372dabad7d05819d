package leanmq

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
)

// Logging returns middleware that logs one line for each run of what is inside of
// it: queue, id, attempt, how long it took in milliseconds, the outcome, and the
// error. It never logs payloads or headers. A run that is done is logged at level
// info, any other at warn.
//
// The outcome is what the handler says: "done", "failed" (the retry policy
// decides), "retry after", "rejected", or "panic". What became of the message then
// is told by [Observe].
func Logging(log zerolog.Logger) Middleware {
	return func(next Handler) Handler {
		return func(ctx context.Context, m *Message) (err error) {
			start := time.Now()
			queue, id, attempt := m.Queue, m.ID, m.Attempt
			said := "panic"
			defer func() {
				level := zerolog.WarnLevel
				if said == "done" {
					level = zerolog.InfoLevel
				}
				log.WithLevel(level).Str("queue", queue).Str("id", id).Int("attempt", attempt).
					Dur("took", time.Since(start)).Str("outcome", said).AnErr("error", err).Msg("handled")
			}()
			err = next(ctx, m)
			said = saying(err)
			return err
		}
	}
}

// saying names a handler's result.
func saying(err error) string {
	var reject *rejection
	var after *retryAfter
	var panicked *PanicError
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &reject):
		return "rejected"
	case errors.As(err, &panicked):
		return "panic"
	case errors.As(err, &after):
		return "retry after"
	}
	return "failed"
}
